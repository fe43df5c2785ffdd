"""The full state of training, on disk, every so often."""

import json
import math
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import keras
import numpy as np

from kerasgan.callbacks.base import RunCallback
from kerasgan.callbacks.logs import global_step
from kerasgan.callbacks.sample_quality import QUALITY_LOGS
from kerasgan.callbacks.state import capture_callbacks
from kerasgan.callbacks.stop_on_nan import NonFiniteLoss
from kerasgan.checkpoints import (
    CheckpointStore,
    DirectoryLock,
    capture,
    environment,
    non_finite,
    write_atomically,
)
from kerasgan.checkpoints.files import make_directory, read_file

BEST = "best.json"
MAX_BEST_BYTES = 2**16


def is_best(value: Any) -> bool:
    """Whether something read from a file names a best checkpoint."""
    return isinstance(value, dict) and type(value.get("step")) is int and isinstance(value.get("value"), int | float)


class Checkpoint(RunCallback):
    """Save weights, every optimizer, seed generators, counters, the place in the data, and what computed them.

    Checkpoints are directories `step-000001234/`, complete or not there at all. `Trainer.fit(resume=True)`
    goes on from the newest; `kerasgan.checkpoints.CheckpointStore` reads them under plain `model.fit`.

    Args:
        directory: Where they go; under `Trainer` by default `checkpoints/` of the run directory.
        every_n_epochs: Epochs from one checkpoint to the next; None for none at the ends of epochs. The end of
            training is always saved.
        every_n_steps: Training steps from one checkpoint to the next, besides; None for none within epochs.
        keep_last: How many to keep, counted from the newest.
        monitor: Name of a log. The checkpoint of the epoch with its best value is kept besides, and
            `best.json` names it.
        mode: `"min"` or `"max"`: which value of `monitor` is best.

    Raises:
        ValueError: An argument is out of range; when training begins there is no directory, or it holds the
            checkpoints of another run, or another process trains into it; or `monitor` names no log at the end of an
            epoch.
        NonFiniteLoss: A weight or a slot of an optimizer is NaN or infinite; such a state is not saved.
        CheckpointWriteError: The disk refused. Earlier checkpoints stay as they are.

    Example:
        >>> gan.fit(images, epochs=10, callbacks=[kg.callbacks.Checkpoint("checkpoints", every_n_steps=500)])
        >>> found, passed_over = kg.checkpoints.CheckpointStore("checkpoints").newest_good()
        >>> kg.checkpoints.restore(gan, found.arrays)
    """

    argument: ClassVar[str] = "directory"
    place_in_run: ClassVar[str] = "checkpoints"

    def __init__(
        self,
        directory: str | Path | None = None,
        *,
        every_n_epochs: int | None = 1,
        every_n_steps: int | None = None,
        keep_last: int = 3,
        monitor: str | None = None,
        mode: str = "min",
    ) -> None:
        super().__init__(directory)
        for name, value in (("every_n_epochs", every_n_epochs), ("every_n_steps", every_n_steps)):
            if value is not None and value < 1:
                raise ValueError(f"{name} is {value}; choose a positive number, or None for never.")
        if keep_last < 1:
            raise ValueError(f"keep_last is {keep_last}; keep at least 1 checkpoint.")
        if mode not in ("min", "max"):
            raise ValueError(f'mode is {mode!r}; choose "min" (of a loss) or "max" (of an accuracy).')
        self.every_n_epochs, self.every_n_steps, self.keep_last = every_n_epochs, every_n_steps, keep_last
        self.monitor, self.mode = monitor, mode
        # (epoch, batch) from which a resumed fit goes on, and what was best there; Trainer sets them.
        self.resumed_from: tuple[int, int] | None = None
        self.resumed_best: dict[str, Any] | None = None
        # Of several processes one writes; all capture, which may take all of them.
        self.writes = True
        self._lock: DirectoryLock | None = None
        self._accompanying: Sequence[keras.callbacks.Callback] = ()
        self._describe: Callable[[], dict[str, Any]] = dict

    def accompany(self, callbacks: Sequence[keras.callbacks.Callback], describe: Callable[[], dict[str, Any]]) -> None:
        """Keep also what other callbacks remember, such as the patience of `EarlyStopping`. `Trainer` calls this.

        Args:
            callbacks: Those of the run. This one must come after all that remember something, or it keeps what they
                knew an epoch before.
            describe: Called at each save; returns what else the manifest shall say.
        """
        self._accompanying, self._describe = callbacks, describe

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Clean up after a killed run, and find what was best before."""
        super().on_train_begin(logs)
        make_directory(self.place)
        self._lock = DirectoryLock(self.place)
        self._lock.acquire(take_over=True)
        self.store = CheckpointStore(self.place)
        self.store.collect_garbage()
        self._saved_step, newest = global_step(self.model), self.store.latest()
        if self.resumed_from is None and newest is not None and newest > self._saved_step:
            raise ValueError(
                f"{self.place} holds checkpoints of another run, up to step {newest}; choose another directory, or "
                "resume that run."
            )
        # A kill may have come between a checkpoint and best.json.
        self._best: dict[str, Any] = self._read_best() if self.resumed_best is None else dict(self.resumed_best)
        if (self._best.get("monitor"), self._best.get("mode")) != (self.monitor, self.mode):
            self._best = {}  # the best of another measure says nothing about this one
        if self._best:
            self._write_best()
        self._position = self._begins_at = self.resumed_from or (0, 0)
        health: Any = getattr(self.model, "health", None)
        if hasattr(health, "clear"):
            health.clear()  # what an earlier fit saw; weights that are not finite now are found by `save` all the same

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Note what is needed during the epoch: on JAX, even reading `self.model` costs a synchronization then."""
        self._first_batch = self._begins_at[1] if epoch == self._begins_at[0] else 0
        self._first_step = global_step(self.model)
        self._position = (epoch, self._first_batch)
        self._steps_per_execution = self.model.steps_per_execution

    def on_train_batch_begin(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Save between two steps: unlike the end of a batch, this is the main thread and in order."""
        done = self._position[1] - self._first_batch
        every = self.every_n_steps
        step = self._first_step + done
        if every is not None and step // every > self._saved_step // every:
            self.save()
        # Where training stands once the batches about to run are done.
        steps = self.params.get("steps_per_execution", self._steps_per_execution)
        self._position = (self._position[0], self._first_batch + batch + steps)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Save, if it is this epoch's turn or its value the best."""
        batches = self.params.get("steps")
        done = self._position[1] - self._first_batch
        # An epoch that was cut short (by max_steps, say) goes on where it stopped; any other is over.
        if batches is None or done >= batches:
            self._position = (epoch + 1, 0)
        due = self.every_n_epochs is not None and (epoch + 1) % self.every_n_epochs == 0
        # The last epoch is saved here, not in on_train_end: by then an optimizer with `use_ema` has put the averages
        # in place of the weights, from which training could not go on as before.
        last = epoch + 1 == self.params.get("epochs") or self.model.stop_training
        improves = self._improves(logs or {})
        if improves:
            self._best["step"] = global_step(self.model)
        if due or last or improves:
            self.save()
        if improves:
            self._write_best()
        self._check_monitor(logs or {})

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        """Save the end of training, unless that is done."""
        if global_step(self.model) != self._saved_step:
            self.save()
        if self.monitor is not None and not self._best:
            warnings.warn(f"Checkpoint never saw {self.monitor!r} in the logs, so it kept no best one.", stacklevel=2)
        super().on_train_end(logs)

    def close(self) -> None:
        """Let others write into the directory."""
        if self._lock is not None:
            self._lock.release()

    def save(self) -> Path:
        """Save now, on the main thread, between two steps.

        Returns:
            The directory of the checkpoint.

        Raises:
            NonFiniteLoss: A weight or an optimizer's slot is NaN or infinite. Earlier checkpoints stay.
            CheckpointWriteError: The disk refused. Earlier checkpoints stay.
        """
        arrays = capture(self.model)
        step = global_step(self.model)
        epoch, batch = self._position
        # What was seen on the device says more than where it has spread to, and a loss is NaN before the weights are.
        if (seen := NonFiniteLoss.of(self.model, epoch + 1)) is not None:
            raise seen
        if spoilt := non_finite(arrays):
            value = math.nan if np.isnan(arrays[spoilt[0]]).any() else None  # not finite, of either sign
            raise NonFiniteLoss({spoilt[0]: value}, step, epoch + 1)
        remembered, more_arrays = capture_callbacks(self._accompanying)
        metadata = {"epoch": epoch, "batch": batch, "best": self._best, "callbacks": remembered}
        metadata |= {**environment(), **self._describe()}
        if not self.writes:
            self._saved_step = step
            return self.place
        path = self.store.save(step, arrays | more_arrays, metadata)
        self._saved_step = step
        self.store.prune(self.keep_last, protect=self._protected())
        return path

    def _write_best(self) -> None:
        write_atomically(self.place / BEST, json.dumps(self._best).encode())

    def _read_best(self) -> dict[str, Any]:
        file = self.place / BEST
        try:
            best = json.loads(read_file(file, MAX_BEST_BYTES)) if file.exists() else {}
            if best != {} and not is_best(best):
                raise ValueError("step and value are no numbers")
            return dict(best)
        except (OSError, LookupError, TypeError, ValueError, RecursionError) as error:
            # Not passed over: what the file names would no longer be kept.
            raise ValueError(f"{file} cannot be gone on with ({error}); restore it, or delete it.") from error

    def _protected(self) -> list[int]:
        return [self._saved_step, *([self._best["step"]] if "step" in self._best else [])]

    def _check_monitor(self, logs: dict[str, float]) -> None:
        """Complain about a name that no log has; an epoch without validation has none that begins with `val_`."""
        validated = any(name.startswith("val_") for name in logs)
        if self.monitor is None or self.monitor in logs or (self.monitor.startswith("val_") and not validated):
            return
        if self.monitor in QUALITY_LOGS:
            return  # Samples are measured every few epochs; on_train_end says if they never were.
        raise ValueError(f"Checkpoint(monitor={self.monitor!r}) is not among the logs: {', '.join(logs)}.")

    def _improves(self, logs: dict[str, float]) -> bool:
        if self.monitor not in logs:
            return False
        value = logs[self.monitor]
        sign = 1.0 if self.mode == "min" else -1.0
        if not math.isfinite(value) or sign * value >= sign * self._best.get("value", sign * math.inf):
            return False
        self._best |= {"monitor": self.monitor, "mode": self.mode, "value": value}
        return True
