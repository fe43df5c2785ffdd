import re

import numpy as np
import pytest
from PIL import Image

from kerasgan.data import DataError, DataModule, load
from kerasgan.data.images import denormalize, normalize


def module(images, labels, **options):
    return DataModule(images, labels, **{"batch_size": 4, **options})


def test_the_splits_have_the_shapes_that_training_needs(images, labels):
    data = module(images, labels, test=(images[:7], labels[:7]), val_size=5)
    assert data.image_shape == (6, 5, 1) and data.num_classes == 10
    assert [batches.num_examples for batches in (data.train, data.validation, data.test)] == [15, 5, 7]
    assert [len(batches) for batches in (data.train, data.validation, data.test)] == [3, 2, 2]
    assert data.train.shuffle and not data.validation.shuffle and not data.test.shuffle


@pytest.mark.parametrize("val_size", [5, 0.25, np.int64(5)])
def test_validation_is_drawn_from_train_by_the_seed(images, labels, val_size):
    first, second = (module(images, labels, val_size=val_size, seed=1) for _ in range(2))
    np.testing.assert_array_equal(first.validation.images, second.validation.images)
    together = np.concatenate([first.train.images, first.validation.images])
    assert sorted(map(bytes, together)) == sorted(map(bytes, images))
    other = module(images, labels, val_size=val_size, seed=2)
    assert not np.array_equal(first.validation.images, other.validation.images)


@pytest.mark.parametrize("val_size", [20, 1.0, -1, -0.5, 0.99, 0.001, float("nan"), True, "3"])
def test_a_validation_split_that_cannot_be_is_refused(images, labels, val_size):
    with pytest.raises(DataError, match=r"val_size is|batch_size 4 is larger"):
        module(images, labels, val_size=val_size)


def test_a_batch_larger_than_the_training_split_names_both_numbers(images, labels):
    with pytest.raises(DataError, match="batch_size 128 is larger than the 20 images"):
        DataModule(images, labels)
    assert len(DataModule(images, labels, drop_remainder=False).train) == 1


@pytest.mark.parametrize(("low", "high"), [(0, 1), (-1, 1), (0, 255)])
def test_floats_of_every_usual_range_give_the_same_pixels(low, high):
    pixels = np.arange(256, dtype=np.uint8).reshape(4, 8, 8)
    floats = pixels.astype(np.float32) / 255 * (high - low) + low
    np.testing.assert_array_equal(DataModule(floats, batch_size=1).train.images[..., 0], pixels)


def test_train_and_test_decide_on_one_range_together():
    dark, bright = np.full((2, 3, 3), 0.5), np.full((2, 3, 3), 255.0)
    data = DataModule(dark, test=(bright, None), batch_size=1)
    assert data.train.images.max() == 0 and data.test.images.min() == 255
    signed = np.full((2, 3, 3), -0.5)
    assert DataModule(dark, test=(signed, None), batch_size=1).train.images.max() == 191
    with pytest.raises(DataError, match="NaN"):
        DataModule(dark, test=(np.full((2, 3, 3), np.nan), None), batch_size=1)


def test_booleans_and_wide_integers_become_pixels():
    assert DataModule(np.ones((2, 3, 3), bool), batch_size=1).train.images.max() == 255
    assert DataModule(np.full((2, 3, 3), 9, np.int64), batch_size=1).train.images.dtype == np.uint8


def test_normalize_and_denormalize_are_inverse():
    pixels = np.arange(256, dtype=np.uint8)
    np.testing.assert_array_equal(denormalize(normalize(pixels)), pixels)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            {"test": (np.zeros((2, 3, 3), np.uint8), [0, 0])},
            "test: images are (3, 3, 1), those of train (6, 5, 1)",
        ),
        ({"test": (np.zeros((2, 6, 5), np.uint8), None)}, "images test: has no labels, but images train has"),
        ({"test": (np.zeros((2, 6, 5), np.uint8), [0, 12])}, None),
        ({"class_names": ["a", "b"]}, "label 9 lies outside 0..1"),
        ({"batch_size": 2.5}, "batch_size is 2.5"),
        ({"seed": "x"}, "seed is 'x'"),
    ],
)
def test_arguments_that_disagree_are_refused(images, labels, options, said):
    if said is None:
        assert module(images, labels, **options).num_classes == 13
        return
    with pytest.raises(DataError, match=re.escape(said)):
        module(images, labels, **options)


def test_labels_are_needed_for_one_hot_and_for_class_names(images):
    with pytest.raises(DataError, match="there are no labels"):
        module(images, None, one_hot=True)
    with pytest.raises(DataError, match="class_names are given but no labels"):
        module(images, None, class_names=["a"])


@pytest.mark.parametrize(
    ("shades", "background"),
    [
        ([0] * 20, "dark"),
        ([63] * 18 + [255] * 2, "dark"),
        ([63] * 17 + [255] * 3, None),
        ([64] * 20, None),
        ([192] * 18 + [0] * 2, "light"),
        ([191] * 20, None),
    ],
)
@pytest.mark.parametrize("channels", [1, 3])
def test_the_background_is_that_of_nine_in_ten_borders(shades, background, channels):
    pixels = np.full((20, 8, 6, channels), 128, np.uint8)
    pixels[:, [0, -1]] = np.reshape(shades, (20, 1, 1, 1))
    pixels[:, :, [0, -1]] = np.reshape(shades, (20, 1, 1, 1))
    assert DataModule(pixels, batch_size=4).background == background
    pixels[:, 1:-1, 1:-1] = 255 - pixels[:, 1:-1, 1:-1]  # What lies inside does not matter.
    pixels[:, 0, :4] = 128  # Nor does ink on the smaller part of a border: 4 of 24 pixels.
    assert DataModule(pixels, batch_size=4).background == background


def test_the_background_is_judged_all_through_the_data_and_on_training_images_alone():
    sorted_by_class = np.zeros((10_000, 2, 2), np.uint8)
    sorted_by_class[5_000:] = 255
    assert module(sorted_by_class, None).background is None
    assert module(sorted_by_class[:5_000], None, test=(sorted_by_class[5_000:], None)).background == "dark"
    assert load("digits").background == "dark"
    assert module(np.zeros((4, 1, 1), np.uint8), None).background == "dark"


def test_all_four_sides_belong_to_the_border():
    tall = np.zeros((4, 20, 4), np.uint8)
    tall[:, [0, -1]] = 255
    assert module(tall, None).background == "dark"
    assert module(tall.swapaxes(1, 2), None).background == "dark"


def test_the_summary_fits_a_terminal_and_counts_every_class(images, labels):
    names = ["a\nb", "x" * 100, *"cdefghij"]
    data = module(images, labels, test=(images[:7], labels[:7]), val_size=5, class_names=names, name="n" * 99)
    lines = data.summary().splitlines()
    assert max(map(len, lines)) <= 80 and len(lines) == 4 + 12 + 3
    assert any(re.fullmatch(r"c +\d+ +\d+ +1", line) for line in lines)
    assert re.search(r"images +15 +5 +7", data.summary()) and "3 empty" in data.summary()
    many = module(images, np.arange(20) * 50)
    assert "and 931 more" in many.summary() and len(many.summary().splitlines()) < 40
    assert "no labels" in module(images, None).summary()


def test_balance_is_the_largest_class_over_the_smallest(images):
    data = module(images, [0] * 15 + [1] * 5)
    assert re.search(r"balance \(max/min\) +3\.00", data.summary())


def test_the_fingerprint_tells_data_and_splits_apart(images, labels):
    same = module(images, labels).fingerprint()
    assert re.fullmatch("[0-9a-f]{64}", same)
    assert module(images.copy(), labels, batch_size=2).fingerprint() == same
    changed = images.copy()
    changed[3, 2, 1] ^= 1
    others = [
        module(changed, labels),
        module(images, labels[::-1]),
        module(images, None),
        module(images.reshape(20, 5, 6), labels),
        module(images, labels, val_size=5),
        module(images, labels, test=(images, labels)),
    ]
    assert len({same, *(other.fingerprint() for other in others)}) == 7


@pytest.mark.parametrize("shape", [(20, 6, 5), (20, 6, 5, 3)])
@pytest.mark.parametrize("labelled", [True, False])
def test_the_figure_shows_examples_of_grey_and_colour(tmp_path, shape, labelled):
    images = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    labels = np.arange(20) % 3 if labelled else None
    names = ["$price_{$", "b", "a very long name indeed", "none of these"] if labelled else None
    path = module(images, labels, class_names=names).figure(tmp_path / "new" / "figure.png")
    with Image.open(path) as figure:
        assert figure.format == "PNG" and figure.width > 500


def test_the_figure_leaves_no_pyplot_state_behind(tmp_path, images, labels):
    from matplotlib import pyplot

    module(images, labels).figure(tmp_path / "figure.png")
    assert pyplot.get_fignums() == []
