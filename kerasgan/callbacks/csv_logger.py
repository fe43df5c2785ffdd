"""A table of the run that every tool can read."""

import csv
import io
import time
from pathlib import Path
from typing import ClassVar

from kerasgan.callbacks.base import RunCallback
from kerasgan.callbacks.logs import global_step, reading_order
from kerasgan.checkpoints import write_atomically
from kerasgan.checkpoints.files import make_directory

LEADING = ("epoch", "step", "wall_seconds")


class CSVLogger(RunCallback):
    """Write one row per epoch: `epoch` (from one), `step`, `wall_seconds`, then every log.

    The file is whole after every epoch. A log that first comes later, such as a validation every fifth epoch,
    gets its column then; earlier rows are empty there. NaN and infinity read `nan` and `inf`.

    Args:
        path: The file, replaced by a new fit; under `Trainer` by default `metrics.csv` of the run directory.
        append: Keep the rows before the first new epoch, and count their seconds too: for a resumed fit.
            A public attribute: it may be set until training begins.

    Raises:
        ValueError: When training begins there is no path; or `append` finds a file of another kind.
        OSError: The disk refused; it names the file and what would help. The rows before stay.

    Example:
        >>> gan.fit(images, epochs=10, callbacks=[kg.callbacks.CSVLogger("metrics.csv")])
    """

    argument: ClassVar[str] = "path"
    place_in_run: ClassVar[str] = "metrics.csv"

    def __init__(self, path: str | Path | None = None, *, append: bool = False) -> None:
        super().__init__(path)
        self.append = append
        self._earlier: list[dict[str, str]] = []
        self._rows: list[dict[str, str]] = []

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Start the clock, and read what is to be continued."""
        super().on_train_begin(logs)
        # Only now: a run directory that is removed during training is an error, and not made anew.
        make_directory(self.place.parent)
        self._rows = []
        self._earlier = self._read() if self.append and self.place.exists() else []
        self._began = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Add a row."""
        if not self._rows:
            # Only now is it known where the fit goes on; a run that was cut off may have logged beyond it.
            self._earlier = [row for row in self._earlier if int(row["epoch"]) < epoch + 1]
        seconds_before = float(self._earlier[-1]["wall_seconds"]) if self._earlier else 0.0
        row = {
            "epoch": str(epoch + 1),
            "step": str(global_step(self.model)),
            "wall_seconds": f"{seconds_before + time.perf_counter() - self._began:.3f}",
        }
        # Nine digits give every float32 back exactly.
        row |= {name: f"{value:.9g}" for name, value in (logs or {}).items()}
        self._rows.append(row)
        self._write(self._earlier + self._rows)

    def _read(self) -> list[dict[str, str]]:
        try:
            with self.place.open(newline="", encoding="utf-8") as file:
                reader = csv.DictReader(file, strict=True)
                rows = list(reader)
        except (csv.Error, UnicodeDecodeError) as error:
            raise self._unusable(str(error)) from error
        missing = [name for name in LEADING if name not in (reader.fieldnames or ())]
        if missing:
            raise ValueError(
                f"{self.place} has no column {missing[0]!r}, so CSVLogger cannot append to it; "
                "move the file away or give another path."
            )
        for number, row in enumerate(rows, 2):
            try:
                if None in row or None in row.values():
                    raise ValueError("as many fields as columns are needed")
                int(row["epoch"]), float(row["wall_seconds"])
            except ValueError as error:
                raise self._unusable(f"line {number}: {error}") from error
        return rows

    def _unusable(self, reason: str) -> ValueError:
        return ValueError(f"{self.place} cannot be gone on with ({reason[:200]}); restore it, or move it away.")

    def _write(self, rows: list[dict[str, str]]) -> None:
        logged = {name for row in rows for name in row} - set(LEADING)
        columns = [*LEADING, *reading_order(logged, getattr(self.model, "players", ()))]
        buffer = io.StringIO()
        writer = csv.DictWriter(buffer, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        write_atomically(self.place, buffer.getvalue().encode())
