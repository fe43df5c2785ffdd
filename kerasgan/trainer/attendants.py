"""The callbacks of a run: the user's, those that every run has, and what each is told beforehand."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any

import keras

from kerasgan.callbacks import (
    Checkpoint,
    ClassificationReport,
    CSVLogger,
    ProgressBar,
    SampleQuality,
    StopOnNaN,
    TensorBoard,
)
from kerasgan.callbacks.base import RunCallback
from kerasgan.trainer import presentation
from kerasgan.trainer.config import fingerprints, hyperparameters
from kerasgan.trainer.feed import Feed, Position
from kerasgan.trainer.profile import Profile
from kerasgan.trainer.resume import Start
from kerasgan.trainer.run_directory import RunDirectory


def with_defaults(callbacks: Sequence[keras.callbacks.Callback]) -> list[keras.callbacks.Callback]:
    """Add a `StopOnNaN`, `TensorBoard`, `CSVLogger` and `ProgressBar` where there is none of the kind.

    Returns:
        First what may stop the run, so that nothing worthless is saved; then what adds to the logs, so that all see
        it; then loggers, the user's, the display. Every `Checkpoint` comes last: what is not logged yet is logged again
        after a resume, and what `EarlyStopping` and `ReduceLROnPlateau` decide at the end of an epoch is part of the
        state that goes with it.
    """

    def missing(*kinds: type[keras.callbacks.Callback]) -> list[keras.callbacks.Callback]:
        return [kind() for kind in kinds if not any(isinstance(callback, kind) for callback in callbacks)]

    measuring = [callback for callback in callbacks if isinstance(callback, SampleQuality)]
    others = [callback for callback in callbacks if not isinstance(callback, SampleQuality)]
    everyone = [*missing(StopOnNaN), *measuring, *missing(TensorBoard, CSVLogger), *others, *missing(ProgressBar)]
    return sorted(everyone, key=lambda callback: isinstance(callback, Checkpoint))


def bind(callbacks: Sequence[keras.callbacks.Callback], run: RunDirectory, redirect: bool) -> None:
    """Give every callback its place in the run; `redirect` overrules the user's own places."""
    for callback in callbacks:
        if isinstance(callback, RunCallback):
            callback.bind(run.path, redirect=redirect)


def bind_to(callbacks: Sequence[keras.callbacks.Callback], run: RunDirectory, own: RunDirectory) -> None:
    """Let all that is written go to a directory of this process's own, unless that is the run's."""
    for callback in callbacks:
        if isinstance(callback, Checkpoint):
            callback.writes = own is run
    if own is not run:
        bind(callbacks, own, redirect=True)


def instruct(
    callbacks: Sequence[keras.callbacks.Callback],
    data: Any,
    feed: Feed,
    config: dict[str, Any],
    start: Start,
    describe: Callable[[], dict[str, Any]],
) -> None:
    """Tell every callback what it cannot know by itself, and where training goes on.

    Args:
        callbacks: Those of the run.
        data: What `Trainer.fit` was given.
        feed: What is made of it.
        config: The content of `config.json`.
        start: Where training goes on.
        describe: Returns what changes during a run and every checkpoint keeps.
    """
    about_the_run = fingerprints(config)
    for callback in callbacks:
        if isinstance(callback, Checkpoint):
            callback.resumed_from = (start.position.epoch, start.position.batch) if start.metadata else None
            callback.resumed_best = start.metadata.get("best")
            callback.accompany(callbacks, lambda: about_the_run | describe())
        elif isinstance(callback, CSVLogger):
            callback.append = start.position != Position()
        elif isinstance(callback, ClassificationReport | SampleQuality):
            callback.describe(data)
        elif isinstance(callback, TensorBoard):
            callback.describe(hyperparameters(config), {"config": presentation.as_markdown(config)})
        elif isinstance(callback, ProgressBar):
            callback.images_per_step = feed.batch_size or callback.images_per_step


def close(callbacks: Sequence[keras.callbacks.Callback]) -> None:
    """Release what the callbacks hold open: Keras skips `on_train_end` when a fit raises."""
    with ExitStack() as all_of_them:  # also where one of them fails, on a full disk for one
        for callback in callbacks:
            if isinstance(callback, RunCallback | ProgressBar | Profile):
                all_of_them.callback(callback.close)
