"""What a classifier has learnt and what it takes for what, as a page with pictures."""

import csv
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from kerasgan.callbacks.base import RunCallback
from kerasgan.callbacks.events import EventWriter, open_writer
from kerasgan.callbacks.images import save_png
from kerasgan.callbacks.logs import global_step
from kerasgan.callbacks.report_page import PICTURES, page
from kerasgan.checkpoints import remove_temporaries, write_atomically
from kerasgan.checkpoints.files import explain, make_directory, temporary_in
from kerasgan.metrics import Assessment, assess, draw_confusion, draw_curves, draw_mistakes
from kerasgan.metrics.curves import metrics_of

_BEYOND_ALL_STEPS = 2**62


class ClassificationReport(RunCallback):
    """Judge a classifier when its training ends, and write `report.md` with the pictures it shows, in `report/`.

    It judges on the test split, or where there is none on the validation split, and with the weights that the last
    epoch left behind. A `kg.Classifier` is asked for `probabilities`, any other model to `predict` them.

    Args:
        data: A labelled `kg.data.DataModule`; under `Trainer` by default the one that `fit` is given.
        directory: Where the page goes; under `Trainer` by default the run directory.
        worst: Mistakes to show, at most.
        log_dir: TensorBoard's directory, where the pictures also go, under the tags `report/data`, `report/curves`,
            `report/confusion` and `report/mistakes`; under `Trainer` by default `tensorboard/` of the run directory,
            under plain `model.fit` nowhere.

    Attributes:
        assessment: The newest result, a `kg.metrics.Assessment`, or None.
        report_file: The page it was written to, or None.

    Raises:
        ValueError: `worst` is not positive; or as training begins there is no directory, no data, no labels, no split
            to judge on, or the model's outputs are no probabilities of its classes.

    Example:
        >>> report = kg.callbacks.ClassificationReport(data, "report")
        >>> classifier.fit(data.train, epochs=5, shuffle=False, callbacks=[report])
        >>> report.assessment.accuracy
    """

    argument: ClassVar[str] = "directory"
    place_in_run: ClassVar[str] = "."

    def __init__(
        self,
        data: Any = None,
        directory: str | Path | None = None,
        *,
        worst: int = 25,
        log_dir: str | Path | None = None,
    ) -> None:
        super().__init__(directory)
        if worst < 1:
            raise ValueError(f"worst is {worst}; choose a positive number of mistakes to show such as 25.")
        self.data = data
        self.worst = worst
        self.assessment: Assessment | None = None
        self.report_file: Path | None = None
        self._default_data: Any = None
        self._given_log_dir = None if log_dir is None else Path(log_dir)
        self._rows: list[dict[str, float]] = []
        self._writer: EventWriter | None = None

    def describe(self, data: Any) -> None:
        """Say what to judge on where the user gave nothing. `Trainer` calls this before every fit."""
        self._default_data = data

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Judge the first batch: what cannot be judged is better known now than after the last epoch."""
        super().on_train_begin(logs)
        data, _split, batches = self._judged()
        self._judge(self.model, data, batches.limited(1))
        # Only now: a run directory that is removed during training is an error, and not made anew.
        make_directory(self.place)
        self._rows = []
        self.close()
        log_dir = self.place_for(self._given_log_dir, "tensorboard")
        if log_dir is not None:
            self._writer = open_writer(log_dir, step=global_step(self.model))

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Remember the logs: under plain `model.fit` there may be no table of them."""
        self._rows.append({"epoch": epoch + 1, **(logs or {})})

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        """Write the report."""
        self._write(self.model)
        super().on_train_end(logs)

    def write(self, model: Any, step: int | None = None) -> Path:
        """Judge any model and write the report; training need not be going on.

        Args:
            model: A `kg.Classifier`, or a Keras model that ends in probabilities.
            step: Where TensorBoard puts the pictures; by default the number of steps that `model` was trained for.

        Returns:
            The page.

        Raises:
            ValueError: As for the class.
            OSError: The disk refused; it names the file and what would help.
        """
        make_directory(self.place)
        return self._write(model, step)

    def close(self) -> None:
        """Release the event file."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _write(self, model: Any, step: int | None = None) -> Path:
        data, split, batches = self._judged()
        assessment = self._judge(model, data, batches)
        rows = self._rows_of_run()
        steps = global_step(model) if getattr(model, "optimizer", None) is not None else None

        directory = self.place / PICTURES
        make_directory(directory, parents=False)
        remove_temporaries(directory)
        # Of a limited split, the arrays are as long as ever.
        images, labels = batches.images[: assessment.count], batches.labels[: assessment.count]
        pictures = {"data": _picture_of(data, directory)}
        if metrics_of(rows):
            pictures["curves"] = draw_curves(rows)
        pictures["confusion"] = draw_confusion(assessment)
        pictures["mistakes"] = draw_mistakes(images, labels, assessment, self.worst)
        for name, picture in pictures.items():
            save_png(directory / f"{name}.png", picture)
        self._log(pictures, (steps or 0) if step is None else step)
        text = page(data.name, split, assessment, rows, steps, data.summary(), pictures)
        # Last, so that whatever it links to is there.
        write_atomically(self.place / "report.md", text.encode())
        self.assessment, self.report_file = assessment, self.place / "report.md"
        return self.report_file

    def _judged(self) -> tuple[Any, str, Any]:
        """Return the data, and the split to judge on with its name."""
        data = self._default_data if self.data is None else self.data
        if not hasattr(data, "splits"):
            has = "no data" if data is None else f"{type(data).__name__} for data"
            raise ValueError(
                f"ClassificationReport has {has}; give it a labelled kg.data.DataModule, as in "
                "ClassificationReport(data), or give one to Trainer.fit."
            )
        split = next((name for name in ("test", "validation") if name in data.splits), None)
        if split is None:
            raise ValueError(
                f"{data.name} has no test and no validation split for ClassificationReport to judge on; load it with "
                "val_size=0.1, or leave the report out."
            )
        batches = data.splits[split].unshuffled()
        if batches.labels is None:
            raise ValueError(
                f"{data.name} has no labels, so ClassificationReport cannot tell right from wrong; label it, or leave "
                "the report out."
            )
        # A rehearsal asks whether it works, not how well.
        return data, split, batches.limited(1) if self._redirected else batches

    def _judge(self, model: Any, data: Any, batches: Any) -> Assessment:
        probabilities = getattr(model, "probabilities", None)
        outputs = np.asarray(probabilities(batches) if callable(probabilities) else model.predict(batches, verbose=0))
        names = list(data.class_names)
        classes = outputs.shape[-1] if outputs.ndim == 2 else 0
        if 1 < classes < len(names):
            raise ValueError(
                f"{type(model).__name__} tells {classes} classes apart, but {data.name} has {len(names)}; give its "
                f"last layer {len(names)} units."
            )
        # A network may know more classes than this data has.
        names += [str(label) for label in range(len(names), classes)]
        return assess(batches.labels[: len(outputs)], outputs, names)

    def _rows_of_run(self) -> Sequence[Mapping[str, float]]:
        """Return a row an epoch: those in the run's `metrics.csv`, where the epochs before a resume are too."""
        table = None if self._run_dir is None else self._run_dir / "metrics.csv"
        if table is None or not table.exists():
            return self._rows
        with table.open(newline="", encoding="utf-8") as file:
            return [{name: float(value) for name, value in row.items() if value} for row in csv.DictReader(file)]

    def _log(self, pictures: Mapping[str, npt.NDArray[np.uint8]], step: int) -> None:
        log_dir = self.place_for(self._given_log_dir, "tensorboard")
        if log_dir is None:
            return
        # After training nothing is to be dropped, of whatever step the model is that is judged now.
        writer = self._writer or open_writer(log_dir, step=_BEYOND_ALL_STEPS)
        for name, picture in pictures.items():
            writer.image(f"report/{name}", picture, step)
        writer.flush()
        if writer is not self._writer:
            writer.close()


def _picture_of(data: Any, directory: Path) -> npt.NDArray[np.uint8]:
    """Return the figure of a data set, which it can only write to a file."""
    from PIL import Image

    temporary = temporary_in(directory)
    try:
        data.figure(temporary)
        with Image.open(temporary) as image:
            return np.asarray(image.convert("RGB"))
    except OSError as error:
        raise OSError(error.errno, f"not written: {explain(error)}", str(directory / "data.png")) from error
    finally:
        with suppress(OSError):
            temporary.unlink()
