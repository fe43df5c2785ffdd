"""What every callback must stand: plain `model.fit`, in all its forms."""

import functools

import keras
import numpy as np
import pytest

from kerasgan import callbacks
from kerasgan.callbacks.sample_quality import QUALITY_LOGS
from kerasgan.testing import tiny_images


def sample_quality(path):
    inputs = keras.Input((8, 8, 1))
    rows = keras.Model(inputs, keras.ops.mean(inputs, axis=(2, 3)))
    return callbacks.SampleQuality(tiny_images(20), network=rows, every_n_epochs=1, samples=20)


MAKE = {
    "Checkpoint": lambda path: callbacks.Checkpoint(path / "checkpoints", every_n_steps=3),
    "CSVLogger": lambda path: callbacks.CSVLogger(path / "metrics.csv"),
    "ImageGrid": lambda path: callbacks.ImageGrid(path / "samples", count=4),
    "ImageGrid with TensorBoard": lambda path: callbacks.ImageGrid(path / "samples", count=4, log_dir=path / "tb"),
    "ProgressBar": lambda path: callbacks.ProgressBar(images_per_step=8),
    "SampleQuality": sample_quality,
    "StopOnNaN": lambda path: callbacks.StopOnNaN(),
    "TensorBoard": lambda path: callbacks.TensorBoard(path / "tb", hyperparameters={"a": 1}, text={"b": "c"}),
}


class Interrupt(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        raise KeyboardInterrupt


every_callback = pytest.mark.parametrize("make", MAKE.values(), ids=MAKE.keys())


@pytest.fixture(scope="module")
def alone(renew, data):
    """`alone(validated)`: the history of a fit without callbacks, and what the model then predicts."""

    @functools.cache
    def trained(validated):
        model = renew()
        history = model.fit(*data, **options(validated, data)).history
        return history, model.predict(data[0], verbose=0)

    return trained


def options(validated, data):
    validation = {"validation_data": data, "validation_freq": 2} if validated else {}
    return {"batch_size": 8, "epochs": 3, "shuffle": False, "verbose": 0, **validation}


@every_callback
@pytest.mark.parametrize("validated", [False, True], ids=["without validation", "with validation"])
def test_it_leaves_training_as_it_was(make, validated, alone, renew, data, tmp_path):
    history, reference = alone(validated)
    model = renew()
    watched = model.fit(*data, **options(validated, data), callbacks=[make(tmp_path)]).history
    assert {name: values for name, values in watched.items() if name not in QUALITY_LOGS} == history
    np.testing.assert_array_equal(model.predict(data[0], verbose=0), reference)


@every_callback
def test_one_instance_serves_two_fits_the_first_of_a_model_that_never_trained(make, fit, fresh, data, tmp_path):
    callback = make(tmp_path)
    fit([callback], model=fresh)
    fit([callback], model=fresh, epochs=4, initial_epoch=2)
    assert int(np.array(fresh.optimizer.iterations)) == 16
    assert np.isfinite(fresh.evaluate(*data, verbose=0, return_dict=True)["loss"])


@every_callback
def test_it_may_be_closed_at_any_time(make, fit, tmp_path):
    callback = make(tmp_path)
    if hasattr(callback, "close"):
        callback.close()
        fit([callback], epochs=1)
        callback.close()


@every_callback
def test_a_fit_that_raised_leaves_it_usable(make, fit, tmp_path):
    callback = make(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        fit([callback, Interrupt()])
    assert len(fit([callback]).epoch) == 2


@every_callback
def test_keras_may_call_it_in_worker_threads(make, tmp_path):
    callback = make(tmp_path)
    overridden = type(callback).on_train_batch_end is not keras.callbacks.Callback.on_train_batch_end
    assert not overridden or callback.async_safe


@pytest.mark.parametrize("name", ["CSVLogger", "ClassificationReport", "ImageGrid", "TensorBoard"])
def test_without_a_place_the_error_says_which_argument_gives_one(name, fit):
    argument = {"CSVLogger": "path", "TensorBoard": "log_dir"}.get(name, "directory")
    with pytest.raises(ValueError, match=rf"pass {name}\({argument}=\.\.\.\)"):
        fit([getattr(callbacks, name)()])


def test_bind_gives_a_place_and_a_second_run_another(fit, tmp_path):
    logger, images, board = callbacks.CSVLogger(), callbacks.ImageGrid(count=4), callbacks.TensorBoard()
    for run in ("first", "second"):
        for callback in (logger, images, board):
            callback.bind(tmp_path / run)
        fit([logger, images, board], epochs=1)
        written = {path.relative_to(tmp_path / run).parts[0] for path in (tmp_path / run).rglob("*")}
        assert written == {"metrics.csv", "samples", "tensorboard"}


def test_a_place_of_the_users_own_outlives_bind(fit, tmp_path):
    logger = callbacks.CSVLogger(tmp_path / "mine.csv")
    logger.bind(tmp_path / "run")
    fit([logger], epochs=1)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.csv"]
