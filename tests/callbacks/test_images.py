import errno

import numpy as np
import pytest
from PIL import Image

from kerasgan.callbacks import grid, save_png
from kerasgan.callbacks.images import GAP, GAP_GREY, WIDTH


@pytest.mark.parametrize("size", [8, 28, 32, 64])
def test_a_usual_grid_is_wide_enough_to_see_and_fits_a_page(size):
    height, width, channels = grid(np.zeros((64, size, size, 1))).shape
    assert 500 <= width <= WIDTH
    assert (height, channels) == (width, 1)


def test_large_images_are_shown_as_they_are():
    assert grid(np.zeros((4, 512, 512, 3))).shape == (1024 + 3 * GAP, 1024 + 3 * GAP, 3)


def test_images_stand_row_by_row_enlarged_and_unmixed():
    images = np.array([-1.0, -0.5, 0.5, 1.0]).reshape(4, 1, 1, 1)
    picture = grid(images, columns=2)[..., 0]
    assert set(np.unique(picture)) == {0, 64, 191, 255, GAP_GREY}
    quarter = len(picture) // 4
    assert [picture[y, x] for y in (quarter, -quarter) for x in (quarter, -quarter)] == [0, 64, 191, 255]


def test_a_row_that_is_not_full_ends_in_gap():
    picture = grid(np.ones((3, 4, 4, 3)), columns=2)
    assert (picture[-10, -10] == GAP_GREY).all()
    assert (picture[-10, 10] == 255).all()


@pytest.mark.parametrize(
    ("count", "shape", "columns"), [(64, (8, 8), 8), (10, (8, 8), 4), (16, (8, 32), 2), (1, (8, 8), 1)]
)
def test_a_grid_is_nearly_square(count, shape, columns):
    np.testing.assert_array_equal(grid(np.zeros((count, *shape, 1))), grid(np.zeros((count, *shape, 1)), columns))


def test_what_is_no_number_is_black_and_what_is_beyond_is_clipped():
    picture = grid(np.array([np.nan, -np.inf, np.inf, 7.0], "float32").reshape(4, 1, 1, 1), columns=4)[..., 0]
    middle = picture[len(picture) // 2]
    assert [middle[len(middle) * (2 * place + 1) // 8] for place in range(4)] == [0, 0, 255, 255]


@pytest.mark.parametrize(
    ("images", "columns", "message"),
    [
        (np.zeros((8, 8)), None, r"shape \(8, 8\)"),
        (np.zeros((2, 8, 8, 2)), None, "1 or 3 channels"),
        (np.zeros((0, 8, 8, 1)), None, r"\(0, 8, 8, 1\)"),
        (np.zeros((2, 8, 8, 1), "uint8"), None, r"uint8; give floats"),
        (np.zeros((2, 8, 8, 1)), 0, "columns is 0"),
    ],
)
def test_what_is_no_batch_of_images_is_refused(images, columns, message):
    with pytest.raises(ValueError, match=message):
        grid(images, columns)


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 1), (5, 7, 3)])
def test_a_png_reads_back_as_it_was(shape, tmp_path):
    array = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    save_png(tmp_path / "new" / "a.png", array)
    with Image.open(tmp_path / "new" / "a.png") as image:
        np.testing.assert_array_equal(np.asarray(image), array.squeeze())
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.png"]


def test_a_png_that_cannot_be_written_leaves_the_old_one(tmp_path, monkeypatch):
    save_png(tmp_path / "a.png", np.zeros((2, 2), np.uint8))
    before = (tmp_path / "a.png").read_bytes()

    def refuse(*_):
        raise OSError(errno.ENOSPC, "disk full")

    monkeypatch.setattr("os.replace", refuse)
    with pytest.raises(OSError, match="disk full; free some space"):
        save_png(tmp_path / "a.png", np.ones((2, 2), np.uint8))
    assert (tmp_path / "a.png").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


@pytest.mark.parametrize("array", [np.zeros((2, 2)), np.zeros((2, 2, 4), np.uint8)])
def test_what_is_no_picture_is_not_saved(array, tmp_path):
    with pytest.raises(ValueError, match="give"):
        save_png(tmp_path / "a.png", array)
