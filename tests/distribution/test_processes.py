"""Two processes of one run: how they meet, what they must agree on, and what is left when one of them goes."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.distribution import life
from tests.distribution.conftest import PROGRAM, Child, Children, free_port

LONG = {"task": "gan", "network": "tiny", "max_steps": 1_000_000, "every_n_steps": 5}


def training(run_dir: Path, **options: Any) -> list[dict[str, Any]]:
    return [{**LONG, "run_dir": str(run_dir), **options}]


def steps(run_dir: Path) -> list[str]:
    return sorted(path.name for path in (run_dir / "checkpoints").glob("step-*"))


def results(run_dir: Path) -> dict[str, Any]:
    return json.loads((run_dir / "results.json").read_text())


@pytest.mark.parametrize("victim", [0, 1])
def test_a_killed_process_ends_the_other_with_one_line_and_the_run_resumes(
    children: Children, tmp_path: Path, wait_for: Any, victim: int
) -> None:
    run = tmp_path / "run"
    pair = children.pair(training(run))
    wait_for(lambda: steps(run) or any(child.process.poll() is not None for child in pair))
    assert steps(run), pair[0].said + pair[1].said
    os.kill(pair[victim].process.pid, signal.SIGKILL)
    killed = time.monotonic()
    survivor = pair[1 - victim]
    assert survivor.wait(60) == 1, survivor.said
    assert time.monotonic() - killed < 60
    assert survivor.err.startswith("error: the other of the 2 processes of this run has failed or is gone (")
    assert survivor.err.endswith("start all of them again with resume (resume=True, --resume).\n")
    assert survivor.err.count("\n") == 1
    stood = int(steps(run)[-1].removeprefix("step-"))
    life.gan_run(str(run), network="tiny", resume=True, max_steps=stood + 2)  # by itself
    assert results(run)["status"] == "done"
    assert results(run)["steps"] == stood + 2


def test_a_signal_to_one_process_stops_all_at_the_same_step_with_the_state_saved(
    children: Children, tmp_path: Path, wait_for: Any
) -> None:
    run = tmp_path / "run"
    pair = children.pair(training(run, every_n_steps=None))
    wait_for(lambda: (run / "metrics.csv").exists() or any(child.process.poll() is not None for child in pair))
    os.kill(pair[1].process.pid, signal.SIGTERM)
    assert [child.wait() for child in pair] == [143, 143], pair[0].said + pair[1].said
    assert [child.err for child in pair] == ["Stopped by SIGTERM: the state is saved; resume to go on.\n"] * 2
    assert results(run)["status"] == "interrupted"
    assert int(steps(run)[-1].removeprefix("step-")) == results(run)["steps"]


def test_processes_that_were_told_different_things_say_what_differs(children: Children, tmp_path: Path) -> None:
    pair = children.pair([{"task": "disagreements", "run_dir": str(tmp_path)}])
    for child in pair:
        child.wait()
    start, end = "the processes disagree on the ", "; start all of them with the same options, data and code."
    expected = [
        f"{start}trainer: max_steps is 5 in process 0 and 6 in process 1{end}",
        f"{start}run: batch_size is 16 in process 0 and 8 in process 1{end}",
    ]
    assert [child.results() for child in pair] == [[expected], [expected]], pair[0].said + pair[1].said


def test_a_script_refuses_processes_with_different_command_lines(children: Children, tmp_path: Path) -> None:
    place = ["--coordinator", f"127.0.0.1:{free_port()}", "--num-processes", "2", "--run-dir", str(tmp_path / "run")]
    pair = [
        children.script("train_gan.py", [*place, "--process-id", str(number), "--latent-dim", str(7 + number)])
        for number in range(2)
    ]
    line = (
        "error: the processes disagree on the command line: latent_dim is 7 in process 0 and 8 in process 1; start all "
        "of them with the same options, data and code.\n"
    )
    assert [(child.wait(), child.out, child.err) for child in pair] == [(2, "", line)] * 2


def test_a_script_needs_the_address_the_number_and_the_place_of_a_process(children: Children, tmp_path: Path) -> None:
    child = children.script("train_classifier.py", ["--coordinator", "127.0.0.1:1", "--process-id", "1"])
    line = "error: num_processes is missing; give coordinator, num_processes and process_id together.\n"
    assert (child.wait(), child.err) == (2, line)


def test_a_process_that_fails_by_itself_takes_the_other_along(children: Children, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "notes.txt").write_text("somebody else's")
    first, second = children.pair(training(tmp_path / "run"))
    assert (first.wait(), second.wait(60)) == (2, 1), first.said + second.said
    assert "already holds a run or other files" in first.err
    assert "the other of the 2 processes of this run has failed" in second.err


def test_nobody_outlives_a_run(children: Children, wait_for: Any) -> None:
    groups = {str(child.process.pid) for child in children.all}

    def left() -> list[str]:
        table = subprocess.run(["ps", "-axo", "pgid=,stat=,command="], capture_output=True, text=True, check=True)
        # A zombie is dead, and waits for the init process to take note.
        return [row for row in table.stdout.splitlines() if row.split()[0] in groups and "Z" not in row.split()[1]]

    assert groups
    wait_for(lambda: not left(), seconds=20)


def test_the_children_of_these_tests_are_ended_with_all_they_started(tmp_path: Path) -> None:
    tasks = json.dumps([{"task": "gan", "run_dir": str(tmp_path / "run")}])
    env = {"LIFE_COORDINATOR": "127.0.0.1:9", "LIFE_PROCESS": "1"}
    child = Child([str(PROGRAM), tasks], tmp_path, "child", env)
    child.end()
    assert child.process.returncode == -signal.SIGKILL
