"""One trial of a search: a short training, followed epoch by epoch."""

import contextlib
import functools
import io
import signal
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import keras

from kerasgan.callbacks import NonFiniteLoss, TensorBoard
from kerasgan.data import DataModule
from kerasgan.modules import Classifier
from kerasgan.tuning.conditions import Conditions
from kerasgan.tuning.space import Settings, build
from kerasgan.tuning.study import trial_dir

if TYPE_CHECKING:
    import optuna


class Candidate(Classifier):
    """A classifier that leaves its figures behind and not its network: those of many trials would fill a disk."""

    def networks_to_export(self) -> dict[str, keras.Model]:
        """Return nothing."""
        return {}


class Follow(keras.callbacks.Callback):
    """Report every epoch to the study, and end the training if that says so.

    Args:
        trial: Of the study; told the `val_accuracy` of every epoch.

    Attributes:
        pruned: Whether it did.
        received: The number of a signal that came during the training, or None.
    """

    def __init__(self, trial: "optuna.Trial") -> None:
        super().__init__()
        self.trial = trial
        self.pruned = False
        self.received: int | None = None

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Listen in: once the last step is done `Trainer` heeds no signal, and the next trial must not begin."""
        for number in (signal.SIGINT, signal.SIGTERM):
            try:
                signal.signal(number, functools.partial(self._note, signal.getsignal(number)))
            except ValueError:
                break  # Not in the main thread, where `Trainer` hears none either.

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Report, and ask."""
        self.trial.report(float((logs or {})["val_accuracy"]), epoch)
        if epoch + 1 < self.params["epochs"] and self.trial.should_prune():
            self.pruned = self.model.stop_training = True

    def _note(self, handle: Any, number: int, frame: FrameType | None) -> None:
        self.received = number
        handle(number, frame)


def run_trial(
    study: "optuna.Study",
    trial: "optuna.Trial",
    settings: Settings,
    conditions: Conditions,
    data: DataModule,
    run_dir: Path,
) -> int | None:
    """Train one choice of settings and tell the study how that went.

    Args:
        study: To be told.
        trial: Of that study.
        settings: What it chose.
        conditions: Those of every trial.
        data: With labels and a validation split, in batches of the size that was chosen.
        run_dir: Of the search.

    Returns:
        The number of a signal that came too late to stop the training, or None.

    Raises:
        Interrupted: A signal stopped it; the study is told nothing.
    """
    keras.utils.clear_session()  # of the networks of the last trial
    follow = Follow(trial)
    callbacks = [follow, TensorBoard(hyperparameters=settings)]
    # First the trainer: what is built after it has its precision and starts from its seed.
    trainer = conditions.trainer(trial_dir(run_dir, trial.number), conditions.epochs, callbacks)
    steps = conditions.steps(data, conditions.epochs)
    candidate = build(settings, data, steps=steps, augment=conditions.augment, kind=Candidate)
    try:
        # What a training says of itself would bury the one line that a trial gets.
        with contextlib.redirect_stdout(io.StringIO()):
            history = trainer.fit(candidate, data).history
    except NonFiniteLoss:
        trial.set_user_attr("diverged", True)
        _tell_pruned(study, trial)
        return follow.received
    if follow.pruned:
        _tell_pruned(study, trial)
    else:
        study.tell(trial, float(history["val_accuracy"][-1]))
    return follow.received


def _tell_pruned(study: "optuna.Study", trial: "optuna.Trial") -> None:
    import optuna

    study.tell(trial, state=optuna.trial.TrialState.PRUNED)
