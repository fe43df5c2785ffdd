import math

import numpy as np
import pytest
from keras import ops

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


@pytest.mark.parametrize("name", losses.ADVERSARIAL_LOSSES)
def test_every_pair_takes_scalars_and_batches_alike(name):
    pair = losses.adversarial_loss(name)
    one, other = np.float32(0.7), np.float32(-0.2)
    batch = np.full((4, 1), one), np.full((4, 1), other)
    assert value(pair.discriminator(one, other)) == pytest.approx(value(pair.discriminator(*batch)), rel=1e-6)
    assert value(pair.generator(other)) == pytest.approx(value(pair.generator(batch[1])), rel=1e-6)


@pytest.mark.parametrize("name", losses.ADVERSARIAL_LOSSES)
def test_logits_of_different_shape_are_refused_rather_than_broadcast(name):
    with pytest.raises(ValueError, match=r"real_logits \(2, 1\) and fake_logits \(2,\) differ"):
        losses.adversarial_loss(name).discriminator(REAL, FAKE[:, 0])


def test_an_unknown_name_is_answered_with_the_known_ones():
    with pytest.raises(ValueError, match="'hinges' is unknown; choose one of non_saturating, hinge, least_squares"):
        losses.adversarial_loss("hinges")
