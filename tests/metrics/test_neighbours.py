import numpy as np
import pytest
from sklearn.metrics import pairwise_distances

from kerasgan.metrics import density_coverage, nearest_neighbours, precision_recall, samples

REAL = [[0.0], [1.0], [3.0]]  # with one neighbour, their balls have the radii 1, 1, 2
FAKE = [[0.5], [4.9], [6.0]]  # 4.4, 1.1, 1.1


def normal(count, width=4, seed=0):
    return np.random.default_rng(seed).standard_normal((count, width))


def by_definition(real, fake, k):
    """Precision, recall, density and coverage, from whole tables of distances."""
    between = pairwise_distances(real, fake)  # (real, fake)
    reach = [np.sort(pairwise_distances(points), axis=1)[:, k] for points in (real, fake)]
    within = between <= reach[0][:, None]
    return (
        within.any(axis=0).mean(),
        (between <= reach[1]).any(axis=1).mean(),
        within.sum(axis=0).mean() / k,
        (between.min(axis=1) <= reach[0]).mean(),
    )


def all_four(real, fake, k):
    return (*precision_recall(real, fake, neighbours=k), *density_coverage(real, fake, neighbours=k))


def test_figures_are_those_worked_by_hand():
    # 0.5 lies in the balls of 0 and 1, 4.9 in that of 3, 6 in none; the ball of 0.5 holds all real points.
    assert all_four(REAL, FAKE, 1) == pytest.approx((2 / 3, 1, 3 / 3, 1))
    # The other way round: 0, 1 and 3 lie in the ball of 0.5, 3 not in that of 4.9; nothing in that of 6.
    assert all_four(FAKE, REAL, 1) == pytest.approx((1, 2 / 3, 3 / 3, 1 / 3))


@pytest.mark.parametrize(("count", "others", "width", "k"), [(30, 30, 2, 1), (100, 60, 8, 3), (80, 300, 32, 5)])
@pytest.mark.parametrize("numbers", [1000, 2**24])
def test_figures_are_those_of_the_definition(monkeypatch, count, others, width, k, numbers):
    monkeypatch.setattr(samples, "_BLOCK_NUMBERS", numbers)
    real, fake = normal(count, width), 0.9 * normal(others, width, 1) + 0.2
    assert all_four(real, fake, k) == pytest.approx(by_definition(real, fake, k), abs=1e-12)


def test_a_turn_a_shift_or_a_scale_changes_nothing():
    real, fake = normal(100), 1.2 * normal(80, seed=1)
    turn = np.linalg.qr(normal(4, 4, 2))[0]
    assert all_four(5 * real @ turn + 3, 5 * fake @ turn + 3, 3) == pytest.approx(all_four(real, fake, 3))


def test_a_dropped_mode_costs_recall_and_coverage_but_no_precision():
    modes = np.array([[0.0] * 4, [20.0] * 4])
    real = normal(200) + np.repeat(modes, 100, axis=0)
    whole = normal(200, seed=1) + np.repeat(modes, 100, axis=0)
    precision, recall, density, coverage = all_four(real, whole, 5)
    half = all_four(real, whole[:100], 5)
    assert min(precision, recall, coverage) > 0.8 and 0.8 < density < 1.2
    assert half[0] > 0.8 and half[2] > 0.8
    assert half[1] < 0.55 and half[3] < 0.55


def test_noise_costs_precision_and_density():
    real, fake, noise = normal(300, 8), normal(300, 8, 1), normal(300, 8, 2)
    clean, noisy = (all_four(real, fake + scale * noise, 5) for scale in (0, 2))
    assert noisy[0] < clean[0] - 0.3 and noisy[2] < clean[2] - 0.3 and noisy[3] < clean[3] - 0.3


def test_an_outlier_among_the_real_images_fools_precision_but_not_density():
    real, nonsense = np.vstack([normal(100), [[60.0] * 4]]), normal(100, seed=1) + 30
    precision, _, density, coverage = all_four(real, nonsense, 5)
    assert precision == 1
    assert density < 0.25 and coverage < 0.02


def test_real_images_against_real_ones_have_a_density_of_one():
    found = np.mean([density_coverage(normal(300, 2, 2 * i), normal(300, 2, 2 * i + 1)) for i in range(10)], axis=0)
    assert found[0] == pytest.approx(1, abs=0.03)
    assert found[1] == pytest.approx(1 - 1 / 2**5, abs=0.02)  # Naeem et al., eq. 9, for sets of one size


def test_distances_to_training_images_are_those_worked_by_hand():
    found = nearest_neighbours([[0.0], [1.0], [12.0]], train=[[0.0], [10.0]], held_out=[[2.0], [13.0]])
    assert found.positions.tolist() == [0, 0, 1]
    np.testing.assert_allclose(found.distances, [0, 1, 2], atol=1e-9)
    np.testing.assert_allclose(found.held_out_distances, [2, 3])
    assert (found.median, found.held_out_median) == pytest.approx((1, 2.5))
    assert found.closer == pytest.approx((1 + 1 + 0.75) / 3)  # 2 against 2 is a tie, and so half
    assert found.suspicious == pytest.approx(2 / 3)


def test_copies_are_told_from_fresh_images():
    train, unseen, fresh = (normal(2000, 3, seed) for seed in range(3))
    honest = nearest_neighbours(fresh, train, unseen)
    assert honest.closer == pytest.approx(0.5, abs=0.03)
    assert honest.suspicious == pytest.approx(0.01, abs=0.01)
    copied = nearest_neighbours(train[:500] + 1e-5, train, unseen)
    assert (copied.closer, copied.suspicious) == (1, 1)
    assert copied.positions.tolist() == list(range(500))
    some = nearest_neighbours(np.vstack([train[:200], fresh[:1800]]), train, unseen)
    assert some.suspicious == pytest.approx(0.1 + 0.009, abs=0.01)
    far = nearest_neighbours(fresh + 10, train, unseen)
    assert far.closer < 0.01 and far.suspicious == 0


@pytest.mark.parametrize("measure", [precision_recall, density_coverage])
def test_as_many_neighbours_as_images_are_refused(measure):
    with pytest.raises(ValueError, match="neighbours is 3 of 3 images"):
        measure(REAL, FAKE, neighbours=3)


def test_held_out_images_are_named_where_they_will_not_do():
    with pytest.raises(ValueError, match="held_out holds NaN"):
        nearest_neighbours(FAKE, REAL, [[np.nan], [0.0]])
    with pytest.raises(ValueError, match="train is 1 features wide and held_out 2"):
        nearest_neighbours(FAKE, REAL, np.zeros((3, 2)))
