"""The callbacks of a run: the user's, those that every run has, and what each is told beforehand."""

from collections.abc import Sequence
from typing import Any

import keras

from kerasgan.callbacks import Checkpoint, ClassificationReport, CSVLogger, ProgressBar, StopOnNaN, TensorBoard
from kerasgan.callbacks.base import RunCallback
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


def bind(callbacks: Sequence[keras.callbacks.Callback], run: RunDirectory, redirect: bool) -> None:
    """Give every callback its place in the run; `redirect` overrules the user's own places."""
    for callback in callbacks:
        if isinstance(callback, RunCallback):
            callback.bind(run.path, redirect=redirect)


def instruct(
    callbacks: Sequence[keras.callbacks.Callback], data: Any, feed: Feed, config: dict[str, Any], start: Position
) -> None:
    """Tell every callback what it cannot know by itself, and where training goes on."""
    for callback in callbacks:
        if isinstance(callback, Checkpoint):
            callback.resumed_from = (start.epoch, start.batch)
        elif isinstance(callback, CSVLogger):
            callback.append = start != Position()
        elif isinstance(callback, ClassificationReport):
            callback.describe(data)
        elif isinstance(callback, TensorBoard):
            callback.describe(hyperparameters(config), {"config": presentation.as_markdown(config)})
        elif isinstance(callback, ProgressBar):
            callback.images_per_step = feed.batch_size or callback.images_per_step


def close(callbacks: Sequence[keras.callbacks.Callback]) -> None:
    """Release what the callbacks hold open: Keras skips `on_train_end` when a fit raises."""
    for callback in callbacks:
        if isinstance(callback, RunCallback | ProgressBar):
            callback.close()
