"""One trainer to a run directory: of two that start at the same moment, one trains."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import kerasgan as kg
from kerasgan.testing import tiny_gan, tiny_images
from kerasgan.trainer.run_directory import RunDirectory, RunDirectoryError

ROUNDS = 50

RACES = """
import json, os, signal, sys
from pathlib import Path
from kerasgan.trainer.run_directory import RunDirectory, RunDirectoryError

parent, rounds = Path(sys.argv[1]), int(sys.argv[2])

def contend(run, resume, start, answer, end):
    os.read(start, 1)
    try:
        run.open(resume)
        if not resume:
            run.write_json(run.config_file, {})
    except (RunDirectoryError, OSError) as error:
        os.write(answer, f"refused {error}\\n".encode())
        os._exit(0)
    os.write(answer, f"trains {os.getpid()}\\n".encode())
    os.read(end, 1)

for number in range(rounds):
    # By turns a directory that is not there yet, and one in which the last trainer was killed.
    resume = number % 2
    run = RunDirectory(parent / f"run-{number // 2}")
    start, answer, end = os.pipe(), os.pipe(), os.pipe()
    children = []
    for _ in range(2):
        children.append(os.fork())
        if children[-1] == 0:
            os.close(start[1])
            contend(run, resume, start[0], answer[1], end[0])
            os._exit(1)
    os.close(start[1])  # Now, both at once.
    os.close(answer[1])
    answers = ""
    while answers.count("\\n") < 2:
        answers += os.read(answer[0], 1000).decode()
    print(json.dumps(answers.splitlines()), flush=True)
    for child in children:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    for descriptor in (start[0], answer[0], *end):
        os.close(descriptor)
"""


def test_of_two_trainers_on_one_directory_exactly_one_trains_fifty_times(tmp_path):
    command = [sys.executable, "-c", RACES, str(tmp_path), str(ROUNDS)]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert finished.returncode == 0, finished.stderr
    rounds = [sorted(json.loads(line)) for line in finished.stdout.splitlines()]
    assert len(rounds) == ROUNDS
    for refused, trains in rounds:
        assert trains.startswith("trains ")
        # The other may come so early that the winner has not written its name yet: how often depends on how busy the
        # cores are. tests/checkpoints/test_lock.py holds that whoever has written it is named.
        winner = trains.removeprefix("trains ")
        assert "is in use by " in refused and (f"by process {winner};" in refused or "by another" in refused), refused


def test_who_comes_a_moment_late_hears_that_the_directory_is_in_use(tmp_path, monkeypatch):
    """The winner comes after the other has seen no lock, and has written its configuration when that one looks."""
    winner, loser = RunDirectory(tmp_path / "run"), RunDirectory(tmp_path / "run")
    check = RunDirectory._check

    def late(run, resume):
        if run is loser and not winner.config_file.exists():
            winner.open(resume=False)
            winner.write_json(winner.config_file, {})
        check(run, resume)

    monkeypatch.setattr(RunDirectory, "_check", late)
    with pytest.raises(RunDirectoryError, match="run is in use by process"):
        loser.open(resume=False)
    winner.close()
    with pytest.raises(RunDirectoryError, match="already holds a run"):  # and when it is not, what is there
        loser.open(resume=False)


def test_without_the_lock_both_would_train(tmp_path):
    """The negative control."""
    code = RACES.replace("def contend", "RunDirectory._acquire = lambda self: None\n\ndef contend")
    command = [sys.executable, "-c", code, str(tmp_path), "10"]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert any(line.count("trains") == 2 for line in finished.stdout.splitlines()), finished.stdout + finished.stderr


def test_of_two_scripts_started_at_once_one_trains_and_the_other_says_in_one_line_why_not(tmp_path):
    np.savez(tmp_path / "squares.npz", images=((tiny_images(64) + 1) * 127.5).astype("uint8"))
    script = Path(__file__).parents[2] / "scripts" / "train_gan.py"
    command = [sys.executable, script, "--dataset", "squares.npz", "--run-dir", "run", "--epochs", "100000"]
    command += ["--batch-size", "16", "--latent-dim", "8"]
    logs, pair = [tmp_path / "stderr-0", tmp_path / "stderr-1"], []
    for log in logs:
        with log.open("w") as stderr:
            pair.append(subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=stderr))
    try:
        deadline = time.monotonic() + 240
        while all(process.poll() is None for process in pair) or not (tmp_path / "run/metrics.csv").exists():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        loser = 0 if pair[1].poll() is None else 1
        winner, refusal = pair[1 - loser], logs[loser].read_text()
        assert pair[loser].returncode == 2, refusal
        assert refusal.startswith("error: run is in use by ") and refusal.count("\n") == 1
        assert f"by process {winner.pid}; wait until" in refusal or "by another process" in refusal
        winner.send_signal(signal.SIGTERM)
        assert winner.wait(timeout=120) == 143
        told = logs[1 - loser].read_text()
        assert told == "Stopped by SIGTERM: the state is saved; resume to go on.\n"
    finally:
        for process in pair:
            process.kill()
            process.wait()
    assert json.loads((tmp_path / "run/results.json").read_text())["status"] == "interrupted"
    assert not list(tmp_path.glob("run/**/.lock"))


def trainer(run_dir, **options):
    return kg.Trainer(run_dir, callbacks=[kg.callbacks.Checkpoint()], **options)


def data():
    return kg.data.DataModule(tiny_images(24), batch_size=8, seed=0, test=(tiny_images(8), None))


def test_a_second_trainer_is_refused_before_it_writes_and_the_first_one_goes_on(tmp_path):
    with RunDirectory(tmp_path / "run").opened(resume=False) as run:
        run.write_json(run.config_file, {})
        before = {path: path.read_bytes() for path in run.path.iterdir()}
        for resume in (False, True):
            with pytest.raises(kg.RunDirectoryError, match=r"run is in use by process .*; wait until that has ended"):
                trainer(run.path).fit(tiny_gan(), data(), resume=resume)
        assert {path: path.read_bytes() for path in run.path.iterdir()} == before


def test_a_run_is_free_again_after_its_end_and_after_an_error(tmp_path):
    with pytest.raises(ValueError, match="monitor"):
        kg.Trainer(tmp_path / "run", callbacks=[kg.callbacks.Checkpoint(monitor="no such log")]).fit(tiny_gan(), data())
    assert not list(tmp_path.rglob(".lock"))
    trainer(tmp_path / "run", max_epochs=2).fit(tiny_gan(), data(), resume=True)
    assert not list(tmp_path.rglob(".lock"))


def test_a_run_is_read_while_it_goes_on_and_its_test_figures_are_not_lost(tmp_path, capsys):
    trainer(tmp_path / "run").fit(gan := tiny_gan(), data())
    results = tmp_path / "run" / "results.json"
    before = results.read_bytes()
    with RunDirectory(tmp_path / "run").opened(resume=True):
        assert kg.load_run(tmp_path / "run").global_step == 3
        means = trainer(tmp_path / "run").test(gan, data())
        assert "generator_loss" in means
        assert results.read_bytes() == before
        assert "the test figures are not written" in capsys.readouterr().err
    trainer(tmp_path / "run").test(gan, data())
    assert json.loads(results.read_bytes())["test"] == means
