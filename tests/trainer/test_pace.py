import keras
import numpy as np
import pytest

import kerasgan as kg
from kerasgan.testing import tiny_classifier, tiny_gan, tiny_images
from kerasgan.trainer import pace as pace_file
from kerasgan.trainer.pace import Pace


def batches(count=800, **options):
    return kg.data.DataModule(tiny_images(count), np.arange(count) % 3, **{"batch_size": 8, **options}).train


def pace(module=None, data=None, callbacks=(), wanted="auto", **options):
    return Pace.of(module or tiny_gan(), batches() if data is None else data, callbacks, wanted, **options)


class EveryBatch(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        pass


class EveryEpoch(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        pass


def test_tiny_steps_run_many_at_a_time_and_no_longer_than_a_quarter_of_a_second():
    chosen = pace()
    assert chosen.fuses
    assert chosen.resident is not None
    assert 2 <= chosen.steps <= 100


def test_timing_leaves_the_module_as_it_was():
    module = tiny_gan()
    before = {name: array.copy() for name, array in kg.checkpoints.capture(module).items()}
    assert pace(module).steps > 1
    after = kg.checkpoints.capture(module)
    for name, array in before.items():
        np.testing.assert_array_equal(array, after[name], err_msg=name)
    assert module.global_step == 0
    assert module.health.first() is None


def test_a_step_that_takes_long_by_itself_runs_alone(monkeypatch):
    monkeypatch.setattr(pace_file, "_LONG_STEP_SECONDS", 0.0)
    chosen = pace()
    assert (chosen.steps, chosen.fuses) == (1, True)


def test_a_loop_that_is_slower_than_its_steps_is_not_used(monkeypatch):
    clock = iter(range(0, 10**9))
    # Every reading is a second later: an execution takes as long as a step, of which it has ever fewer per second.
    monkeypatch.setattr(pace_file, "_LONG_STEP_SECONDS", 2.0)
    monkeypatch.setattr(pace_file.time, "perf_counter", lambda: next(clock))
    assert pace(data=batches(16)).steps == 1


@pytest.mark.parametrize("callback", [EveryBatch(), keras.callbacks.LambdaCallback(on_train_batch_end=print)])
def test_a_callback_that_wants_every_batch_gets_every_batch(callback):
    assert pace(callbacks=[callback]).steps == 1
    assert pace(callbacks=[callback], wanted=4).steps == 4
    assert pace(callbacks=[callback], known=4).steps == 1


@pytest.mark.parametrize(
    "callback", [EveryEpoch(), keras.callbacks.ModelCheckpoint("x.keras"), kg.callbacks.Checkpoint()]
)
def test_other_callbacks_do_not_hold_it_up(callback):
    assert pace(callbacks=[callback], known=7).steps == 7


def test_a_short_run_is_not_timed():
    assert pace(steps_to_go=99).steps == 1


def test_a_resumed_run_keeps_the_pace_it_had():
    assert pace(known=5).steps == 5


def test_steps_that_were_compiled_are_kept():
    module = tiny_gan()
    module.compile(
        {player: keras.optimizers.Adam() for player in ("generator", "discriminator")}, steps_per_execution=3
    )
    assert pace(module).steps == 3
    assert pace(module, wanted=2).steps == 2


def test_a_classifier_is_timed_with_the_metrics_it_was_compiled_with():
    classifier = tiny_classifier(3)
    classifier.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    assert pace(classifier).steps > 1
    means = [value for name, value in kg.checkpoints.capture(classifier).items() if name.startswith("metric/")]
    assert means
    assert not any(value.any() for value in means)


def test_what_cannot_be_fused_is_left_to_keras():
    stock = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(3)])
    stock.compile("sgd", "mse")
    assert pace(stock, wanted=4) == Pace(4, None, fuses=False)
    assert pace(data=tiny_images(16)) == Pace(1, None, fuses=False)
    eager = tiny_gan()
    eager.compile({player: keras.optimizers.Adam() for player in ("generator", "discriminator")}, run_eagerly=True)
    assert not pace(eager).fuses
