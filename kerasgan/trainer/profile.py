"""A look at what the device does, for TensorBoard's profiler."""

from pathlib import Path

import keras

from kerasgan import backends
from kerasgan.callbacks.logs import global_step
from kerasgan.trainer import presentation
from kerasgan.trainer.run_directory import RunDirectory


class Profile(keras.callbacks.Callback):
    """Trace some training steps, once, after the first execution, which compiles.

    `tensorboard --logdir RUN_DIR` shows it once the profiler is there too, `pip install xprof`. A trace ends with the
    epoch at the latest.

    Args:
        steps: Training steps to trace, at least.
        directory: Where the trace goes, among the event files of the run.
    """

    # Keras may go on dispatching; all that is done here is done on the main thread.
    async_safe = True

    def __init__(self, steps: int, directory: Path) -> None:
        super().__init__()
        self._steps, self._directory = steps, directory
        self._executions = 0
        self._end: int | None = None
        self._done = False

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Note the step this epoch begins with."""
        self._first_step = global_step(self.model)

    def on_train_batch_begin(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Begin before the second execution, and end between two others."""
        step = self._first_step + batch
        if self._end is not None and step >= self._end:
            self._stop()
        elif self._executions == 1 and not self._done:
            backends.start_trace(self._directory)
            self._end = step + self._steps
        self._executions += 1

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """End with the epoch: a validation is another thing."""
        if self._end is not None:
            self._stop()

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        """Say so where there was nothing to trace."""
        if not self._done:
            presentation.warn("nothing was profiled: the run had a single execution, which compiles; train for longer.")

    def close(self) -> None:
        """End a trace that an exception has left running; may be called twice."""
        if self._end is not None:
            backends.stop_trace()
            self._end = None

    def _stop(self) -> None:
        global_step(self.model)  # waits for the steps that are under way
        self.close()
        self._done = True


def profiles(steps: int | None, run: RunDirectory) -> list[Profile]:
    """Return what a trainer's option `profile` asks for, if it does."""
    return [] if steps is None else [Profile(steps, run.path / "tensorboard")]
