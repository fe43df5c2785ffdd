import sqlite3
import sys

import optuna
import pytest

from kerasgan.tuning.study import (
    TuningError,
    check_run_dir,
    done,
    next_trial,
    open_study,
    require_optuna,
    rows_of,
    trial_dir,
)

CONDITIONS = {"network": "dense", "epochs": 2, "augment": ["shift"], "limit_train_batches": None}


def test_without_optuna_the_search_names_what_to_install(monkeypatch):
    require_optuna()
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ModuleNotFoundError, match=r'not installed; pip install -e "\.\[tune\]"'):
        require_optuna()


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


def test_baselines_come_first_and_again_if_one_was_cut_off():
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study, rates = optuna.create_study(direction="maximize"), []
    for state in [None, optuna.trial.TrialState.FAIL, None, None]:
        trial = next_trial(study, seed=3, baselines=[{"rate": 0.25}, {"rate": 0.75}])
        rates.append(trial.suggest_float("rate", 0.0, 1.0))
        trial.set_user_attr("settings", {})
        study.tell(trial, rates[-1] if state is None else None, state=state)
    assert rates[:3] == [0.25, 0.75, 0.75]
    assert rates[3] not in (0.25, 0.75)


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


def test_a_study_is_opened_again_under_the_same_conditions_only(tmp_path):
    number = open_study(tmp_path, CONDITIONS).ask().number
    again = open_study(tmp_path, CONDITIONS)
    assert number == 0 and len(again.trials) == 1
    with pytest.raises(ValueError, match="with other settings: epochs was 2 and is 3; augment was"):
        open_study(tmp_path, CONDITIONS | {"epochs": 3, "augment": []})


def test_what_a_kill_left_half_done_is_cleared_away(tmp_path):
    study = open_study(tmp_path, CONDITIONS)
    for value in (0.5, None):
        trial = next_trial(study, seed=0)
        trial.set_user_attr("settings", {"units": 8})
        trial_dir(tmp_path, trial.number).mkdir(parents=True)
        if value is not None:
            study.tell(trial, value)
    rows = rows_of(open_study(tmp_path, CONDITIONS))
    assert [(row.state, row.value) for row in rows] == [("complete", 0.5), ("failed", None)]
    assert rows[0].seconds >= 0 and rows[1].seconds is None
    assert trial_dir(tmp_path, 0).exists() and not trial_dir(tmp_path, 1).exists()


def test_the_file_holds_the_study_under_the_name_and_with_the_conditions_it_always_had(tmp_path):
    # Searches that an earlier version began are found by these.
    open_study(tmp_path, CONDITIONS)
    connection = sqlite3.connect(tmp_path / "study.sqlite3")
    names = [name for (name,) in connection.execute("select study_name from studies")]
    keys = [key for (key,) in connection.execute("select key from study_user_attributes")]
    connection.close()
    assert (names, keys) == (["search"], ["settings"])
    assert open_study(tmp_path, CONDITIONS).user_attrs == {"settings": CONDITIONS}


def test_a_file_that_is_no_study_is_named(tmp_path):
    (tmp_path / "study.sqlite3").write_bytes(b"not a database" * 100)
    with pytest.raises(TuningError, match=r"study.sqlite3 cannot be used \(file is not a database\); restore it, or"):
        open_study(tmp_path, CONDITIONS)
