import pickle

import keras
import numpy as np
import pytest

from kerasgan.callbacks import CSVLogger, NonFiniteLoss, StopOnNaN


class StepCounter(keras.callbacks.Callback):
    async_safe = True
    steps = 0

    def on_train_batch_begin(self, batch, logs=None):
        self.steps += 1


def poisoned(data, step, value=np.nan, batches=32):
    """`batches` batches, the given one with a target that no loss can bear."""
    x, y = np.resize(data[0], (batches * 8, 4)), np.resize(data[1], (batches * 8, 3)).copy()
    y[(step - 1) * 8] = value
    return {"x": x, "y": y, "shuffle": False}


@pytest.mark.parametrize("step", [1, 5, 32])
def test_the_error_names_the_loss_the_step_and_the_epoch(fit, data, step):
    with pytest.raises(NonFiniteLoss, match=rf"loss is nan.* at step {step} \(epoch 1\): lower the learning") as caught:
        fit([StopOnNaN()], **poisoned(data, step))
    assert (caught.value.step, caught.value.epoch) == (step, 1)
    assert set(caught.value.values) == {"loss", "mae"}


def test_steps_count_on_from_epoch_to_epoch(fit, data):
    fit([StopOnNaN()], epochs=1)
    with pytest.raises(NonFiniteLoss, match=r"at step 7 \(epoch 2\)"):
        fit([StopOnNaN()], epochs=2, initial_epoch=1, **poisoned(data, 3))


def test_infinity_counts_too(fit, data):
    with pytest.raises(NonFiniteLoss, match="loss is inf"):
        fit([StopOnNaN()], epochs=1, **poisoned(data, 4, np.inf, batches=4))


def test_training_stops_in_mid_epoch(fit, data):
    counter = StepCounter()
    with pytest.raises(NonFiniteLoss):
        fit([StopOnNaN(), counter], **poisoned(data, 2, batches=2000))
    assert counter.steps < 1000


def test_without_it_training_goes_on(fit, data):
    counter = StepCounter()
    fit([counter], epochs=1, **poisoned(data, 2))
    assert counter.steps == 32


def test_a_validation_that_is_not_finite_counts(fit, data):
    with pytest.raises(NonFiniteLoss, match=r"val_loss is nan.* at step 4 \(epoch 1\)"):
        fit([StopOnNaN()], validation_data=(data[0], np.full_like(data[1], np.nan)))


def test_steps_that_arrive_out_of_order_give_the_first(model, fit):
    fit([], epochs=1)
    stop = StopOnNaN()
    stop.set_model(model)
    stop.on_epoch_begin(0)
    for batch in (6, 3, 5):
        stop.on_train_batch_end(batch, {"loss": float("nan")})
    with pytest.raises(NonFiniteLoss) as caught:
        stop.on_epoch_end(0, {"loss": float("nan")})
    assert caught.value.step == 4 + 4  # four steps in the fit before, and the fourth batch


def test_what_comes_after_it_does_not_see_the_epoch(fit, data, tmp_path):
    with pytest.raises(NonFiniteLoss):
        fit([StopOnNaN(), CSVLogger(tmp_path / "metrics.csv")], **poisoned(data, 2))
    assert not (tmp_path / "metrics.csv").exists()


def test_the_error_survives_pickling():
    error = pickle.loads(pickle.dumps(NonFiniteLoss({"loss": float("inf")}, 3, 1)))
    assert (error.step, str(error)[:21]) == (3, "loss is inf at step 3")
