"""The study of a search: Optuna's record of all trials, in a file that outlives kills and knows no backend."""

import functools
import importlib.util
import shutil
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasgan.metrics import Trial

if TYPE_CHECKING:
    import optuna

FILE = "study.sqlite3"
STARTUP_TRIALS = 10  # Drawn at random, before there is anything to learn from.


class TuningError(RuntimeError):
    """The study of a search cannot be read or written, or none of its trials came to its end."""


def require_optuna() -> None:
    """Complain at once where Optuna is missing, and not after the data is read.

    Raises:
        ModuleNotFoundError: It is.
    """
    if importlib.util.find_spec("optuna") is None:
        raise ModuleNotFoundError(
            'the search needs optuna, which is not installed; pip install -e ".[tune]".', name="optuna"
        )


def check_run_dir(run_dir: Path, resume: bool) -> None:
    """Refuse to overwrite anything, and to resume what is not there.

    Raises:
        ValueError: The directory holds a study or other files and `resume` is False, or no study and it is True.
    """
    holds_study = (run_dir / FILE).exists()
    if resume and not holds_study:
        raise ValueError(f"{run_dir} holds no study to resume; leave out --resume to start one there.")
    if not resume and holds_study:
        raise ValueError(f"{run_dir} already holds a study; go on with it (--resume) or choose another --run-dir.")
    if not resume and run_dir.exists() and (not run_dir.is_dir() or any(run_dir.iterdir())):
        raise ValueError(f"{run_dir} already holds other files, which are never overwritten; choose another --run-dir.")


def open_study(run_dir: Path, conditions: Mapping[str, Any]) -> "optuna.Study":
    """Open the study of the run directory, or begin it; what a kill has left half done there is cleared away.

    Args:
        run_dir: Made if need be.
        conditions: What makes trials comparable: str, numbers, None, or lists of them.

    Raises:
        TuningError: The file is there and cannot be used.
        ValueError: The study was begun under other conditions.
    """
    import optuna
    import sqlalchemy

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    run_dir.mkdir(parents=True, exist_ok=True)
    file = run_dir / FILE
    # Not by a URL, in which ? and % and {} of a path have a meaning.
    connect = functools.partial(sqlite3.connect, file, timeout=60, check_same_thread=False)
    try:
        storage = optuna.storages.RDBStorage("sqlite://", engine_kwargs={"creator": connect})
        study = optuna.create_study(
            storage=storage,
            study_name="search",
            direction="maximize",
            # One epoch is too few to judge by, and the first trials have nobody to be compared with.
            pruner=optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=1),
            load_if_exists=True,
        )
    except (sqlalchemy.exc.DatabaseError, optuna.exceptions.StorageInternalError) as error:
        reason = getattr(error, "orig", None) or error.__cause__ or error
        raise TuningError(f"{file} cannot be used ({reason}); restore it, or choose another --run-dir.") from error
    _compare(study, run_dir, conditions)
    for trial in study.get_trials(deepcopy=False, states=[optuna.trial.TrialState.RUNNING]):
        discard(study, run_dir, trial.number)
    return study


def _compare(study: "optuna.Study", run_dir: Path, conditions: Mapping[str, Any]) -> None:
    before = study.user_attrs.get("settings")
    if before is None:
        study.set_user_attr("settings", dict(conditions))
        return
    changed = [
        f"{name} was {before[name]} and is {conditions[name]}" for name in before if before[name] != conditions[name]
    ]
    if changed:
        raise ValueError(
            f"{run_dir} cannot be resumed with other settings: {'; '.join(changed)}. Use those it was started "
            "with, or choose another --run-dir."
        )


def next_trial(study: "optuna.Study", seed: int, baselines: Sequence[Mapping[str, Any]] = ()) -> "optuna.Trial":
    """Begin a trial.

    What it draws depends on the trials that are done alone: a resumed search goes on as one that never stopped, and
    one that was killed during a trial draws the same parameters again.

    Args:
        study: Of the search.
        seed: Of the search.
        baselines: Parameters of the first trials.
    """
    import optuna

    number = done(study)
    # One may still wait, if the search was killed between these two lines.
    if number < len(baselines) and not study.get_trials(states=[optuna.trial.TrialState.WAITING]):
        study.enqueue_trial(dict(baselines[number]))
    words = np.random.SeedSequence([seed, number]).generate_state(1)
    study.sampler = optuna.samplers.TPESampler(n_startup_trials=STARTUP_TRIALS, seed=int(words[0]))
    return study.ask()


def discard(study: "optuna.Study", run_dir: Path, number: int) -> None:
    """Mark a trial that was cut off as failed and delete its directory."""
    import optuna

    ended = study.tell(number, state=optuna.trial.TrialState.FAIL, skip_if_finished=True)
    directory = trial_dir(run_dir, number)
    if ended.state is optuna.trial.TrialState.FAIL and directory.exists():
        shutil.rmtree(directory)


def trial_dir(run_dir: Path, number: int) -> Path:
    """Return the run directory of a trial."""
    return run_dir / "trials" / f"trial-{number:03d}"


def rows_of(study: "optuna.Study") -> list[Trial]:
    """Return all trials that have ended, in the order they began."""
    return [
        _row(trial)
        for trial in study.get_trials(deepcopy=False)
        if trial.state.is_finished() and "settings" in trial.user_attrs
    ]


def _row(trial: "optuna.trial.FrozenTrial") -> Trial:
    settings: dict[str, Any] = trial.user_attrs["settings"]
    if trial.state.name == "FAIL":
        # How long it has run is not known: a killed one is marked when the search is resumed.
        return Trial(trial.number, "failed", None, None, settings)
    state = "diverged" if trial.user_attrs.get("diverged") else trial.state.name.lower()
    # Optuna takes the last epoch that was reported for the value of a pruned one.
    value = None if state == "diverged" else trial.value
    return Trial(
        trial.number, state, value, None if trial.duration is None else trial.duration.total_seconds(), settings
    )


def done(study: "optuna.Study") -> int:
    """Return how many trials count: all but those that were cut off."""
    return sum(row.state != "failed" for row in rows_of(study))
