import os
import signal
import threading

import numpy as np
import optuna
import pytest

import kerasgan as kg
from kerasgan.testing import tiny_images
from kerasgan.tuning.conditions import Conditions
from kerasgan.tuning.study import rows_of, trial_dir
from kerasgan.tuning.trial import run_trial

SETTINGS = {"network": "dense", "layers": 1, "units": 8, "activation": "relu", "dropout": 0.0, "optimizer": "sgd"}
SETTINGS |= {"rate": 0.01, "batch_size": 16}


@pytest.fixture
def data():
    images = ((tiny_images(80) + 1) * 127.5).astype("uint8")
    return kg.data.DataModule(images, np.arange(80) % 2, batch_size=16, val_size=16)


@pytest.fixture
def tried(tmp_path, data):
    """Run one trial; return its row and what `run_trial` returned."""

    def run(pruner=None, **changes):
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        study = optuna.create_study(direction="maximize", pruner=pruner or optuna.pruners.NopPruner())
        trial, settings = study.ask(), SETTINGS | changes
        trial.set_user_attr("settings", settings)
        received = run_trial(study, trial, settings, Conditions(epochs=3), data, tmp_path)
        return rows_of(study)[0], received

    return run


def epochs_of(run_dir):
    return len((trial_dir(run_dir, 0) / "metrics.csv").read_text().splitlines()) - 1


def test_a_trial_comes_to_the_accuracy_of_its_last_epoch(tried, tmp_path):
    row, received = tried()
    assert (row.state, received) == ("complete", None)
    last = (trial_dir(tmp_path, 0) / "metrics.csv").read_text().splitlines()
    assert row.value == pytest.approx(
        float(dict(zip(last[0].split(","), last[-1].split(","), strict=True))["val_accuracy"])
    )
    assert epochs_of(tmp_path) == 3
    assert not list(tmp_path.rglob("*.keras")) and list(tmp_path.rglob("tensorboard/*"))


def test_a_convnet_is_tried_like_any_network(tried):
    convnet = {"network": "convnet", "blocks": 1, "filters": 16, "convolutions": 1, "units": 0}
    row, _ = tried(**convnet, batch_normalization=True)
    assert row.state == "complete"


def test_a_trial_says_nothing_but_what_its_row_says(tried, capfd):
    tried()
    assert capfd.readouterr().out == ""


def test_a_trial_ends_early_where_the_pruner_says_so(tried, tmp_path):
    row, _ = tried(optuna.pruners.ThresholdPruner(lower=2.0))
    assert row.state == "pruned" and 0 <= row.value <= 1
    assert epochs_of(tmp_path) == 1


def test_the_last_epoch_is_no_reason_to_call_a_trial_pruned(tried, tmp_path):
    row, _ = tried(optuna.pruners.ThresholdPruner(lower=2.0, n_warmup_steps=2))
    assert row.state == "complete" and epochs_of(tmp_path) == 3


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


def test_outside_the_main_thread_a_trial_listens_to_no_signals(tried):
    # Python would let it listen nowhere else, and a notebook or a server may well train in another one.
    found = []
    thread = threading.Thread(target=lambda: found.append(tried()))
    thread.start()
    thread.join()
    assert found[0][0].state == "complete"
