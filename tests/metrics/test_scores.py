import numpy as np
import pytest

from kerasgan.metrics import classifier_score, conditional_accuracy


def test_the_score_is_that_worked_by_hand():
    # All images together: (3/4, 1/4). Mean of log(4/3), and of log(2/3) / 2 + log(2) / 2.
    expected = np.exp((np.log(4 / 3) + (np.log(2 / 3) + np.log(2)) / 2) / 2)
    assert classifier_score([[1, 0], [0.5, 0.5]]) == pytest.approx(expected)


def test_clear_images_of_every_class_score_the_number_of_classes():
    assert classifier_score(np.eye(7)) == pytest.approx(7)
    assert classifier_score(np.repeat(np.eye(7), 5, axis=0)) == pytest.approx(7)


def test_unclear_images_or_images_of_one_class_score_one():
    assert classifier_score(np.full((5, 4), 0.25)) == pytest.approx(1)
    assert classifier_score([[0, 1, 0]] * 5) == pytest.approx(1)


def test_it_is_taken_over_the_whole_sample():
    probabilities = np.repeat(np.eye(10), 20, axis=0)
    batches = [classifier_score(batch) for batch in np.split(probabilities, 10)]
    assert classifier_score(probabilities) == pytest.approx(10)
    assert np.mean(batches) == pytest.approx(1)  # what averaging batches would have said
    shuffled = np.random.default_rng(0).permutation(probabilities)
    assert classifier_score(shuffled) == pytest.approx(10)


def test_the_rounding_of_float32_does_no_harm():
    probabilities = np.float32([[1, 0, 1e-30], [1e-8, 1, 0], [0.1, 0.2, 0.7]])
    assert classifier_score(probabilities) == pytest.approx(classifier_score(np.float64(probabilities)), rel=1e-7)


def test_labels_that_were_asked_for_are_counted():
    probabilities = [[0.9, 0.1, 0.0], [0.2, 0.7, 0.1], [0.4, 0.3, 0.3], [0.0, 0.0, 1.0]]
    assert conditional_accuracy([0, 1, 2, 2], probabilities) == 0.75
    assert conditional_accuracy(np.eye(3)[[0, 1, 2, 2]], probabilities) == 0.75
    assert conditional_accuracy([1, 0, 1, 0], probabilities) == 0


@pytest.mark.parametrize("measure", [classifier_score, lambda rows: conditional_accuracy([0], rows)])
def test_logits_are_refused(measure):
    with pytest.raises(ValueError, match="end the network in a float32 softmax"):
        measure([[3.0, -1.0, 0.5]])


def test_labels_beyond_the_classes_are_refused():
    with pytest.raises(ValueError, match="labels span 0 to 3"):
        conditional_accuracy([0, 3], [[1, 0], [0, 1]])
