import numpy as np
import pytest

from kerasgan.metrics import samples
from kerasgan.metrics.samples import as_pair, distances, radii


def test_distances_are_those_worked_by_hand():
    some, others = np.array([[0.0, 0.0], [3.0, 4.0]]), np.array([[0.0, 0.0], [6.0, 8.0], [3.0, 0.0]])
    (found,) = [block for _, block in distances(some, others)]
    np.testing.assert_allclose(found, [[0, 10, 3], [5, 5, 4]], atol=1e-12)


def test_the_kth_neighbour_is_another_point_even_if_it_is_the_same():
    points = np.array([[0.0], [0.0], [1.0], [5.0]])
    np.testing.assert_allclose(radii(points, 1), [0, 0, 1, 4], atol=1e-6)
    np.testing.assert_allclose(radii(points, 2), [1, 1, 1, 5], atol=1e-6)


@pytest.mark.parametrize("numbers", [1, 70, 10**9])
def test_blocks_of_any_size_give_the_same(monkeypatch, numbers):
    points = np.random.default_rng(0).standard_normal((50, 3))
    expected = np.sort(np.linalg.norm(points[:, None] - points, axis=2), axis=1)
    monkeypatch.setattr(samples, "_BLOCK_NUMBERS", numbers)
    assert max(block.size for _, block in distances(points, points)) <= max(50, numbers)
    np.testing.assert_allclose(radii(points, 3), expected[:, 3], rtol=1e-9)


def test_a_large_mean_costs_no_digits():
    points = np.random.default_rng(0).standard_normal((40, 3))
    np.testing.assert_allclose(radii(points + 1e6, 1), radii(points, 1), rtol=1e-7)


@pytest.mark.parametrize(
    ("real", "fake", "complaint"),
    [
        (np.zeros((5, 3)), np.zeros((5, 4)), "real is 3 features wide and fake 4; take both from one network"),
        (np.zeros((1, 3)), np.zeros((5, 3)), r"real has shape \(1, 3\); .*at least two images"),
        (np.zeros((5, 3)), np.zeros(5), r"fake has shape \(5,\); give features \(count, width\)"),
        (np.zeros((5, 3)), np.zeros((5, 0)), r"fake has shape \(5, 0\)"),
        (np.full((5, 3), np.nan), np.zeros((5, 3)), "real holds NaN or infinity"),
        (np.zeros((5, 3)), np.full((5, 3), np.inf), "fake holds NaN or infinity"),
        ([["a"]], np.zeros((5, 3)), "real is no array of numbers"),
    ],
)
def test_what_cannot_be_compared_is_refused_in_one_line(real, fake, complaint):
    with pytest.raises(ValueError, match=complaint) as error:
        as_pair(real=real, fake=fake)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("neighbours", [0, 4, 5])
def test_there_must_be_enough_neighbours(neighbours):
    with pytest.raises(ValueError, match=f"neighbours is {neighbours} of 4 images"):
        radii(np.zeros((4, 2)), neighbours)
