"""A signal ends a run between two steps, soon, with its state saved; a second SIGINT ends it at once."""

import json
import os
import signal
import threading
import time

import keras
import numpy as np
import pytest

import kerasgan as kg
from kerasgan.testing import tiny_gan, tiny_images
from kerasgan.trainer import signals
from kerasgan.trainer.signals import StopOnSignal


class During(keras.callbacks.Callback):
    """Sends this process signals at one moment of training."""

    def __init__(self, moment, *numbers):
        super().__init__()
        self.numbers = list(numbers)
        setattr(self, moment, lambda *arguments, **logs: self.send())

    def send(self):
        while self.numbers:
            signal.raise_signal(self.numbers.pop(0))


def train(run_dir, *callbacks, checkpoint=None, **options):
    data = kg.data.DataModule(tiny_images(40), batch_size=8, val_size=8, seed=0)
    callbacks = [*callbacks, checkpoint or kg.callbacks.Checkpoint()]
    module = tiny_gan()
    resume = options.pop("resume", False)
    kg.Trainer(run_dir, seed=0, callbacks=callbacks, **options).fit(module, data, resume=resume)
    return module


def status(run_dir):
    return json.loads((run_dir / "results.json").read_text())["status"]


def store(run_dir):
    return kg.checkpoints.CheckpointStore(run_dir / "checkpoints")


@pytest.mark.parametrize(
    ("moment", "steps"),
    [
        ("on_train_begin", 0),  # before the first step is compiled
        ("on_epoch_begin", 0),
        ("on_train_batch_begin", 1),
        ("on_test_begin", 4),  # validation, and with it the epoch, is finished
        ("on_epoch_end", 4),
    ],
)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_whenever_a_signal_comes_the_state_is_saved_and_no_row_is_lost(tmp_path, moment, steps, number):
    with pytest.raises(kg.Interrupted, match="the state is saved") as caught:
        train(tmp_path, During(moment, number), max_epochs=2)
    assert caught.value.signal == number
    assert store(tmp_path).steps() == [steps]
    assert status(tmp_path) == "interrupted"
    train(tmp_path, max_epochs=2, resume=True)
    assert [row.split(",")[0] for row in (tmp_path / "metrics.csv").read_text().splitlines()] == ["epoch", "1", "2"]


def test_a_signal_after_the_last_step_lets_the_run_end_as_done(tmp_path):
    train(tmp_path, During("on_train_end", signal.SIGTERM), max_epochs=1)
    assert status(tmp_path) == "done"
    assert (tmp_path / "generator.keras").exists()


@pytest.mark.parametrize("moment", ["on_train_batch_begin", "on_test_begin", "on_epoch_end", "on_train_end"])
def test_a_second_interrupt_ends_the_run_at_once_with_the_earlier_checkpoints_whole(tmp_path, moment):
    train(tmp_path, max_epochs=1)
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path, During(moment, signal.SIGINT, signal.SIGINT), max_epochs=2, resume=True)
    assert status(tmp_path) == "interrupted"
    found, passed_over = store(tmp_path).newest_good()
    assert found.step in (4, 8) and passed_over == []
    train(tmp_path, max_epochs=2, resume=True)
    assert store(tmp_path).latest() == 8


def test_a_second_interrupt_in_the_middle_of_a_save_leaves_the_checkpoint_before(tmp_path, monkeypatch):
    train(tmp_path, max_epochs=1)
    rename = os.rename

    def interrupted(*arguments):
        monkeypatch.setattr(os, "rename", rename)
        signal.raise_signal(signal.SIGINT)

    class WhileSaving(kg.callbacks.Checkpoint):
        def save(self):
            monkeypatch.setattr(os, "rename", interrupted)
            return super().save()

    with pytest.raises(KeyboardInterrupt):
        stopping = During("on_train_batch_begin", signal.SIGINT)
        train(tmp_path, stopping, checkpoint=WhileSaving(), max_epochs=2, resume=True)
    found, passed_over = store(tmp_path).newest_good()
    assert (found.step, passed_over) == (4, [])
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["step-000000004"]


@pytest.mark.parametrize(
    ("save", "first", "second"),
    [
        (lambda: None, "finishing this step and saving", "the last checkpoint stands"),
        (None, "finishing this step", "nothing was saved: the run has no Checkpoint"),
    ],
    ids=["with a checkpoint", "without"],
)
def test_both_interrupts_are_answered_at_once(capfd, save, first, second):
    with StopOnSignal(save), pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGTERM)
        assert capfd.readouterr().err == ""
        signal.raise_signal(signal.SIGINT)
        assert capfd.readouterr().err == f"SIGINT: {first}; again to stop at once.\n"
        signal.raise_signal(signal.SIGINT)
    assert capfd.readouterr().err == f"Stopped at once; {second}.\n"


def test_an_interrupt_that_nobody_can_be_told_of_is_heeded_all_the_same(monkeypatch):
    reader, writer = os.pipe()
    os.close(reader)
    monkeypatch.setattr(signals, "STDERR", writer)
    with StopOnSignal(None) as stop, pytest.raises(kg.Interrupted):
        with pytest.raises(BrokenPipeError):  # the control
            os.write(writer, b"x")
        signal.raise_signal(signal.SIGINT)
        os.close(writer)
        stop.on_train_batch_begin(0)


def test_a_second_sigterm_changes_nothing_and_the_first_signal_decides_the_status():
    for first in (signal.SIGTERM, signal.SIGINT):
        with StopOnSignal(None) as stop, pytest.raises(kg.Interrupted) as caught:
            for number in (first, signal.SIGTERM, signal.SIGTERM):
                signal.raise_signal(number)
            stop.on_train_batch_begin(0)
        assert caught.value.signal == first
    with StopOnSignal(None), pytest.raises(KeyboardInterrupt):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGINT):
            signal.raise_signal(number)


def test_a_save_that_fails_after_a_signal_says_why_and_not_that_it_was_saved(tmp_path, monkeypatch):
    train(tmp_path, max_epochs=1)

    def full(*arguments):
        raise OSError(28, "No space left on device")

    class OnFullDisk(kg.callbacks.Checkpoint):
        def save(self):
            monkeypatch.setattr(os, "rename", full)
            return super().save()

    with pytest.raises(kg.checkpoints.CheckpointError, match="not saved: No space left on device; free some space"):
        stopping = During("on_train_batch_begin", signal.SIGTERM)
        train(tmp_path, stopping, checkpoint=OnFullDisk(), max_epochs=2, resume=True)
    monkeypatch.undo()
    assert status(tmp_path) == "failed"
    assert store(tmp_path).newest_good()[0].step == 4


# How late.


def test_the_main_thread_runs_a_few_steps_ahead_and_no_more(monkeypatch):
    stop, begun = StopOnSignal(None), []
    stop.on_epoch_begin(0)

    def train_without_end():
        for batch in range(20):
            stop.on_train_batch_begin(batch)
            begun.append(batch)

    thread = threading.Thread(target=train_without_end, daemon=True)
    thread.start()
    for ended in range(3):
        deadline = time.monotonic() + 20
        while len(begun) < signals.STEPS_AHEAD + ended and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.05)  # in which it could run on
        assert len(begun) == signals.STEPS_AHEAD + ended
        stop.on_train_batch_end(ended)
    for batch in range(20):
        stop.on_train_batch_end(batch)
    thread.join(20)
    assert len(begun) == 20


def test_a_step_whose_end_is_never_told_holds_nothing_up_for_ever(monkeypatch):
    monkeypatch.setattr(signals, "_LONGEST_WAIT_SECONDS", 0.01)
    stop = StopOnSignal(None)
    stop.on_epoch_begin(0)
    for batch in range(3 * signals.STEPS_AHEAD):
        stop.on_train_batch_begin(batch)


class Slow(kg.Module):
    """Takes tens of milliseconds a step, all of them on the device."""

    def __init__(self):
        super().__init__()
        self.network = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(500)])
        self.matrix = np.random.default_rng(0).normal(0, 0.03, (500, 500)).astype("float32")
        self.compile(optimizer="adam")

    def training_step(self, batch):
        def loss():
            x = self.network(batch[0] if isinstance(batch, tuple) else batch)
            for _ in range(20):
                x = keras.ops.tanh(keras.ops.matmul(x, self.matrix))
            return {"network": keras.ops.mean(keras.ops.square(x))}

        self.minimize(loss)


@pytest.mark.parametrize("bounded", [True, False])
def test_a_step_has_ended_soon_after_it_was_begun(monkeypatch, bounded):
    """JAX alone lets the main thread run 32 steps ahead of the device; the negative control shows it."""
    bound, ahead = signals.STEPS_AHEAD, []
    if not bounded:
        monkeypatch.setattr(signals, "STEPS_AHEAD", 10**6)

    class Watching(StopOnSignal):
        def on_train_batch_begin(self, batch, logs=None):
            super().on_train_batch_begin(batch, logs)
            ahead.append(self._begun - self._ended)

    batches = kg.data.DataModule(tiny_images(40 * 64), batch_size=64, seed=0).train
    Slow().fit(batches, shuffle=False, verbose=0, callbacks=[Watching(None)])
    assert len(ahead) == 40
    if bounded:
        assert max(ahead) <= bound
    elif keras.backend.backend() == "jax":
        assert max(ahead) > 2 * bound
