import math

import numpy as np
import pytest
from keras import ops

import kerasgan as kg
from kerasgan import losses

REAL = np.array([[2.0], [-1.0]], "float32")
FAKE = np.array([[0.5], [-3.0]], "float32")


def softplus(x):
    return math.log1p(math.exp(x))


def value(tensor):
    return float(ops.convert_to_numpy(tensor))


def test_discriminator_loss_is_the_sum_of_two_cross_entropies():
    expected = (softplus(-2.0) + softplus(1.0)) / 2 + (softplus(0.5) + softplus(-3.0)) / 2
    assert value(losses.discriminator_loss(REAL, FAKE)) == pytest.approx(expected, rel=1e-6)


def test_generator_loss_is_the_cross_entropy_of_being_called_real():
    expected = (softplus(-0.5) + softplus(3.0)) / 2
    assert value(losses.generator_loss(FAKE)) == pytest.approx(expected, rel=1e-6)


def test_an_undecided_discriminator_pays_two_log_two():
    zeros = np.zeros((3, 1), "float32")
    assert value(losses.discriminator_loss(zeros, zeros)) == pytest.approx(2 * math.log(2), rel=1e-6)
    assert value(losses.generator_loss(zeros)) == pytest.approx(math.log(2), rel=1e-6)


def test_extreme_logits_give_finite_losses():
    huge = np.array([[1e4], [-1e4]], "float32")
    assert value(losses.discriminator_loss(huge, huge)) == pytest.approx(1e4)


def test_hinge_loss_by_hand():
    # real: max(0, 1 - 2) = 0, max(0, 1 + 1) = 2; fake: max(0, 1.5) = 1.5, max(0, -2) = 0
    assert value(losses.hinge_discriminator_loss(REAL, FAKE)) == pytest.approx(1.0 + 0.75)
    assert value(losses.hinge_generator_loss(FAKE)) == pytest.approx(1.25)


def test_hinge_loss_is_zero_beyond_the_margin():
    assert value(losses.hinge_discriminator_loss(REAL + 4, FAKE - 4)) == 0.0


def test_least_squares_by_hand():
    # real: (2 - 1)^2 = 1, (-1 - 1)^2 = 4; fake: 0.25, 9; generator: 0.25, 16
    assert value(losses.least_squares_discriminator_loss(REAL, FAKE)) == pytest.approx(0.5 * (2.5 + 4.625))
    assert value(losses.least_squares_generator_loss(FAKE)) == pytest.approx(0.5 * 8.125)


def test_the_minimax_generator_lowers_the_probability_of_fake():
    expected = -(softplus(0.5) + softplus(-3.0)) / 2
    assert value(losses.minimax_generator_loss(FAKE)) == pytest.approx(expected, rel=1e-6)
    assert value(losses.minimax_generator_loss(np.float32(0.0))) == pytest.approx(-math.log(2), rel=1e-6)


def test_the_minimax_generator_has_no_slope_where_the_discriminator_is_sure_of_a_fake():
    sure = np.array([[-20.0]], "float32")
    # minimax: -sigmoid(-20); non-saturating: -sigmoid(20)
    assert abs(value(kg.grad(losses.minimax_generator_loss, sure)[0, 0])) < 1e-8
    assert value(kg.grad(losses.generator_loss, sure)[0, 0]) == pytest.approx(-1.0)


def test_wasserstein_by_hand():
    # fake: (0.5 - 3) / 2 = -1.25; real: (2 - 1) / 2 = 0.5
    assert value(losses.wasserstein_discriminator_loss(REAL, FAKE)) == pytest.approx(-1.75)
    assert value(losses.wasserstein_generator_loss(FAKE)) == pytest.approx(1.25)


def test_relativistic_losses_by_hand():
    # real - fake: 2 - 0.5 = 1.5, -1 + 3 = 2
    discriminator, generator = (softplus(-1.5) + softplus(-2.0)) / 2, (softplus(1.5) + softplus(2.0)) / 2
    assert value(losses.relativistic_discriminator_loss(REAL, FAKE)) == pytest.approx(discriminator, rel=1e-6)
    assert value(losses.relativistic_generator_loss(REAL, FAKE)) == pytest.approx(generator, rel=1e-6)


def test_relativistic_losses_pair_the_rows_and_know_no_common_offset():
    shifted = value(losses.relativistic_discriminator_loss(REAL + 7, FAKE + 7))
    assert shifted == pytest.approx(value(losses.relativistic_discriminator_loss(REAL, FAKE)), rel=1e-6)
    swapped = value(losses.relativistic_discriminator_loss(REAL, FAKE[::-1].copy()))
    assert swapped == pytest.approx((softplus(-5.0) + softplus(1.5)) / 2, rel=1e-6)  # 2 + 3 = 5, -1 - 0.5 = -1.5


@pytest.mark.parametrize(
    ("loss", "extreme"),
    [
        (losses.minimax_generator_loss, -5e3),
        (lambda logits: losses.relativistic_generator_loss(logits, -logits), 1e4),
        (lambda logits: losses.relativistic_discriminator_loss(logits, -logits), 1e4),
    ],
)
def test_extreme_logits_give_finite_losses_in_the_others_too(loss, extreme):
    assert value(loss(np.array([[1e4], [-1e4]], "float32"))) == pytest.approx(extreme)


def test_relativistic_generators_refuse_logits_of_different_shape():
    with pytest.raises(ValueError, match=r"real_logits \(2, 1\) and fake_logits \(2,\) differ"):
        losses.relativistic_generator_loss(REAL, FAKE[:, 0])
