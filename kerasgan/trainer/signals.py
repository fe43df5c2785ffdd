"""SIGINT and SIGTERM end a run between two steps, with its state saved."""

import signal
from collections.abc import Callable
from types import FrameType
from typing import Any

import keras


class Interrupted(Exception):
    """A signal ended training between two steps; the state is saved if the run has a `Checkpoint`.

    Attributes:
        signal: Its number; a shell expects the exit status 128 + signal.
        saved: Whether the state is saved.
    """

    def __init__(self, number: int, saved: bool) -> None:
        self.signal, self.saved = signal.Signals(number), saved
        state = "the state is saved; resume to go on" if saved else "nothing was saved: the run has no Checkpoint"
        super().__init__(f"Stopped by {self.signal.name}: {state}.")


class StopOnSignal(keras.callbacks.Callback):
    """Turn a signal into an orderly end: finish the step, save, raise `Interrupted`.

    Saving inside the handler would not do: on JAX the model's variables hold no values during a step.
    A second SIGINT stops at once.

    Args:
        save: Called once, between two steps, before `Interrupted` is raised; None if there is nothing to call.
    """

    def __init__(self, save: Callable[[], Any] | None) -> None:
        super().__init__()
        self._save = save
        self._received: int | None = None
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> "StopOnSignal":
        for number in (signal.SIGINT, signal.SIGTERM):
            try:
                self._previous[number] = signal.signal(number, self._handle)
            except ValueError:
                break  # Python delivers signals to the main thread only; in another one there is nothing to do.
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def on_train_batch_begin(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Stop here if a signal came during the last step."""
        if self._received is not None:
            if self._save is not None:
                self._save()
            raise Interrupted(self._received, saved=self._save is not None)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._received == signal.SIGINT and number == signal.SIGINT:
            raise KeyboardInterrupt
        self._received = number
