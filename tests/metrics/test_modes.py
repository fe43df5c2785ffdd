import numpy as np
import pytest

from kerasgan.metrics import ModeCoverage, divergence_floor, mode_coverage, stacked_modes

UNIFORM = np.full(1000, 1e-3)
# Of the 60,000 training images of MNIST, how many show each digit.
DIGITS = np.array([5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]) / 60_000
TRIPLES = np.einsum("i,j,k->ijk", DIGITS, DIGITS, DIGITS).ravel()


def divergence(shares, expected):
    return sum(p * np.log(p / q) for p, q in zip(shares, expected, strict=True) if p)


def test_figures_are_those_worked_by_hand():
    found = mode_coverage([0, 0, 0, 2], [0, 1, 2, 2], total=3)
    assert (found.count, found.modes, found.total) == (4, 2, 3)
    assert found.divergence == pytest.approx(0.75 * np.log(3) + 0.25 * np.log(0.5))
    assert found.uniform_divergence == pytest.approx(0.75 * np.log(9 / 4) + 0.25 * np.log(3 / 4))


@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_floor_is_the_mean_over_all_that_can_be_drawn(count):
    shares = np.array([0.5, 0.3, 0.2])
    draws = np.array(np.meshgrid(*[range(3)] * count)).reshape(count, -1).T
    expected = sum(np.prod(shares[draw]) * divergence(np.bincount(draw, minlength=3) / count, shares) for draw in draws)
    assert divergence_floor(shares, count) == pytest.approx(expected, rel=1e-10)


def test_the_floors_of_stacked_mnist_are_the_known_ones():
    assert divergence_floor(UNIFORM, 26_000) == pytest.approx(0.0193, abs=5e-5)
    # Nearly (modes - 1) / (2 count), and the next term.
    assert divergence_floor(UNIFORM, 26_000) == pytest.approx(999 / 52_000 + (1e6 - 1) / (12 * 26_000**2), rel=1e-3)
    to_uniform = divergence_floor(TRIPLES, 26_000) + divergence(TRIPLES, UNIFORM)
    assert to_uniform == pytest.approx(0.0236, abs=5e-5)


@pytest.mark.parametrize(("shares", "count"), [(UNIFORM, 26_000), (TRIPLES, 26_000), (TRIPLES, 1000)])
def test_a_simulation_finds_the_floor(shares, count):
    rng = np.random.default_rng(1)
    found = []
    for _ in range(300):
        drawn = rng.multinomial(count, shares) / count
        reached = drawn > 0
        found.append((drawn[reached] * np.log(drawn[reached] / shares[reached])).sum())
    error = np.std(found) / np.sqrt(len(found))
    assert divergence_floor(shares, count) == pytest.approx(np.mean(found), abs=4 * error)
    if count == 26_000:
        assert np.std(found) == pytest.approx(np.sqrt(2 * 999) / (2 * count), rel=0.15)
    else:  # A draw for each mode: the first term alone would be far off.
        assert abs(999 / (2 * count) - np.mean(found)) > 50 * error


def test_fair_draws_lie_at_their_floor():
    data = np.repeat(np.arange(1000), 128)
    drawn = np.random.default_rng(0).choice(data, 26_000)
    found = mode_coverage(drawn, data)
    assert found.modes == 1000
    assert abs(found.divergence - found.floor) < 3 * found.noise
    assert found.uniform_divergence == pytest.approx(found.divergence)


@pytest.mark.parametrize("count", [100, 1000, 26_000])
def test_the_noise_is_that_of_fair_draws(count):
    data, rng = np.repeat(np.arange(1000), 128), np.random.default_rng(2)
    found = [mode_coverage(rng.choice(data, count), data) for _ in range(60)]
    assert np.std([one.divergence for one in found]) == pytest.approx(found[0].noise, rel=0.35)


def test_a_generator_of_few_modes_is_far_from_the_data():
    data = np.repeat(np.arange(1000), 128)
    found = mode_coverage(np.random.default_rng(0).integers(0, 99, 26_000), data)
    assert found.modes == 99
    assert found.divergence == pytest.approx(np.log(1000 / 99), abs=0.01)


def test_samples_that_are_too_even_are_refused():
    data = np.repeat(np.arange(1000), 128)
    with pytest.raises(ValueError, match=r"divergence of 0\.0000 nats lies under its floor of 0\.0193"):
        mode_coverage(np.repeat(np.arange(1000), 26), data)
    # Images of the data, none of them twice: more even than chance.
    with pytest.raises(ValueError, match="lies under its floor"):
        mode_coverage(np.random.default_rng(0).permutation(data)[:100_000], data)


@pytest.mark.parametrize(
    ("modes", "data", "complaint"),
    [
        ([0, 3], [0, 1, 2], r"modes span 0 to 3; of 3 modes give 0\.\.2"),
        ([0, -1], [0, 1, 2], "modes span -1 to 0"),
        ([0.5], [0, 1, 2], "modes is float64"),
        ([], [0, 1, 2], r"modes is float64 of shape \(0,\)"),
        ([0], [0, 1, 1], "data_modes lacks 1 of 3 modes"),
    ],
)
def test_what_cannot_be_counted_is_refused(modes, data, complaint):
    with pytest.raises(ValueError, match=complaint):
        mode_coverage(modes, data, total=3)


def test_the_table_fits_a_terminal():
    table = ModeCoverage(26_000, 1000, 1000, 0.0291, 0.0193, 0.0009, 0.0334, 0.0236).as_table()
    assert "| KL to the data (nats) | 0.0291 | floor 0.0193 +- 0.0009 |" in table
    assert "| 26,000 samples" in table
    assert max(map(len, table.splitlines())) <= 80


class Reader:
    """Stands for a feature network: takes the brightness of an image for its digit."""

    name = "brightness"

    def __init__(self, classes=10):
        self.classes = classes

    def describe(self, images):
        assert images.shape[1:] == (2, 2, 1)
        return None, np.eye(10)[images[:, 0, 0, 0]][:, : self.classes] if self.classes else None


def test_each_channel_is_read_by_itself():
    images = np.zeros((2, 2, 2, 3), np.uint8)
    images[0] += np.array([1, 2, 3], np.uint8)
    images[1] += np.array([9, 0, 4], np.uint8)
    assert stacked_modes(images, Reader()).tolist() == [123, 904]


@pytest.mark.parametrize("classes", [None, 3])
def test_only_a_network_of_ten_digits_can_read_them(classes):
    with pytest.raises(ValueError, match="brightness does not tell ten digits apart"):
        stacked_modes(np.zeros((2, 2, 2, 3), np.uint8), Reader(classes))


def test_grey_images_are_not_stacked():
    with pytest.raises(ValueError, match=r"stacked ones are \(count, height, width, 3\)"):
        stacked_modes(np.zeros((2, 2, 2, 1), np.uint8), Reader())
