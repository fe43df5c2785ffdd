import numpy as np
import pytest

from kerasgan.metrics import assess

NAMES = ("cat", "dog", "owl")
LABELS = [0, 0, 0, 1, 1, 2]
#                cat  dog  owl
PROBABILITIES = [
    [0.9, 0.1, 0.0],
    [0.8, 0.1, 0.1],
    [0.3, 0.6, 0.1],  # a cat taken for a dog
    [0.2, 0.7, 0.1],
    [0.0, 0.1, 0.9],  # a dog taken for an owl, and more surely so
    [0.1, 0.4, 0.5],
]


def test_figures_are_those_worked_by_hand():
    result = assess(LABELS, PROBABILITIES, NAMES)
    assert result.confusion.tolist() == [[2, 1, 0], [0, 1, 1], [0, 0, 1]]
    np.testing.assert_allclose(result.precision, [1, 1 / 2, 1 / 2])
    np.testing.assert_allclose(result.recall, [2 / 3, 1 / 2, 1])
    np.testing.assert_allclose(result.f1, [4 / 5, 1 / 2, 2 / 3])
    assert result.support.tolist() == [3, 2, 1]
    assert (result.count, result.accuracy) == (6, pytest.approx(4 / 6))
    assert result.macro_precision == pytest.approx(2 / 3)
    assert result.macro_recall == pytest.approx(13 / 18)
    assert result.macro_f1 == pytest.approx(59 / 90)


def test_the_most_confident_mistake_comes_first():
    result = assess(LABELS, PROBABILITIES, NAMES)
    assert result.mistakes.tolist() == [4, 2]
    assert result.predicted.tolist() == [0, 0, 1, 1, 2, 2]
    np.testing.assert_allclose(result.probability, [0.9, 0.8, 0.6, 0.7, 0.9, 0.5])


def test_mistakes_of_equal_confidence_keep_their_order():
    result = assess([1] * 400, [[0.75, 0.25], [0.875, 0.125]] * 200, "ab")
    assert result.mistakes.tolist() == [*range(1, 400, 2), *range(0, 400, 2)]


def test_of_equal_probabilities_the_first_is_the_prediction():
    assert assess([0, 1], [[0.5, 0.5]] * 2, "ab").predicted.tolist() == [0, 0]


def test_a_class_that_is_never_predicted_or_never_there_counts_zero():
    result = assess([0, 1], [[1, 0, 0], [1, 0, 0]], NAMES)
    assert result.confusion.tolist() == [[1, 0, 0], [1, 0, 0], [0, 0, 0]]
    assert result.precision.tolist() == [0.5, 0, 0]
    assert result.recall.tolist() == [1, 0, 0]
    assert result.support.tolist() == [1, 1, 0]
    assert result.macro_recall == pytest.approx(1 / 3)


@pytest.mark.parametrize("dtype", [np.float32, np.int64, bool])
def test_one_hot_labels_are_the_same_as_integers(dtype):
    one_hot = np.eye(3, dtype=dtype)[LABELS]
    result, reference = assess(one_hot, PROBABILITIES, NAMES), assess(np.uint8(LABELS), PROBABILITIES, NAMES)
    np.testing.assert_array_equal(result.confusion, reference.confusion)
    assert assess(one_hot[:, ::-1], PROBABILITIES, NAMES).accuracy != reference.accuracy


def test_rows_may_be_as_far_from_one_as_float16_rounds():
    assert assess([0], [[0.7003, 0.3]], "ab").accuracy == 1
    with pytest.raises(ValueError, match=r"rows sum to 1\.002 to 1\.002"):
        assess([0], [[0.702, 0.3]], "ab")


def test_the_table_is_markdown_that_is_straight_in_a_terminal():
    table = assess([0, 1, 1], [[1, 0], [1, 0], [0, 1]], ["a|b", "two\nlines"]).as_markdown()
    assert table.splitlines() == [
        "| class             | precision | recall |     F1 | examples |",
        "| :---------------- | --------: | -----: | -----: | -------: |",
        r"| a\|b              |    0.5000 | 1.0000 | 0.6667 |        1 |",
        "| two lines         |    1.0000 | 0.5000 | 0.6667 |        2 |",
        "| **macro average** |    0.7500 | 0.7500 | 0.6667 |        3 |",
    ]


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"probabilities": [2.0, 1.0]}, r"probabilities has shape \(2,\); give \(count, classes\)"),
        ({"probabilities": np.zeros((0, 3))}, "with an example"),
        ({"probabilities": [[1.0]] * 6}, "two classes at least"),
        ({"probabilities": [["a", "b"]]}, "no array of numbers"),
        ({"probabilities": [[1.0, np.nan, 0.0]] * 6}, "holds NaN or infinity"),
        ({"probabilities": [[3.0, -1.0, 0.5]] * 6}, "end the network in a float32 softmax, or use kg.Classifier"),
        # Logits whose sum happens to be one.
        (
            {"probabilities": [[3.0, -2.5, 0.5]] * 6},
            "span -2.5 to 3 and rows sum to 1 to 1, where none may be negative",
        ),
        ({"class_names": "ab"}, "class_names has 2 names for 3 classes"),
        ({"labels": [0, 1]}, r"labels is int64 of shape \(2,\); .* give integers \(6,\) or one-hot \(6, 3\)"),
        ({"labels": [0.0] * 6}, "labels is float64"),
        ({"labels": ["cat"] * 6}, "labels is <U3"),
        ({"labels": [0, 0, 0, 1, 1, 3]}, r"labels span 0 to 3; with 3 classes they must lie in 0\.\.2"),
        ({"labels": [-1, 0, 0, 1, 1, 2]}, "labels span -1 to 2"),
        ({"labels": np.ones((6, 3))}, "not one-hot"),
        ({"labels": np.full((6, 3), 1 / 3)}, "not one-hot"),
    ],
)
def test_what_cannot_be_judged_is_refused_in_one_line(change, complaint):
    arguments = {"labels": LABELS, "probabilities": PROBABILITIES, "class_names": NAMES}
    with pytest.raises(ValueError, match=complaint) as error:
        assess(**arguments | change)
    assert "\n" not in str(error.value)
