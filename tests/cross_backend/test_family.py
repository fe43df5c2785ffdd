"""Each loss, regularizer and aid of the GAN family must train alike on both backends; nox records 20 steps of each."""

from itertools import permutations

import numpy as np
import pytest

import kerasgan as kg

# Of losses, relative to the curve as in `test_parity`; measured: at most 8e-7.
LOSS_TOLERANCE = 1e-5
# Of how far each variable went, the norm of the difference relative to that of the way; measured: at most 1.4e-5. Of
# the weights themselves it would be less, for most of a weight is where it began.
CHANGE_TOLERANCE = 1e-4

CONTROLLED = [
    *kg.losses.GRADIENT_PENALTIES,
    "r1_every_4_steps",
    "weight_clip",
    "critic_steps_and_ema",
    "diff_augment",
    "acgan",
    "r3gan",
]
CASES = [*kg.losses.ADVERSARIAL_LOSSES, *CONTROLLED, "spectral_normalization", "cgan", "projection"]


@pytest.fixture(scope="module")
def recordings(folders):
    loaded = [dict(np.load(folder / "family.npz")) for folder in folders.values()]
    assert [str(recording["backend"]) for recording in loaded] == list(folders)
    return loaded


def of_case(recording, name, kind="case"):
    """Return `{loss: (20,)}`, and `{network/number: (...)}` of the changes."""
    prefix = f"{kind}/{name}/"
    parts = {key.removeprefix(prefix): values for key, values in recording.items() if key.startswith(prefix)}
    losses = {key: values for key, values in parts.items() if not key.startswith("changes/")}
    return losses, {key: values for key, values in parts.items() if key.startswith("changes/")}


def difference_of_losses(one, other):
    return max(
        (np.abs(one[name] - other[name]) / np.maximum(np.abs(one[name]), np.abs(one[name]).mean())).max()
        for name in set(one) & set(other)
    )


def difference_of_changes(one, other):
    return max(np.linalg.norm(one[name] - other[name]) / np.linalg.norm(one[name]) for name in one)


@pytest.mark.parametrize("name", CASES)
def test_twenty_steps_agree(recordings, name):
    (losses, changes), (other_losses, other_changes) = (of_case(recording, name) for recording in recordings)
    assert {"generator_loss", "discriminator_loss"} <= set(losses) == set(other_losses)
    assert changes and set(changes) == set(other_changes)
    assert all(values.shape == (20,) and np.ptp(values) > 0 for values in losses.values())
    assert all(np.any(values) for values in changes.values()), "a variable stayed, so nothing was compared"
    of_losses, of_changes = (
        difference_of_losses(losses, other_losses),
        difference_of_changes(changes, other_changes),
    )
    print(f"{name}: largest relative difference of losses {of_losses:.1e}, of changed weights {of_changes:.1e}")
    assert of_losses < LOSS_TOLERANCE
    assert of_changes < CHANGE_TOLERANCE


@pytest.mark.parametrize("name", CONTROLLED)
def test_a_number_that_is_a_hundredth_larger_would_be_seen(recordings, name):
    # Or, of augmentation, other draws: see `CONTROLS` in family.py.
    (losses, changes), (other_losses, other_changes) = (
        of_case(recording, name, kind) for recording, kind in zip(recordings, ("case", "control"), strict=True)
    )
    of_losses, of_changes = (
        difference_of_losses(losses, other_losses),
        difference_of_changes(changes, other_changes),
    )
    print(f"{name}, changed: relative difference of losses {of_losses:.1e}, of changed weights {of_changes:.1e}")
    # Of a moving average nobody's loss knows.
    assert name == "critic_steps_and_ema" or of_losses > 100 * LOSS_TOLERANCE
    assert of_changes > 10 * CHANGE_TOLERANCE


def test_no_case_agrees_with_another(recordings):
    jax, tensorflow = ({name: of_case(recording, name)[0] for name in CASES} for recording in recordings)
    nearest = min(difference_of_losses(jax[one], tensorflow[other]) for one, other in permutations(CASES, 2))
    print(f"nearest two cases: relative difference of losses {nearest:.1e}")
    assert nearest > 100 * LOSS_TOLERANCE


def test_a_lazy_penalty_is_computed_in_every_fourth_step(recordings):
    for recording in recordings:
        np.testing.assert_array_equal(
            np.flatnonzero(recording["case/r1_every_4_steps/gradient_penalty"]), [0, 4, 8, 12, 16]
        )


def test_no_case_was_left_out(recordings):
    for recording in recordings:
        recorded = {tuple(key.split("/")[:2]) for key in recording if key != "backend"}
        assert recorded == {("case", name) for name in CASES} | {("control", name) for name in CONTROLLED}
