"""The files of one run: what is left half written goes when it is resumed, and a fresh directory is one's own."""

import subprocess
import sys
import threading

import pytest

import kerasgan as kg
from kerasgan.trainer.run_directory import RunDirectory, RunDirectoryError


@pytest.fixture
def killed_run(tmp_path):
    """A run whose process died while writing, in each of its directories."""
    run = RunDirectory(tmp_path / "run")
    run.open(resume=False)
    run.write_json(run.config_file, {"seed": 0})
    for directory in (run.path, run.samples, run.store.directory, run.tensorboard):
        directory.mkdir(exist_ok=True)
        (directory / ".tmp-1-ab").write_bytes(b"half")
        (directory / "kept").write_bytes(b"whole")
    run.close()
    (run.path / ".lock").write_text("1 elsewhere\n")  # The kernel has taken the lock back; its file stays.
    return run


def names(directory):
    return sorted(path.name for path in directory.iterdir())


def test_resuming_deletes_what_a_kill_left_half_written(killed_run):
    with killed_run.opened(resume=True):
        assert names(killed_run.path) == [
            ".lock", "checkpoints", "config.json", "kept", "samples", "tensorboard",
        ]  # fmt: skip
        assert names(killed_run.samples) == ["kept"]
        # Where others look after their own.
        for directory in (killed_run.store.directory, killed_run.tensorboard):
            assert names(directory) == [".tmp-1-ab", "kept"]
    assert names(killed_run.path) == ["checkpoints", "config.json", "kept", "samples", "tensorboard"]


def test_a_run_that_is_refused_is_not_touched(killed_run):
    with pytest.raises(RunDirectoryError, match="already holds a run"):
        killed_run.open(resume=False)
    assert (killed_run.path / ".tmp-1-ab").exists()


def test_a_directory_of_other_files_is_refused_without_being_locked(tmp_path):
    (tmp_path / "thesis.tex").write_text("")
    (tmp_path / ".tmp-1-ab").write_text("")
    for resume, complaint in ((False, "already holds a run or other files"), (True, "holds no run to resume")):
        with pytest.raises(RunDirectoryError, match=complaint):
            RunDirectory(tmp_path).open(resume)
    assert names(tmp_path) == [".tmp-1-ab", "thesis.tex"]


def test_a_run_without_samples_is_resumed(tmp_path):
    run = RunDirectory(tmp_path / "run")
    with run.opened(resume=False):
        run.write_json(run.config_file, {})
    with run.opened(resume=True):
        assert names(run.path) == [".lock", "config.json"]
    assert names(run.path) == ["config.json"]


def test_a_run_killed_before_it_began_may_be_started_again(tmp_path):
    run = RunDirectory(tmp_path / "run")
    run.path.mkdir()
    for name in (".lock", ".tmp-1-ab"):
        (run.path / name).write_text("")
    with run.opened(resume=False):
        assert names(run.path) == [".lock"]
    assert names(run.path) == []


# Fresh directories.


def test_directories_asked_for_at_the_same_moment_are_different_ones(tmp_path):
    found, start = [], threading.Barrier(8)

    def ask():
        start.wait()
        found.append(kg.fresh_run_dir(tmp_path / "runs", "gan"))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(path.name for path in found) == [f"gan-00{number}" for number in range(1, 9)]


def test_a_fresh_directory_that_stays_empty_goes_with_its_process(tmp_path):
    code = f"""
import os, kerasgan as kg
os.chdir({str(tmp_path)!r})
for name in ("empty", "used"):
    print(kg.fresh_run_dir("runs/deep", name))
open("runs/deep/used-001/config.json", "w").close()
print(kg.fresh_run_dir("others", "empty"))
if os.fork() == 0:
    raise SystemExit  # A child's end is not that of the process that made them.
os.wait()
assert os.path.isdir("others/empty-001")
os.chdir("/")
"""
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.split() == ["runs/deep/empty-001", "runs/deep/used-001", "others/empty-001"]
    left = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*"))
    assert left == ["runs", "runs/deep", "runs/deep/used-001", "runs/deep/used-001/config.json"]
