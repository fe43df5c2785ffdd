import itertools

import numpy as np
import pytest

from kerasgan.metrics import kernel_distance
from kerasgan.metrics.kernel import _discrepancy


def normal(count, width=4, seed=0):
    return np.random.default_rng(seed).standard_normal((count, width))


def test_a_distance_worked_by_hand():
    # k(1, 1) = 8, k(2, 2) = 125, k(1, 2) = 27.
    found = kernel_distance(np.ones((6, 1)), np.full((6, 1), 2.0), block_size=2)
    assert (found.mean, found.standard_error) == (pytest.approx(8 + 125 - 2 * 27), pytest.approx(0))
    assert (found.blocks, found.block_size) == (3, 2)


@pytest.mark.parametrize(("size", "width"), [(2, 1), (7, 3), (40, 16)])
def test_a_block_is_what_the_definition_gives(size, width):
    one, other = normal(size, width), normal(size, width, 1) + 0.5

    def kernel(x, y):
        return (x @ y / width + 1) ** 3

    within = sum(kernel(part[i], part[j]) for part in (one, other) for i, j in itertools.permutations(range(size), 2))
    across = sum(kernel(x, y) for x in one for y in other)
    assert _discrepancy(one, other) == pytest.approx(within / (size * (size - 1)) - 2 * across / size**2, rel=1e-10)


def test_of_one_distribution_it_is_zero_on_average_and_as_unsure_as_it_says():
    found = [kernel_distance(normal(60, seed=2 * i), normal(60, seed=2 * i + 1), block_size=10) for i in range(300)]
    means = np.array([one.mean for one in found])
    assert abs(means.mean()) < 3 * means.std() / np.sqrt(len(means))
    assert 0.3 < np.mean(means < 0) < 0.8
    errors = np.sqrt(np.mean([one.standard_error**2 for one in found]))
    assert errors == pytest.approx(means.std(), rel=0.2)


def test_comparing_images_with_themselves_would_show_as_a_bias():
    def biased(one, other):
        kernels = [(x @ y.T / 4 + 1) ** 3 for x, y in ((one, one), (other, other), (one, other))]
        return kernels[0].mean() + kernels[1].mean() - 2 * kernels[2].mean()

    means = np.array([biased(normal(10, seed=2 * i), normal(10, seed=2 * i + 1)) for i in range(300)])
    assert means.mean() > 10 * means.std() / np.sqrt(len(means))


def test_sorted_sets_are_shuffled_before_they_are_cut():
    real = np.sort(normal(400, 1), axis=0)
    fake = np.sort(normal(400, 1, 1), axis=0)[::-1]
    found = kernel_distance(real, fake, block_size=50)
    assert abs(found.mean) < 4 * found.standard_error
    unshuffled = np.mean([_discrepancy(real[i : i + 50], fake[i : i + 50]) for i in range(0, 400, 50)])
    assert unshuffled > 1


def test_the_seed_alone_decides_on_the_blocks():
    real, fake = normal(200), normal(300, seed=1) + 0.1
    first = kernel_distance(real, fake, block_size=50)
    assert kernel_distance(real, fake, block_size=50) == first
    other = kernel_distance(real, fake, block_size=50, seed=1)
    assert 0 < abs(other.mean - first.mean) < 4 * first.standard_error
    assert (first.blocks, first.block_size) == (4, 50)


def test_small_sets_have_smaller_blocks():
    found = kernel_distance(normal(41), normal(100, seed=1))
    assert (found.blocks, found.block_size) == (2, 20)


def test_more_noise_is_farther_away():
    real, fake, noise = normal(600), normal(600, seed=1), normal(600, seed=2)
    found = [kernel_distance(real, fake + scale * noise).mean for scale in (0, 0.5, 1, 2)]
    assert found == sorted(found)


@pytest.mark.parametrize(("count", "options"), [(3, {}), (100, {"block_size": 1})])
def test_blocks_of_one_image_are_refused(count, options):
    with pytest.raises(ValueError, match="take blocks of at least 2, and at least 4 images"):
        kernel_distance(normal(count), normal(100, seed=1), **options)
