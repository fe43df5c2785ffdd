"""The callbacks of a run: the user's, those that every run has, and what each is told beforehand."""

from collections.abc import Sequence
from typing import Any

import keras

from kerasgan.callbacks import Checkpoint, CSVLogger, ProgressBar, StopOnNaN, TensorBoard
from kerasgan.trainer import presentation
from kerasgan.trainer.config import hyperparameters
from kerasgan.trainer.feed import Feed, Position
from kerasgan.trainer.run_directory import RunDirectory


def with_defaults(callbacks: Sequence[keras.callbacks.Callback]) -> list[keras.callbacks.Callback]:
    """Add a `StopOnNaN`, `TensorBoard`, `CSVLogger` and `ProgressBar` where there is none of the kind.

    Returns:
        First what may stop the run, so that nothing worthless is saved; then loggers, the user's, the display.
    """

    def missing(*kinds: type[keras.callbacks.Callback]) -> list[keras.callbacks.Callback]:
        return [kind() for kind in kinds if not any(isinstance(callback, kind) for callback in callbacks)]

    return [*missing(StopOnNaN, TensorBoard, CSVLogger), *callbacks, *missing(ProgressBar)]


def prepare(
    callbacks: Sequence[keras.callbacks.Callback],
    run: RunDirectory,
    feed: Feed,
    config: dict[str, Any],
    start: Position,
) -> None:
    """Give every callback its place in the run, and tell it where training goes on."""
    for callback in callbacks:
        if hasattr(callback, "bind"):
            callback.bind(run.path)
        if isinstance(callback, Checkpoint):
            callback.resumed_from = (start.epoch, start.batch)
        elif isinstance(callback, CSVLogger):
            callback.append = start != Position()
        elif isinstance(callback, TensorBoard):
            callback.hyperparameters = callback.hyperparameters or hyperparameters(config)
            callback.text = callback.text or {"config": presentation.as_markdown(config)}
        elif isinstance(callback, ProgressBar):
            callback.images_per_epoch = feed.images_per_epoch or callback.images_per_epoch
