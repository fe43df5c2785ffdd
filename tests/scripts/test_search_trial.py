import os
import signal
import sys
from argparse import Namespace
from pathlib import Path

import numpy as np
import optuna
import pytest

import kerasgan as kg
from kerasgan.testing import tiny_images

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))
from search_study import check_run_dir, done, next_trial, rows_of, trial_dir
from search_trial import run_trial, steps_of

SETTINGS = {"network": "dense", "layers": 1, "units": 8, "activation": "relu", "dropout": 0.0, "optimizer": "sgd"}
SETTINGS |= {"rate": 0.01, "batch_size": 16}


@pytest.fixture
def data():
    images = ((tiny_images(80) + 1) * 127.5).astype("uint8")
    return kg.data.DataModule(images, np.arange(80) % 2, batch_size=16, val_size=16)


@pytest.fixture
def args(tmp_path):
    """The options of a search of short trials."""
    options = {"run_dir": tmp_path, "epochs": 3, "precision": "float32", "seed": 0, "augment": []}
    return Namespace(**options, limit_train_batches=None, fast_dev_run=False)


@pytest.fixture
def tried(args, data):
    """Run one trial; return its row and what `run_trial` returned."""

    def run(pruner=None, **changes):
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        study = optuna.create_study(direction="maximize", pruner=pruner or optuna.pruners.NopPruner())
        trial, settings = study.ask(), SETTINGS | changes
        trial.set_user_attr("settings", settings)
        received = run_trial(study, trial, settings, args, data)
        return rows_of(study)[0], received

    return run


def epochs_of(args):
    return len((trial_dir(args.run_dir, 0) / "metrics.csv").read_text().splitlines()) - 1


def test_a_trial_comes_to_the_accuracy_of_its_last_epoch(tried, args):
    row, received = tried()
    assert (row.state, received) == ("complete", None)
    last = (trial_dir(args.run_dir, 0) / "metrics.csv").read_text().splitlines()
    assert row.value == pytest.approx(
        float(dict(zip(last[0].split(","), last[-1].split(","), strict=True))["val_accuracy"])
    )
    assert epochs_of(args) == 3
    assert not list(args.run_dir.rglob("*.keras")) and list(args.run_dir.rglob("tensorboard/*"))


def test_a_convnet_is_tried_like_any_network(tried):
    convnet = {"network": "convnet", "blocks": 1, "filters": 16, "convolutions": 1, "units": 0}
    row, _ = tried(**convnet, batch_normalization=True)
    assert row.state == "complete"


def test_a_trial_says_nothing_but_what_its_row_says(tried, capfd):
    tried()
    assert capfd.readouterr().out == ""


def test_a_trial_ends_early_where_the_pruner_says_so(tried, args):
    row, _ = tried(optuna.pruners.ThresholdPruner(lower=2.0))
    assert row.state == "pruned" and 0 <= row.value <= 1
    assert epochs_of(args) == 1


def test_the_last_epoch_is_no_reason_to_call_a_trial_pruned(tried, args):
    row, _ = tried(optuna.pruners.ThresholdPruner(lower=2.0, n_warmup_steps=2))
    assert row.state == "complete" and epochs_of(args) == 3


def test_a_trial_that_diverges_is_done_and_has_no_value(tried):
    row, _ = tried(rate=1e30)
    assert (row.state, row.value) == ("diverged", None)


def test_a_signal_after_the_last_step_is_not_lost(tried, monkeypatch):
    # Keras validates after the last step; there Trainer's own handler notes the signal, and nobody asks it again.
    report = optuna.Trial.report

    def late(self, value, step):
        report(self, value, step)
        if step == 2:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(optuna.Trial, "report", late)
    before = signal.getsignal(signal.SIGTERM)
    row, received = tried()
    assert (row.state, received) == ("complete", signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_signal_within_a_trial_ends_it(tried, monkeypatch):
    monkeypatch.setattr(optuna.Trial, "report", lambda self, value, step: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(kg.Interrupted):
        tried()


@pytest.mark.parametrize(("limit", "steps"), [(None, 8), (3, 6), (100, 8), (0.5, 4), (0.01, 2)])
def test_steps_are_those_that_the_trainer_takes(args, data, limit, steps):
    args.limit_train_batches = limit
    assert steps_of(args, data, 2) == steps
    assert steps_of(Namespace(**vars(args) | {"fast_dev_run": True}), data, 2) == 2


def test_what_a_trial_draws_depends_on_those_that_are_done_and_not_on_those_cut_off():
    def drawn(states):
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        study, rates = optuna.create_study(direction="maximize"), []
        for state in states:
            trial = next_trial(study, seed=3)
            rates.append(trial.suggest_float("rate", 0.0, 1.0))
            trial.set_user_attr("settings", {})
            study.tell(trial, rates[-1] if state == "complete" else None, state=None if state == "complete" else state)
        return rates, done(study)

    straight, count = drawn(["complete"] * 14)
    assert count == 14 and len(set(straight)) == 14
    failed = optuna.trial.TrialState.FAIL
    resumed, count = drawn(["complete", failed, *["complete"] * 11, failed, "complete", "complete"])
    assert count == 14
    assert resumed[1] == resumed[2] and resumed[13] == resumed[14]
    assert [*resumed[:1], *resumed[2:13], *resumed[14:]] == straight


def test_a_directory_is_neither_overwritten_nor_resumed_for_nothing(tmp_path):
    check_run_dir(tmp_path / "new", resume=False)
    with pytest.raises(ValueError, match="holds no study to resume; leave out --resume"):
        check_run_dir(tmp_path / "new", resume=True)
    check_run_dir(tmp_path, resume=False)
    (tmp_path / "notes.txt").touch()
    with pytest.raises(ValueError, match="already holds other files"):
        check_run_dir(tmp_path, resume=False)
    with pytest.raises(ValueError, match="already holds other files"):
        check_run_dir(tmp_path / "notes.txt", resume=False)
    (tmp_path / "study.sqlite3").touch()
    check_run_dir(tmp_path, resume=True)
    with pytest.raises(ValueError, match="already holds a study; go on with it"):
        check_run_dir(tmp_path, resume=False)
