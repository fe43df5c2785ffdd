"""Logs for TensorBoard, without TensorFlow."""

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from kerasgan.callbacks.base import RunCallback
from kerasgan.callbacks.events import EventWriter, open_writer
from kerasgan.callbacks.logs import global_step


class TensorBoard(RunCallback):
    """Write every epoch's logs for `tensorboard --logdir runs`; the x axis is the number of training steps.

    A log named `generator_loss` becomes the curve `generator loss`. A resumed fit writes a further file into
    the same directory and has TensorBoard drop what was logged beyond the step it goes on from.

    Args:
        log_dir: Where the event files go; under `Trainer` by default `tensorboard/` of the run directory.
        hyperparameters: What to show in the HPARAMS tab, next to the last value of every log. A public
            attribute: it may be set until training begins.
        text: Markdown pages by name, shown in the TEXT tab. A public attribute too.

    Raises:
        ValueError: When training begins, there is no directory.
        TypeError: When training begins, a hyperparameter is no str, int, float or bool.
        OSError: The disk refused; it names the file and what would help.

    Example:
        >>> board = kg.callbacks.TensorBoard("runs/a/tensorboard", hyperparameters={"learning_rate": 1e-4})
        >>> gan.fit(images, epochs=10, callbacks=[board])
    """

    argument: ClassVar[str] = "log_dir"
    place_in_run: ClassVar[str] = "tensorboard"

    def __init__(
        self,
        log_dir: str | Path | None = None,
        *,
        hyperparameters: Mapping[str, str | int | float | bool] | None = None,
        text: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(log_dir)
        self.hyperparameters = hyperparameters
        self.text = text
        self._default_hyperparameters: Mapping[str, str | int | float | bool] = {}
        self._default_text: Mapping[str, str] = {}
        self._writer: EventWriter | None = None

    def describe(self, hyperparameters: Mapping[str, str | int | float | bool], text: Mapping[str, str]) -> None:
        """Say what to show where the user gave nothing. `Trainer` calls this before every fit."""
        self._default_hyperparameters, self._default_text = hyperparameters, text

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Open the event file; write what is known before the first step."""
        super().on_train_begin(logs)
        self._shown = self.hyperparameters or self._default_hyperparameters
        for name, value in self._shown.items():
            if not isinstance(value, str | int | float):
                raise TypeError(
                    f"hyperparameters[{name!r}] is {value!r}; TensorBoard shows str, int, float and bool, "
                    "so convert it or leave it out."
                )
        self.close()
        step = global_step(self.model)
        self._writer = open_writer(self.place, step=step)
        if self._shown:
            self._writer.session_start(self._shown, step)
        for name, markdown in (self.text or self._default_text).items():
            self._writer.text(name, markdown, step)
        self._writer.flush()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Add a point to every curve."""
        assert self._writer is not None
        step = global_step(self.model)
        for name, value in (logs or {}).items():
            self._writer.scalar(name.replace("_", " "), value, step)
        self._writer.flush()

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        """Mark the run as finished and release the event file."""
        if self._writer is not None and self._shown:
            self._writer.session_end(global_step(self.model))
        super().on_train_end(logs)

    def close(self) -> None:
        """Release the event file."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None
