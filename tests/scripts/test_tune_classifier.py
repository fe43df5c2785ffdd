import csv
import json
import re
import runpy
import signal
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest

from kerasgan.testing import tiny_images

SCRIPTS = Path(__file__).parents[2] / "scripts"
sys.path.insert(0, str(SCRIPTS))
SEARCH = ["--dataset", "squares.npz", "--network", "dense", "--val-size", "16", "--epochs", "2", "--seed", "1"]


def bright_squares(count, seed):
    """Images of a square in the left or in the right half, and which: two classes that are soon told apart."""
    images = ((tiny_images(count, seed=seed) + 1) * 127.5).astype("uint8")
    return images, (images[:, :, :4].sum(axis=(1, 2, 3)) < images[:, :, 4:].sum(axis=(1, 2, 3))).astype("uint8")


def started(path, *arguments):
    line = [sys.executable, str(SCRIPTS / "tune_classifier.py"), *arguments]
    return subprocess.Popen(line, cwd=path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for(file, process):
    deadline = time.monotonic() + 240
    while not file.exists():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.01)


def rows_of(run_dir):
    with (run_dir / "trials.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A directory with a data set, and a search on it that was killed during its second trial and then resumed."""
    path = tmp_path_factory.mktemp("tune")
    (images, labels), (test_images, test_labels) = bright_squares(80, seed=0), bright_squares(20, seed=1)
    np.savez(path / "squares.npz", x_train=images, y_train=labels, x_test=test_images, y_test=test_labels)
    np.savez(path / "unlabelled.npz", images=images)
    killed = started(path, *SEARCH, "--trials", "2", "--run-dir", "run", "--final-epochs", "0")
    wait_for(path / "run/trials/trial-001/config.json", killed)
    killed.kill()
    killed.communicate()
    results = path / "run/trials/trial-001/results.json"
    assert not results.exists() or json.loads(results.read_text())["status"] == "running"
    before = rows_of(path / "run")
    resumed = started(path, *SEARCH, "--trials", "2", "--run-dir", "run", "--final-epochs", "2", "--resume")
    output, error = resumed.communicate(timeout=300)
    assert (resumed.returncode, error) == (0, "")
    return path, before, output


@pytest.fixture
def tune(place, monkeypatch, capsys):
    """Run the script in this process; return the exit status, and what it printed on stdout and on stderr."""
    monkeypatch.chdir(place[0])
    monkeypatch.setenv("KERAS_BACKEND", keras.config.backend())
    monkeypatch.setenv("COLUMNS", "80")
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["tune_classifier.py", *map(str, arguments)])
        try:
            runpy.run_path(str(SCRIPTS / "tune_classifier.py"), run_name="__main__")
        except SystemExit as end:
            return end.code, *capsys.readouterr()
        return 0, *capsys.readouterr()

    yield run
    for number, handler in handlers.items():
        signal.signal(number, handler)


def test_a_trial_that_was_killed_is_run_again_with_the_same_parameters(place):
    path, before, output = place
    first, killed, again = rows_of(path / "run")
    assert [first] == before
    assert [row["state"] for row in (first, killed, again)] == ["complete", "failed", "complete"]
    settings = list(first)[4:]
    assert (
        [killed[name] for name in settings] == [again[name] for name in settings] != [first[name] for name in settings]
    )
    assert sorted(file.name for file in (path / "run/trials").iterdir()) == ["trial-000", "trial-002"]
    assert re.search(r"^ +1 +- lost", output, re.MULTILINE)


def test_the_terminal_gets_a_line_a_trial_of_at_most_80_columns(place):
    # What follows is said by the training of the final model, as by any other.
    lines = place[2].split("\nmodule ")[0].splitlines()
    table = next(number for number, line in enumerate(lines) if line.startswith("trial  score"))
    assert [line.split()[0] for line in lines[table + 1 : table + 4]] == ["0", "1", "2"]
    assert "best" in lines[table + 1] and "The best 2 trials" in lines
    assert max(map(len, lines)) <= 80


def test_the_best_trial_is_trained_longer_and_judged_on_the_test_split(place):
    run = place[0] / "run"
    best = max((row for row in rows_of(run) if row["value"]), key=lambda row: float(row["value"]))
    report = (run / "report.md").read_text()
    assert f"Those of trial {best['number']}," in report
    assert re.search(rf"\| rate +\| +{re.escape(best['rate'])} \|", report)
    (accuracy,) = re.findall(r"\| test accuracy +\| +(\S+) \|", report)
    assert f"test  accuracy {accuracy}\n" in place[2]
    final = (run / "final/report.md").read_text()
    assert re.search(rf"\| accuracy +\| +{accuracy} \|", final) and "test split" in final
    config = json.loads((run / "final/config.json").read_text())
    assert config["data"]["batch_size"] == int(best["batch_size"])
    assert json.loads((run / "final/results.json").read_text())["epochs"] == 2


def test_whatever_the_report_links_to_is_there(place):
    run = place[0] / "run"
    links = re.findall(r"\]\(([^)]+)\)", (run / "report.md").read_text())
    assert set(links) == {"trials.png", "trials.csv", "final/report.md", "final/model.keras"}
    assert all((run / link).is_file() for link in links)


def test_the_final_model_predicts_like_that_of_any_run(place, monkeypatch, capsys):
    monkeypatch.chdir(place[0])
    monkeypatch.setenv("KERAS_BACKEND", keras.config.backend())
    monkeypatch.setattr(sys, "argv", ["predict.py", "run/final", "--index", "3", "--dataset", "squares.npz"])
    runpy.run_path(str(SCRIPTS / "predict.py"), run_name="__main__")
    assert "test image 3 of squares: " in capsys.readouterr().out


def test_resuming_what_is_done_trains_nothing_and_says_the_same(tune, place):
    run = place[0] / "run"
    files = {file: file.stat().st_mtime_ns for file in (run / "final").rglob("*") if file.is_file()}
    report = (run / "report.md").read_text()
    status, output, error = tune(*SEARCH, "--trials", "2", "--run-dir", "run", "--final-epochs", "2", "--resume")
    assert (status, error) == (0, "")
    assert "test  accuracy" in output and "epoch 1/2" not in output
    assert files == {file: file.stat().st_mtime_ns for file in (run / "final").rglob("*") if file.is_file()}
    assert (run / "report.md").read_text() == report


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (
            [*SEARCH, "--run-dir", "run"],
            "run already holds a study; go on with it (--resume) or choose another --run-dir.",
        ),
        ([*SEARCH, "--run-dir", "new", "--resume"], "new holds no study to resume; leave out --resume to start one"),
        ([*SEARCH, "--resume"], "--resume needs --run-dir"),
        ([*SEARCH, "--run-dir", "run", "--resume", "--epochs", "3"], "with other settings: epochs was 2 and is 3. Use"),
        (
            [*SEARCH, "--run-dir", "run", "--resume", "--final-epochs", "5", "--trials", "2"],
            "trained for 2 epochs, and",
        ),
        ([*SEARCH, "--run-dir", "new", "--val-size", "0"], "0 is neither a whole number nor a fraction below 1"),
        ([*SEARCH, "--run-dir", "new", "--timeout", "-1"], "-1 is no time; give a number of minutes such as 90"),
        ([*SEARCH, "--run-dir", "new", "--augment", "squeeze"], "augmentation 'squeeze' is unknown; choose from shift"),
        ([*SEARCH, "--run-dir", "new", "--fast-dev-run", "--resume"], "--fast-dev-run keeps nothing"),
        (["--dataset", "unlabelled.npz", "--run-dir", "new"], "unlabelled has no labels"),
        (["--dataset", "mnits", "--run-dir", "new"], "mnits"),
        (["--network", "transformer"], "invalid choice: 'transformer'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_input_is_one_line_and_leaves_nothing_behind(tune, place, arguments, complaint):
    before = rows_of(place[0] / "run")
    status, _, error = tune(*arguments)
    assert status == 2
    assert complaint in error
    assert error.startswith("error: ") and error.count("\n") == 1
    assert not (place[0] / "new").exists() and rows_of(place[0] / "run") == before


def test_a_study_that_cannot_be_read_is_named(tune, place):
    (place[0] / "broken").mkdir()
    (place[0] / "broken/study.sqlite3").write_bytes(b"not a database" * 100)
    status, _, error = tune(*SEARCH, "--run-dir", "broken", "--resume")
    assert status == 1
    assert "broken/study.sqlite3 cannot be used (file is not a database); restore it, or" in error
    assert error.count("\n") == 1


def test_a_missing_optuna_is_one_line_that_says_what_to_install(tune, place, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    status, _, error = tune(*SEARCH, "--run-dir", "new")
    assert status == 2
    assert error == 'error: the search needs optuna, which is not installed; pip install -e ".[tune]".\n'
    assert not (place[0] / "new").exists()


def test_a_search_that_comes_to_nothing_is_one_line_and_a_failure(tune, place, monkeypatch):
    def none_complete(trials):
        return []

    monkeypatch.setattr("kerasgan.tuning.report.ranked", none_complete)
    status, _, error = tune(*SEARCH, "--trials", "2", "--run-dir", "run", "--resume")
    assert status == 1
    assert error == "error: none of 3 trials came to its end; --resume with more --trials.\n"


def test_when_the_time_is_up_no_further_trial_begins(tune, place):
    line = [*SEARCH, "--trials", "50", "--run-dir", "hasty", "--timeout", "0.001", "--final-epochs", "0"]
    assert tune(*line)[0] == 0
    assert len(rows_of(place[0] / "hasty")) == 1
    assert not (place[0] / "hasty/final").exists()


def test_a_fast_dev_run_leaves_nothing_behind(tune, place):
    before = sorted(place[0].iterdir())
    status, output, error = tune(*SEARCH, "--fast-dev-run")
    assert (status, error) == (0, "")
    assert "Every part ran; nothing was kept." in output
    assert sorted(place[0].iterdir()) == before


def test_a_signal_leaves_the_study_intact_and_is_told_by_the_exit_status(place):
    path = place[0]
    line = ["--dataset", "squares.npz", "--network", "dense", "--val-size", "16", "--epochs", "100000"]
    process = started(path, *line, "--run-dir", "stopped")
    wait_for(path / "stopped/trials/trial-000/metrics.csv", process)
    process.send_signal(signal.SIGTERM)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 143
    assert error == "Stopped by SIGTERM: 0 trials kept in stopped; --resume to go on.\n"
    assert (path / "stopped/study.sqlite3").exists() and list((path / "stopped/trials").iterdir()) == []
