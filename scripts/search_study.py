"""The study of a search: Optuna's record of all trials, in a file that outlives kills and knows no backend."""

import functools
import shutil
import sqlite3
from argparse import Namespace
from pathlib import Path
from typing import Any

import numpy as np
import options
import optuna
import sqlalchemy

import kerasgan as kg

FILE = "study.sqlite3"
STARTUP_TRIALS = 10  # Drawn at random, before there is anything to learn from.
# What makes trials comparable. How many there are may change from one call to the next, and so may the backend.
SETTINGS = ("network", "epochs", "seed", "val_size", "precision", "limit_train_batches", "augment")


def check_run_dir(run_dir: Path, resume: bool) -> None:
    """Refuse to overwrite anything, and to resume what is not there."""
    holds_study = (run_dir / FILE).exists()
    if resume and not holds_study:
        raise ValueError(f"{run_dir} holds no study to resume; leave out --resume to start one there.")
    if not resume and holds_study:
        raise ValueError(f"{run_dir} already holds a study; go on with it (--resume) or choose another --run-dir.")
    if not resume and run_dir.exists() and (not run_dir.is_dir() or any(run_dir.iterdir())):
        raise ValueError(f"{run_dir} already holds other files, which are never overwritten; choose another --run-dir.")


def open_study(args: Namespace, data: kg.data.DataModule) -> optuna.Study:
    """Open the study of the run directory, or begin it; what a kill has left half done there is cleared away.

    Raises:
        ValueError: It was begun with other settings.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    args.run_dir.mkdir(parents=True, exist_ok=True)
    file = args.run_dir / FILE
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
        options.fail(1, f"{file} cannot be used ({reason}); restore it, or choose another --run-dir.")
    _compare_settings(study, args, data)
    for trial in study.get_trials(deepcopy=False, states=[optuna.trial.TrialState.RUNNING]):
        discard(study, args.run_dir, trial.number)
    return study


def _compare_settings(study: optuna.Study, args: Namespace, data: kg.data.DataModule) -> None:
    settings = {name: getattr(args, name) for name in SETTINGS}
    settings["data"] = f"{data.name} {data.fingerprint()[:12]}"
    before = study.user_attrs.get("settings")
    if before is None:
        study.set_user_attr("settings", settings)
        return
    changed = [
        f"{name} was {before[name]} and is {settings[name]}" for name in before if before[name] != settings[name]
    ]
    if changed:
        raise ValueError(
            f"{args.run_dir} cannot be resumed with other settings: {'; '.join(changed)}. Use those it was started "
            "with, or choose another --run-dir."
        )


def next_trial(study: optuna.Study, seed: int) -> optuna.Trial:
    """Begin a trial.

    What it draws depends on the trials that are done alone: a resumed search goes on as one that never stopped, and
    one that was killed during a trial draws the same parameters again.
    """
    words = np.random.SeedSequence([seed, done(study)]).generate_state(1)
    study.sampler = optuna.samplers.TPESampler(n_startup_trials=STARTUP_TRIALS, seed=int(words[0]))
    return study.ask()


def discard(study: optuna.Study, run_dir: Path, number: int) -> None:
    """Mark a trial that was cut off as failed and delete its directory."""
    ended = study.tell(number, state=optuna.trial.TrialState.FAIL, skip_if_finished=True)
    directory = trial_dir(run_dir, number)
    if ended.state is optuna.trial.TrialState.FAIL and directory.exists():
        shutil.rmtree(directory)


def trial_dir(run_dir: Path, number: int) -> Path:
    """Return the run directory of a trial."""
    return run_dir / "trials" / f"trial-{number:03d}"


def rows_of(study: optuna.Study) -> list[kg.metrics.Trial]:
    """Return all trials that have ended, in the order they began."""
    return [
        _row(trial)
        for trial in study.get_trials(deepcopy=False)
        if trial.state.is_finished() and "settings" in trial.user_attrs
    ]


def _row(trial: optuna.trial.FrozenTrial) -> kg.metrics.Trial:
    settings: dict[str, Any] = trial.user_attrs["settings"]
    if trial.state is optuna.trial.TrialState.FAIL:
        # How long it has run is not known: a killed one is marked when the search is resumed.
        return kg.metrics.Trial(trial.number, "failed", None, None, settings)
    state = "diverged" if trial.user_attrs.get("diverged") else trial.state.name.lower()
    # Optuna takes the last epoch that was reported for the value of a pruned one.
    value = None if state == "diverged" else trial.value
    return kg.metrics.Trial(trial.number, state, value, trial.duration.total_seconds(), settings)


def done(study: optuna.Study) -> int:
    """Return how many trials count: all but those that were cut off."""
    return sum(row.state != "failed" for row in rows_of(study))
