import numpy as np
import pytest

from kerasgan.metrics import assess, draw_confusion, draw_curves, draw_mistakes
from kerasgan.metrics.curves import _best
from kerasgan.metrics.mistakes import _captions

BLUE, ORANGE = (0x3E, 0x6F, 0xB0), (0xC8, 0x64, 0x1E)
NO_MATHTEXT = "$\\frac{_$"  # matplotlib raises where it takes this for mathematics
ROW = {"epoch": 1, "loss": 0.5, "val_loss": 0.6, "accuracy": 0.9, "val_accuracy": 0.8}


def is_picture(picture):
    height, width, channels = picture.shape
    return picture.dtype == np.uint8 and channels == 3 and height > 100 and 100 < width <= 1600


def pixels_of(picture, colour):
    return int((picture == colour).all(axis=-1).sum())


def certain(labels, predicted, classes):
    return assess(labels, np.eye(classes)[predicted], [f"{NO_MATHTEXT}{label}" for label in range(classes)])


def test_one_epoch_is_enough_for_curves():
    picture = draw_curves([ROW])
    assert is_picture(picture)
    assert pixels_of(picture, BLUE) > 20
    assert pixels_of(picture, ORANGE) > 20


def test_without_validation_nothing_is_in_its_colour():
    assert pixels_of(draw_curves([{"epoch": 1, "loss": 0.5}, {"epoch": 2, "loss": 0.4}]), ORANGE) == 0


def test_clocks_and_learning_rates_are_no_curves():
    plain = draw_curves([ROW])
    more = {"step": 10, "wall_seconds": 3.5, "learning_rate": 1e-3}
    np.testing.assert_array_equal(draw_curves([ROW | more]), plain)
    assert draw_curves([ROW | {NO_MATHTEXT: 0.5}]).shape[0] > plain.shape[0]


def test_a_value_that_is_missing_or_not_finite_leaves_a_gap():
    rows = [{"epoch": 1, "loss": float("nan")}, {"epoch": 2, "loss": 0.5, "val_loss": 0.4, "mae": float("inf")}]
    picture = draw_curves(rows)
    assert is_picture(picture)
    assert picture.shape == draw_curves([{"epoch": 1, "loss": 0.5}]).shape  # one panel


@pytest.mark.parametrize("rows", [[], [{"epoch": 1, "step": 10}], [{"epoch": 1, "loss": float("nan")}]])
def test_curves_of_nothing_are_refused(rows):
    with pytest.raises(ValueError, match="rows holds no curve"):
        draw_curves(rows)


def test_the_best_epoch_is_the_first_with_the_lowest_loss_or_the_highest_accuracy():
    curve = [(1, 0.5), (2, 0.3), (3, 0.7), (4, 0.3), (5, 0.7)]
    assert _best("loss", curve) == (2, 0.3)
    assert _best("top_5_accuracy", curve) == (3, 0.7)
    assert _best("temperature", curve) is None
    assert _best("loss", []) is None


def test_right_is_blue_and_wrong_is_orange():
    right, wrong = (draw_confusion(certain([0, 1], predicted, 2)) for predicted in ([0, 1], [0, 0]))
    assert is_picture(right)
    # The scale below the matrix shows both colours, too.
    assert pixels_of(right, ORANGE) < 5000 < pixels_of(wrong, ORANGE)
    assert pixels_of(wrong, BLUE) < pixels_of(right, BLUE)


@pytest.mark.parametrize("classes", [10, 60])
def test_any_number_of_classes_fits(classes):
    labels = np.arange(classes)
    assert is_picture(draw_confusion(certain(labels, (labels + 1) % classes, classes)))


def test_names_in_any_letters_are_drawn():
    result = assess([0, 1], np.eye(2), ["数字\n\x1b", "W" * 50])
    assert is_picture(draw_confusion(result))


@pytest.fixture
def colours():
    """Four images, each of one colour, 6 high and 9 wide."""
    shades = np.uint8([[255, 0, 255], [0, 255, 255], [255, 255, 0], [10, 20, 30]])
    return np.broadcast_to(shades[:, None, None], (4, 6, 9, 3))


def test_the_worst_mistake_is_drawn_first_and_alone_if_so_asked(colours):
    labels, probabilities = [0, 0, 0, 0], [[1.0, 0.0], [0.2, 0.8], [0.1, 0.9], [0.3, 0.7]]
    result = assess(labels, probabilities, ["a", NO_MATHTEXT])
    sheet, alone = draw_mistakes(colours, labels, result), draw_mistakes(colours, labels, result, count=1)
    assert is_picture(sheet)
    shown = [[pixels_of(picture, image[0, 0]) > 1000 for image in colours] for picture in (sheet, alone)]
    assert shown == [[False, True, True, True], [False, False, True, False]]


def test_grey_images_are_drawn_in_grey_and_long_names_below_each_other():
    images = np.full((2, 8, 8, 1), 77, np.uint8)
    short, long = (
        draw_mistakes(images, [0, 0], assess([0, 0], [[0.1, 0.9]] * 2, [name, "b"])) for name in ("a", "a" * 40)
    )
    assert pixels_of(short, (77, 77, 77)) > 10_000
    assert long.shape[0] > short.shape[0]
    assert long.shape[1] == short.shape[1]


def test_a_caption_names_the_true_class_and_what_it_was_taken_for():
    labels, probabilities = [0, 1, 1, 0], [[0.9, 0.1], [0.97, 0.03], [0.999, 0.001], [0.0, 1.0]]
    result = assess(labels, probabilities, ["a", "b"])
    assert result.mistakes.tolist() == [3, 2, 1]
    assert _captions(np.int64(labels), result, result.mistakes) == ["a → b (100%)", "b → a (>99%)", "b → a (97%)"]


def test_no_mistakes_make_a_sheet_that_says_so(colours):
    result = certain([0, 1, 0, 1], [0, 1, 0, 1], 2)
    picture = draw_mistakes(colours, [0, 1, 0, 1], result)
    assert is_picture(picture)
    assert not any(pixels_of(picture, image[0, 0]) for image in colours)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"count": 0}, "count is 0"),
        ({"images": np.zeros((4, 6, 9, 3))}, "images is float64"),
        ({"images": np.zeros((4, 6, 9), np.uint8)}, r"of shape \(4, 6, 9\)"),
        ({"images": np.zeros((3, 6, 9, 3), np.uint8)}, "images holds 3, but 4 predictions"),
        ({"labels": [0, 1]}, "labels is int64"),
    ],
)
def test_mistakes_that_do_not_fit_their_images_are_refused(change, complaint, colours):
    arguments = {"images": colours, "labels": [0] * 4, "assessment": certain([0] * 4, [1] * 4, 2)}
    with pytest.raises(ValueError, match=complaint):
        draw_mistakes(**arguments | change)
