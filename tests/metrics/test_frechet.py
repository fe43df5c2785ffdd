import numpy as np
import pytest
from scipy.linalg import sqrtm

from kerasgan.metrics import frechet_distance


def normal(count, width, seed=0):
    return np.random.default_rng(seed).standard_normal((count, width))


def with_moments(mean, covariance, count=200, seed=0):
    """A sample whose own mean and covariance are these, exactly."""
    drawn = normal(count, len(mean), seed)
    drawn -= drawn.mean(axis=0)
    white = drawn @ np.linalg.inv(np.linalg.cholesky(np.cov(drawn, rowvar=False))).T
    return mean + white @ np.linalg.cholesky(covariance).T


def by_definition(real, fake):
    one, other = np.cov(real, rowvar=False), np.cov(fake, rowvar=False)
    root = np.real(sqrtm(one @ other))
    return np.sum((real.mean(axis=0) - fake.mean(axis=0)) ** 2) + np.trace(one + other - 2 * root)


def test_a_distance_worked_by_hand():
    # Means 1 and 3, variances 2 and 8: 4 + (sqrt 8 - sqrt 2)^2.
    assert frechet_distance([[0.0], [2.0]], [[1.0], [5.0]]) == pytest.approx(6)


def test_normal_distributions_with_common_axes_have_a_closed_form():
    real = with_moments(np.zeros(3), np.diag([1.0, 4.0, 9.0]))
    fake = with_moments(np.array([1.0, 2.0, 2.0]), np.diag([4.0, 1.0, 16.0]), seed=1)
    assert frechet_distance(real, fake) == pytest.approx(9 + 1 + 1 + 1, rel=1e-9)


def test_normal_distributions_with_other_axes_have_one_too():
    # The root of a product of 2x2 matrices has the trace sqrt(tr + 2 sqrt(det)).
    one, other = np.array([[2.0, 1.0], [1.0, 2.0]]), np.array([[3.0, -1.0], [-1.0, 1.0]])
    product = one @ other
    trace = np.sqrt(np.trace(product) + 2 * np.sqrt(np.linalg.det(product)))
    real, fake = with_moments(np.zeros(2), one), with_moments(np.ones(2), other, seed=1)
    assert frechet_distance(real, fake) == pytest.approx(2 + 4 + 4 - 2 * trace, rel=1e-9)


@pytest.mark.parametrize(("count", "width"), [(50, 2), (300, 16), (1000, 64), (400, 128)])
def test_it_is_what_the_root_of_the_product_gives(count, width):
    mix = normal(width, width, 2)
    real, fake = normal(count, width), normal(count, width, 1) @ mix / np.sqrt(width) + 0.3
    assert frechet_distance(real, fake) == pytest.approx(by_definition(real, fake), rel=1e-7)


def test_covariances_without_full_rank_are_no_obstacle():
    # Both lie in the same 5 of 20 dimensions, where the plain definition works.
    flat, turn = normal(100, 5), np.linalg.qr(normal(20, 20, 3))[0][:5]
    other = 2 * normal(100, 5, 1) + 1
    assert frechet_distance(flat @ turn, other @ turn) == pytest.approx(by_definition(flat, other), rel=1e-5)


def test_constant_features_count_by_their_means_alone():
    assert frechet_distance(np.zeros((50, 4)), np.full((50, 4), 0.5)) == pytest.approx(1)


def test_a_set_has_no_distance_from_itself_and_a_shift_is_what_it_is():
    features = normal(200, 8)
    assert 0 <= frechet_distance(features, features) < 1e-6
    assert frechet_distance(features, features[::-1]) < 1e-6
    assert frechet_distance(features, features + 0.5) == pytest.approx(8 * 0.25)


def test_it_is_symmetric_and_turns_and_scales_with_the_features():
    real, fake = normal(200, 6), 1.5 * normal(300, 6, 1) + 0.2
    turn = np.linalg.qr(normal(6, 6, 2))[0]
    distance = frechet_distance(real, fake)
    assert frechet_distance(fake, real) == pytest.approx(distance)
    assert frechet_distance(real @ turn + 7, fake @ turn + 7) == pytest.approx(distance)
    assert frechet_distance(3 * real, 3 * fake) == pytest.approx(9 * distance)


@pytest.mark.parametrize(("count", "others", "width"), [(10_000, 60_000, 128), (2_000, 2_000, 32)])
def test_two_samples_of_one_distribution_are_as_far_apart_as_the_docstring_says(count, others, width):
    expected = (1 / count + 1 / others) * (width * (width + 1) / 4 + width)
    found = frechet_distance(normal(count, width), normal(others, width, 1))
    assert found == pytest.approx(expected, rel=0.05)
    assert width != 128 or found == pytest.approx(0.50, abs=0.02)


def test_more_noise_is_farther_away():
    real, fake, noise = normal(500, 8), normal(500, 8, 1), normal(500, 8, 2)
    found = [frechet_distance(real, fake + scale * noise) for scale in (0, 0.5, 1, 2)]
    assert found == sorted(found)


def test_no_more_images_than_features_is_warned_of():
    with pytest.warns(UserWarning, match="of 8 images in 8 features is mostly bias; take more images"):
        frechet_distance(normal(8, 8), normal(100, 8, 1))
    frechet_distance(normal(9, 8), normal(100, 8, 1))  # a warning is an error here


def test_widths_must_agree():
    with pytest.raises(ValueError, match="real is 2 features wide and fake 3"):
        frechet_distance(normal(9, 2), normal(9, 3))
