"""What `results.json` says of a run."""

import time
from typing import Any

import keras

from kerasgan.callbacks.logs import global_step
from kerasgan.trainer.resume import Start


class Record(keras.callbacks.History):
    """Keras's history, and how far and how long a run has come.

    It counts on the host, so that it can tell also after a failure that left the model without its values.

    Args:
        module: About to be trained.
        start: Where training goes on.
        earlier: `results.json` of the part before a resume, which a kill may have prevented; empty for a new run.
    """

    def __init__(self, module: keras.Model, start: Start, earlier: dict[str, Any]) -> None:
        super().__init__()
        self.epoch: list[int] = []
        self._logged: dict[int, dict[str, float]] = {}
        self._began = time.perf_counter()
        self._trained: float | None = None
        self._first_step = self._steps = global_step(module)
        # One that `max_steps` or a signal ends early counts too.
        self._epochs = start.position.epoch + (start.position.batch > 0)
        self._earlier = earlier
        self._seconds_before = max(record.get("wall_seconds", 0.0) for record in (start.metadata, earlier))

    def on_train_begin(self, logs: Any = None) -> None:
        """Keep what was logged before a return to an earlier state."""
        self.epoch = list(self._logged)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Note the step this epoch begins with."""
        self._epoch_step = self._steps = global_step(self.model)
        self._finished = epoch

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Count the batches that are done; the one that begins now is not."""
        self._steps = self._epoch_step + batch
        self._epochs = max(self._epochs, self._finished + (batch > 0))

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Count the last batches too."""
        super().on_epoch_end(epoch, logs)
        # Not a copy: callbacks that come later, such as `SampleQuality`, add to it.
        self._logged[epoch] = {} if logs is None else logs
        self._steps, self._epochs = global_step(self.model), epoch + 1

    def on_train_end(self, logs: Any = None) -> None:
        """Stop the clock of the speed: what other callbacks do at the end, such as a report, is not training."""
        self._trained = time.perf_counter()

    def go_back(self, epoch: int, step: int) -> None:
        """Forget the epochs from `epoch` on, counted from zero; they are trained again, from `step`."""
        self._logged = {number: logs for number, logs in self._logged.items() if number < epoch}
        # Steps whose outcome is thrown away took their time too: they count for the speed.
        self._first_step -= self._steps - step
        self._steps, self._epochs = step, epoch

    @property
    def history(self) -> dict[str, list[float]]:
        """`{name: values}`, a value for every epoch that has logged one."""
        found: dict[str, list[float]] = {}
        for logs in self._logged.values():
            for name, value in logs.items():
                found.setdefault(name, []).append(value)
        return found

    @history.setter
    def history(self, value: dict[str, list[float]]) -> None:
        """Ignore what Keras sets as it begins: what was logged before a return to an earlier state is kept."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(epochs={len(self.epoch)}, keys={list(self.history)})"

    @property
    def wall_seconds(self) -> float:
        """Seconds that the run has taken so far, over all resumes."""
        return round(self._seconds_before + time.perf_counter() - self._began, 3)

    def results(self, status: str, batch_size: int | None) -> dict[str, Any]:
        """Return the content of `results.json`.

        Args:
            status: `"running"` (or killed), `"done"`, `"interrupted"` or `"failed"`.
            batch_size: To count images; None if it is not known.
        """
        now, steps = time.perf_counter(), self._steps - self._first_step
        training_seconds = (self._trained or now) - self._began
        return {
            "status": status,
            "steps": self._steps,
            "epochs": self._epochs,
            "wall_seconds": self.wall_seconds,
            "images_per_second": round(steps * batch_size / training_seconds, 1)
            if steps and batch_size
            else self._earlier.get("images_per_second"),
            "metrics": {name: values[-1] for name, values in self.history.items()} or self._earlier.get("metrics", {}),
        }
