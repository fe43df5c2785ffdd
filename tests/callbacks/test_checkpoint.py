import json

import keras
import numpy as np
import pytest

from kerasgan.callbacks import Checkpoint, NonFiniteLoss
from kerasgan.checkpoints import CheckpointStore, restore


def steps(path):
    return CheckpointStore(path).steps()


def position(path, step=None):
    metadata = CheckpointStore(path).load(step).metadata
    return metadata["epoch"], metadata["batch"]


def test_every_epoch_is_saved_and_the_last_ones_are_kept(fit, tmp_path):
    fit([Checkpoint(tmp_path / "c", keep_last=2)], epochs=4)
    assert steps(tmp_path / "c") == [12, 16]
    assert position(tmp_path / "c", 12) == (3, 0)


def test_steps_within_an_epoch_are_saved_with_their_place_in_the_data(fit, tmp_path):
    fit([Checkpoint(tmp_path / "c", every_n_epochs=None, every_n_steps=3, keep_last=9)], epochs=2)
    assert steps(tmp_path / "c") == [3, 6, 8]
    assert [position(tmp_path / "c", step) for step in (3, 6, 8)] == [(0, 3), (1, 2), (2, 0)]


def another(model):
    """A model of the same kind that has not trained."""
    fresh = type(model)()
    fresh.compile(keras.optimizers.SGD(0.1), "mse", metrics=["mae"])
    return fresh


def test_what_was_saved_within_an_epoch_are_the_weights_of_that_step(fit, data, model, tmp_path):
    half = another(model)
    half.set_weights(model.get_weights())
    fit([Checkpoint(tmp_path / "c", every_n_steps=2, keep_last=9)], epochs=1, shuffle=False)
    half.fit(data[0][:16], data[1][:16], batch_size=8, shuffle=False, verbose=0)
    expected = [np.array(weight) for weight in half.get_weights()]
    restore(half, CheckpointStore(tmp_path / "c").load(2).arrays)
    assert int(half.optimizer.iterations.numpy()) == 2
    for saved, wanted in zip(half.get_weights(), expected, strict=True):
        np.testing.assert_allclose(saved, wanted, rtol=1e-6)


def test_the_end_of_training_is_always_saved(fit, tmp_path):
    fit([Checkpoint(tmp_path / "c", every_n_epochs=5)], epochs=2)
    assert steps(tmp_path / "c") == [8]


class Scripted(keras.callbacks.Callback):
    """Puts a value of its own among the logs."""

    def __init__(self, values):
        super().__init__()
        self.values = values

    def on_epoch_end(self, epoch, logs=None):
        logs["score"] = self.values[epoch]


@pytest.mark.parametrize(
    ("mode", "values", "best"),
    [("min", [3.0, 1.0, 2.0, 4.0], 8), ("max", [3.0, 1.0, 2.0, 2.5], 4), ("min", [1.0, float("nan"), 2.0, 3.0], 4)],
)
def test_the_best_one_is_named_and_kept_besides_the_last(fit, tmp_path, mode, values, best):
    checkpoint = Checkpoint(tmp_path / "c", keep_last=1, monitor="score", mode=mode)
    fit([Scripted(values), checkpoint], epochs=4)
    assert steps(tmp_path / "c") == sorted({best, 16})
    named = json.loads((tmp_path / "c" / "best.json").read_text())
    assert (named["step"], named["value"], named["monitor"]) == (best, values[best // 4 - 1], "score")


def test_the_best_of_another_measure_does_not_count(fit, model, data, tmp_path):
    fit([Scripted([1.0]), Checkpoint(tmp_path / "c", monitor="score")], epochs=1)
    again = Checkpoint(tmp_path / "c", monitor="score", mode="max")
    again.resumed_from = (1, 0)
    model.fit(*data, batch_size=8, epochs=2, initial_epoch=1, verbose=0, callbacks=[Scripted([9, 0.5]), again])
    assert json.loads((tmp_path / "c" / "best.json").read_text())["value"] == 0.5


def test_a_misspelt_monitor_is_named_and_the_epoch_is_saved_all_the_same(fit, tmp_path):
    with pytest.raises(ValueError, match=r"monitor='scroe'\) is not among the logs: .*loss"):
        fit([Checkpoint(tmp_path / "c", monitor="scroe")], epochs=1)
    assert steps(tmp_path / "c") == [4]


def test_a_validation_log_that_never_came_is_told(fit, tmp_path):
    with pytest.warns(UserWarning, match="never saw 'val_loss'"):
        fit([Checkpoint(tmp_path / "c", monitor="val_loss")], epochs=1)


def test_a_state_that_is_not_finite_is_never_saved(fit, model, tmp_path):
    class Spoil(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                weights = model.get_weights()
                weights[0][0, 0] = np.nan
                model.set_weights(weights)

    with pytest.raises(NonFiniteLoss, match=r"player/dense/0000 is nan at step 8 "):
        fit([Spoil(), Checkpoint(tmp_path / "c")], epochs=2)
    assert steps(tmp_path / "c") == [4]


def test_a_weight_that_is_infinite_is_not_called_nan(fit, model, tmp_path):
    class Spoil(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            weights = model.get_weights()
            weights[0][0, 0] = -np.inf
            model.set_weights(weights)

    with pytest.raises(NonFiniteLoss, match="player/dense/0000 is not finite at step 4 "):
        fit([Spoil(), Checkpoint(tmp_path / "c")], epochs=1)


def test_a_fresh_model_may_not_train_into_the_checkpoints_of_another(fit, model, data, tmp_path):
    fit([Checkpoint(tmp_path / "c")], epochs=1)
    with pytest.raises(ValueError, match="holds checkpoints of another run, up to step 4; choose another directory"):
        another(model).fit(*data, verbose=0, callbacks=[Checkpoint(tmp_path / "c")])


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"every_n_epochs": 0}, "every_n_epochs is 0"),
        ({"every_n_steps": -1}, "every_n_steps is -1"),
        ({"keep_last": 0}, "keep_last is 0; keep at least 1"),
        ({"mode": "best"}, "mode is 'best'; choose \"min\""),
    ],
)
def test_options_out_of_range_are_named(options, complaint):
    with pytest.raises(ValueError, match=complaint):
        Checkpoint("c", **options)
