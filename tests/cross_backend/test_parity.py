"""The same weights, images and noise must give the same losses on both backends; nox records them."""

import numpy as np
import pytest

TOLERANCE = 1e-3
LOSSES = [
    "dcgan/generator_loss",
    "dcgan/discriminator_loss",
    "wgan_gp/generator_loss",
    "wgan_gp/critic_loss",
    "wgan_gp/gradient_penalty",
    "classifier/loss",
]
ACCURACY = "classifier/accuracy"


def relative_differences(one, other):
    # Against the size of the whole curve: a loss that passes through zero has no relative error there.
    return np.abs(one - other) / np.maximum(np.abs(one), np.abs(one).mean())


@pytest.fixture(scope="module")
def recordings(folders):
    loaded = [dict(np.load(folder / "losses.npz")) for folder in folders.values()]
    assert [str(recording["backend"]) for recording in loaded] == list(folders)
    return loaded


@pytest.mark.parametrize("name", LOSSES)
def test_fifty_steps_agree(recordings, name):
    jax, tensorflow = (recording[name] for recording in recordings)
    # Of the classifier, the means of five epochs of ten steps.
    assert jax.shape == ((5,) if name.startswith("classifier") else (50,))
    assert np.ptp(jax) > 0, "nothing was learned, so nothing was compared"
    worst = relative_differences(jax, tensorflow).max()
    print(f"{name}: largest relative difference over 50 steps {worst:.1e}")
    assert worst < TOLERANCE


def test_no_loss_was_left_out(recordings):
    assert set(recordings[0]) == set(recordings[1]) == {*LOSSES, ACCURACY, "backend"}
    np.testing.assert_array_equal(recordings[0][ACCURACY], recordings[1][ACCURACY])


def test_a_difference_of_one_in_a_hundred_would_be_seen(recordings):
    losses = recordings[0]["dcgan/generator_loss"]
    assert relative_differences(losses, 1.01 * losses).max() > TOLERANCE
