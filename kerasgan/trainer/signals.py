"""SIGINT and SIGTERM end a run between two steps, with its state saved."""

import os
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Any

import keras

# Enough to keep a device busy while Python prepares the next one. JAX alone lets the main thread run 32 ahead: of steps
# that take 5 s, a signal would be heeded after 160.
STEPS_AHEAD = 4
_LONGEST_WAIT_SECONDS = 60.0
STDERR = 2
NOTHING_SAVED = "nothing was saved: the run has no Checkpoint"


class Interrupted(Exception):
    """A signal ended training between two steps; the state is saved if the run has a `Checkpoint`.

    Attributes:
        signal: Its number; a shell expects the exit status 128 + signal.
        saved: Whether the state is saved.
    """

    def __init__(self, number: int, saved: bool) -> None:
        self.signal, self.saved = signal.Signals(number), saved
        state = "the state is saved; resume to go on" if saved else NOTHING_SAVED
        super().__init__(f"Stopped by {self.signal.name}: {state}.")


class StopOnSignal(keras.callbacks.Callback):
    """Turn a signal into an orderly end: finish the step, save, raise `Interrupted`.

    Saving inside the handler would not do: on JAX the model's variables hold no values during a step. Nor would a stop
    within validation, after which a resume could not tell that the epoch has no row yet: it is finished first.
    A second SIGINT stops at once, wherever it comes, and saves nothing. A second SIGTERM changes nothing. Both SIGINTs
    are answered on stderr at once: whoever has pressed Ctrl-C waits for the rest of a step.

    Args:
        save: Called once, between two steps, before `Interrupted` is raised; None if there is nothing to call.
        agreed: Called before each execution with the number of the signal that has come, or None; returns the one to
            stop for, which several processes have to agree on.
    """

    async_safe = True

    def __init__(
        self, save: Callable[[], Any] | None, agreed: Callable[[int | None], int | None] = lambda received: received
    ) -> None:
        super().__init__()
        self._save, self._agreed = save, agreed
        self._received: int | None = None
        self._interrupts = 0
        self._previous: dict[int, Any] = {}
        self._begun = self._ended = 0
        self._step_ended = threading.Condition()

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

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Count anew; nothing is in flight between two epochs."""
        self._begun = self._ended = 0

    def on_train_batch_begin(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Stop here if a signal came; and run no further ahead of the device than a few steps, or it would be late."""
        with self._step_ended:
            # Not for ever: where a step failed on the device its end is never told, and Keras raises that at the next.
            self._step_ended.wait_for(lambda: self._begun - self._ended < STEPS_AHEAD, _LONGEST_WAIT_SECONDS)
        self._begun += 1
        number = self._agreed(self._received)
        if number is not None:
            if self._save is not None:
                self._save()
            raise Interrupted(number, saved=self._save is not None)

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Count a step whose results are there: on JAX, Keras calls this in a thread that has waited for them."""
        with self._step_ended:
            self._ended += 1
            self._step_ended.notify()

    def _handle(self, number: int, frame: FrameType | None) -> None:
        # The first one decides what the exit status says.
        self._received = self._received or number
        self._interrupts += number == signal.SIGINT
        saves = self._save is not None
        if self._interrupts > 1:
            _say(f"Stopped at once; {'the last checkpoint stands' if saves else NOTHING_SAVED}.")
            raise KeyboardInterrupt
        if number == signal.SIGINT:
            _say(f"SIGINT: finishing this step{' and saving' if saves else ''}; again to stop at once.")


def _say(line: str) -> None:
    """Write one line on stderr from within a signal handler, which may have come in the middle of a `print`."""
    # A terminal has just shown ^C, or has a progress bar in that line.
    beginning = "\n" if os.isatty(STDERR) else ""
    with suppress(OSError):  # It is closed, or nobody reads it: no reason to lose the run.
        os.write(STDERR, f"{beginning}{line}\n".encode())
