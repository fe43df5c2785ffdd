import numpy as np
import pytest
from keras import ops

from kerasgan import losses

REAL = np.array([[2.0], [-1.0]], "float32")
FAKE = np.array([[0.5], [-3.0]], "float32")


def value(tensor):
    return float(ops.convert_to_numpy(tensor))


@pytest.mark.parametrize("name", losses.ADVERSARIAL_LOSSES)
def test_every_pair_takes_scalars_and_batches_alike(name):
    pair = losses.adversarial_loss(name)
    one, other = np.float32(0.7), np.float32(-0.2)
    batch = np.full((4, 1), one), np.full((4, 1), other)
    assert value(pair.discriminator(one, other)) == pytest.approx(value(pair.discriminator(*batch)), rel=1e-6)
    assert value(pair.generator(one, other)) == pytest.approx(value(pair.generator(*batch)), rel=1e-6)


@pytest.mark.parametrize("name", losses.ADVERSARIAL_LOSSES)
def test_logits_of_different_shape_are_refused_rather_than_broadcast(name):
    with pytest.raises(ValueError, match=r"real_logits \(2, 1\) and fake_logits \(2,\) differ"):
        losses.adversarial_loss(name).discriminator(REAL, FAKE[:, 0])


def test_an_unknown_name_is_answered_with_the_known_ones():
    with pytest.raises(ValueError, match="'hinges' is unknown; choose one of non_saturating, hinge, least_squares"):
        losses.adversarial_loss("hinges")


@pytest.mark.parametrize("name", [name for name, pair in losses.ADVERSARIAL_LOSSES.items() if not pair.relativistic])
def test_a_generator_that_does_not_compare_needs_no_real_logits(name):
    pair = losses.adversarial_loss(name)
    assert value(pair.generator(None, FAKE)) == value(pair.generator(REAL, FAKE))


def test_a_relativistic_generator_depends_on_the_real_logits():
    names = [name for name, pair in losses.ADVERSARIAL_LOSSES.items() if pair.relativistic]
    assert names == ["relativistic"]
    pair = losses.adversarial_loss("relativistic")
    assert value(pair.generator(REAL, FAKE)) != pytest.approx(value(pair.generator(REAL + 1, FAKE)), rel=1e-2)


@pytest.mark.parametrize(
    ("name", "discriminator", "generator"),
    [
        ("non_saturating", losses.discriminator_loss, losses.generator_loss),
        ("hinge", losses.hinge_discriminator_loss, losses.hinge_generator_loss),
        ("least_squares", losses.least_squares_discriminator_loss, losses.least_squares_generator_loss),
        ("minimax", losses.discriminator_loss, losses.minimax_generator_loss),
        ("wasserstein", losses.wasserstein_discriminator_loss, losses.wasserstein_generator_loss),
    ],
)
def test_each_name_stands_for_its_functions(name, discriminator, generator):
    pair = losses.adversarial_loss(name)
    assert value(pair.discriminator(REAL, FAKE)) == value(discriminator(REAL, FAKE))
    assert value(pair.generator(REAL, FAKE)) == value(generator(FAKE))


@pytest.mark.parametrize("name", losses.ADVERSARIAL_LOSSES)
def test_both_players_pull_the_scores_of_fakes_apart(name):
    """Up for the generator, down for the discriminator, whatever the loss."""
    pair = losses.adversarial_loss(name)
    zero, above = np.full((2, 1), 0.5, "float32"), np.full((2, 1), 0.6, "float32")
    assert value(pair.generator(zero, above)) < value(pair.generator(zero, zero))
    assert value(pair.discriminator(zero, above)) > value(pair.discriminator(zero, zero))
    assert value(pair.discriminator(above, zero)) < value(pair.discriminator(zero, zero))
