"""One trial of a search: a short training, followed epoch by epoch."""

import contextlib
import functools
import io
import signal
from argparse import Namespace
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import keras
import optuna
import search_space
from search_study import trial_dir

import kerasgan as kg


class Candidate(kg.Classifier):
    """A classifier that leaves its figures behind and not its network: those of many trials would fill a disk."""

    def networks_to_export(self) -> dict[str, keras.Model]:
        """Return nothing."""
        return {}


class Follow(keras.callbacks.Callback):
    """Report every epoch to the study, and end the training if that says so.

    Attributes:
        pruned: Whether it did.
        received: The number of a signal that came during the training, or None.
    """

    def __init__(self, trial: optuna.Trial) -> None:
        super().__init__()
        self.trial = trial
        self.pruned = False
        self.received: int | None = None

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Listen in: once the last step is done `Trainer` heeds no signal, and the next trial must not begin."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, functools.partial(self._note, signal.getsignal(number)))

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Report, and ask."""
        self.trial.report(float((logs or {})["val_accuracy"]), epoch)
        if epoch + 1 < self.params["epochs"] and self.trial.should_prune():
            self.pruned = self.model.stop_training = True

    def _note(self, handle: Callable[..., Any], number: int, frame: FrameType | None) -> None:
        self.received = number
        handle(number, frame)


def run_trial(
    study: optuna.Study,
    trial: optuna.Trial,
    settings: search_space.Settings,
    args: Namespace,
    data: kg.data.DataModule,
) -> int | None:
    """Train one choice of settings and tell the study how that went.

    Returns:
        A signal that came too late to stop the training, or None.

    Raises:
        Interrupted: A signal stopped it; the study is told nothing.
    """
    keras.utils.clear_session()  # of the networks of the last trial
    follow = Follow(trial)
    callbacks = [follow, kg.callbacks.TensorBoard(hyperparameters=settings)]
    trainer = trainer_for(args, trial_dir(args.run_dir, trial.number), args.epochs, callbacks)
    steps = steps_of(args, data, args.epochs)
    candidate = search_space.build(settings, data, steps=steps, augment=args.augment, kind=Candidate)
    try:
        # What a training says of itself would bury the one line that a trial gets.
        with contextlib.redirect_stdout(io.StringIO()):
            history = trainer.fit(candidate, data).history
    except kg.callbacks.NonFiniteLoss:
        trial.set_user_attr("diverged", True)
        study.tell(trial, state=optuna.trial.TrialState.PRUNED)
        return follow.received
    if follow.pruned:
        study.tell(trial, state=optuna.trial.TrialState.PRUNED)
    else:
        study.tell(trial, float(history["val_accuracy"][-1]))
    return follow.received


def trainer_for(
    args: Namespace, run_dir: Path, epochs: int, callbacks: Sequence[keras.callbacks.Callback]
) -> kg.Trainer:
    """Return a trainer; all of a search begin with the same seed, so that only the settings tell them apart."""
    return kg.Trainer(
        run_dir,
        max_epochs=epochs,
        callbacks=callbacks,
        precision=args.precision,
        seed=args.seed,
        fast_dev_run=args.fast_dev_run,
        limit_train_batches=args.limit_train_batches,
    )


def steps_of(args: Namespace, data: kg.data.DataModule, epochs: int) -> int:
    """Return how many steps so many epochs have, as `Trainer` limits them."""
    batches, limit = len(data.train), 1 if args.fast_dev_run else args.limit_train_batches
    if limit is not None:
        batches = min(batches, limit) if isinstance(limit, int) else max(1, int(limit * batches))
    return epochs * batches
