import numpy as np
import pytest

from kerasgan.metrics import draw_contact_sheet, draw_quality_curves

NO_MATHTEXT = "$\\frac{_$"  # matplotlib raises where it takes this for mathematics
BLUE, ORANGE = (0x3E, 0x6F, 0xB0), (0xC8, 0x64, 0x1E)
RED, GREEN, PURPLE, CYAN = (255, 0, 0), (0, 255, 0), (255, 0, 255), (0, 255, 255)


def of(colour, *shape):
    """Images of one colour, `(*shape, 3)`."""
    return np.broadcast_to(np.uint8(colour), (*shape, 3))


def count(picture, colour):
    return int((picture == colour).all(axis=-1).sum())


def left_edge(picture, colour):
    return int((picture == colour).all(axis=-1).any(axis=0).argmax())


def top_edge(picture, colour):
    return int((picture == colour).all(axis=-1).any(axis=1).argmax())


def test_each_part_is_drawn_once_pixel_by_pixel():
    picture = draw_contact_sheet(
        of(RED, 5, 28, 28), of(GREEN, 5, 28, 28), of(PURPLE, 2, 3, 28, 28), of(CYAN, 4, 2, 28, 28), facts=NO_MATHTEXT
    )
    assert picture.dtype == np.uint8 and picture.shape[1:] == (1600, 3)
    # Three times as wide and high: nothing is blurred, cut or drawn over.
    image = (3 * 28) ** 2
    assert [count(picture, colour) for colour in (RED, GREEN, PURPLE, CYAN)] == [
        5 * image,
        5 * image,
        6 * image,
        8 * image,
    ]
    assert top_edge(picture, RED) == top_edge(picture, GREEN) < top_edge(picture, PURPLE) < top_edge(picture, CYAN)


def test_the_nearest_training_image_stands_to_the_right_of_its_sample():
    shades = np.uint8([10, 60, 110, 160, 210, 250])
    samples = np.broadcast_to(shades[:3, None, None, None], (3, 28, 28, 1))
    nearest = np.broadcast_to(shades[3:, None, None, None], (3, 28, 28, 1))
    picture = draw_contact_sheet(samples, nearest)
    edges = [left_edge(picture, (shade, shade, shade)) for shade in shades[[0, 3, 1, 4, 2, 5]]]
    assert edges == sorted(edges) and len(set(edges)) == 6
    within, between = edges[1] - edges[0], edges[2] - edges[1]
    assert within < between  # a pair stands together


def test_without_neighbours_samples_stand_alone_as_many_as_four_rows_hold():
    picture = draw_contact_sheet(of(RED, 100, 28, 28))
    assert count(picture, RED) == 4 * 17 * 84**2
    assert count(draw_contact_sheet(of(RED, 3, 28, 28)), RED) == 3 * 84**2


def test_floats_and_grey_images_look_as_they_are():
    picture = draw_contact_sheet(np.full((2, 28, 28, 1), -0.6, "float32"))
    assert count(picture, (51, 51, 51)) == 2 * 84**2


@pytest.mark.parametrize(("side", "drawn"), [(8, 80), (32, 64), (128, 128), (512, 256), (2000, 334)])
def test_images_of_any_size_fit(side, drawn):
    sheet = draw_contact_sheet(of(RED, 9, side, side), of(GREEN, 9, side, side), of(PURPLE, 1, 40, side, side))
    assert sheet.shape[1] == 1600
    assert count(sheet, RED) == count(sheet, GREEN) > 0 and count(sheet, RED) % drawn**2 == 0
    assert count(sheet, PURPLE) // drawn**2 == min(40, 1491 // (drawn + 3))


def test_a_long_way_is_shown_from_its_beginning_to_its_end():
    shades = np.arange(50, 250, 2, np.uint8)  # 100 steps
    ways = np.broadcast_to(shades[None, :, None, None, None], (1, 100, 28, 28, 1))
    picture = draw_contact_sheet(of(RED, 1, 28, 28), interpolations=ways)
    first, last = (left_edge(picture, (shade,) * 3) for shade in (shades[0], shades[-1]))
    assert 0 < first < last and count(picture, (int(shades[-1]),) * 3) == 84**2


def test_classes_have_their_names_and_the_first_twenty_of_many_are_shown():
    by_class = of(CYAN, 30, 2, 8, 8)
    assert count(draw_contact_sheet(of(RED, 1, 8, 8), by_class=by_class), CYAN) == 20 * 2 * 80**2
    named, longer = (
        draw_contact_sheet(of(RED, 1, 8, 8), by_class=by_class[:2], class_names=[name, NO_MATHTEXT])
        for name in ("a", "a much longer name")
    )
    assert left_edge(longer, CYAN) > left_edge(named, CYAN) > left_edge(named, RED)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"samples": np.zeros((0, 8, 8, 1), np.uint8)}, r"samples has shape \(0, 8, 8, 1\)"),
        ({"samples": np.zeros((3, 8, 8, 2), np.uint8)}, "with 1 or 3 channels"),
        ({"nearest": np.zeros((2, 8, 8, 3), np.uint8)}, "nearest has 2 images and samples 3"),
        ({"interpolations": np.zeros((3, 8, 8, 3), np.uint8)}, "interpolations has shape"),
        ({"by_class": of(RED, 3, 2, 8, 8), "class_names": ["a"]}, "class_names has 1 names for 3 classes"),
        ({"samples": np.full((3, 8, 8, 3), np.nan)}, "images hold NaN"),
    ],
)
def test_what_does_not_fit_is_refused(arguments, complaint):
    with pytest.raises(ValueError, match=complaint):
        draw_contact_sheet(**{"samples": of(RED, 3, 8, 8), **arguments})


ROWS = [{"step": step, "frechet_distance": 100 / step, "recall": step / 400} for step in (300, 100, 200)]
REAL = {"frechet_distance": 0.1, "kernel_distance": -1e-4, "precision": 0.9, "recall": 0.9}


def test_curves_show_samples_in_blue_and_real_images_in_orange():
    picture = draw_quality_curves(ROWS, REAL, facts=NO_MATHTEXT)
    assert picture.dtype == np.uint8 and 1500 < picture.shape[1] <= 1600
    assert count(picture, BLUE) > 500 and count(picture, ORANGE) > 500
    assert count(draw_quality_curves(ROWS), ORANGE) == 0


def test_the_order_of_the_checkpoints_does_not_matter():
    np.testing.assert_array_equal(draw_quality_curves(ROWS), draw_quality_curves(ROWS[::-1]))


def test_one_checkpoint_is_enough_and_gaps_are_no_obstacle():
    assert count(draw_quality_curves(ROWS[:1]), BLUE) > 20
    gap = {"step": 150, "frechet_distance": float("nan"), "recall": float("inf")}
    with_gap = draw_quality_curves([*ROWS, gap])
    assert 20 < count(with_gap, BLUE) < count(draw_quality_curves(ROWS), BLUE)


@pytest.mark.parametrize("rows", [[], [{"step": 100}], [{"step": 100, "precision": float("nan")}]])
def test_curves_of_nothing_are_refused(rows):
    with pytest.raises(ValueError, match="rows holds no measure"):
        draw_quality_curves(rows, REAL)
