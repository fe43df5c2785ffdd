"""The eyes of the tables see: what they should catch is caught, and a process of its own gets the same answer."""

from pathlib import Path

import pytest

from tests.inputs import commands


def test_memory_that_was_taken_is_seen_even_if_given_back():
    with commands.spent() as cost:
        bytearray(commands.MOST_MEMORY + 2**20)
    assert cost[1] > commands.MOST_MEMORY
    with commands.spent() as cost:
        bytearray(2**20)
    assert cost[1] < commands.MOST_MEMORY


def test_work_is_seen():
    with commands.spent() as cost:
        sum(range(10**6))
    assert 0.001 < cost[0] < commands.MOST_SECONDS


def test_whatever_is_made_changed_or_removed_is_seen(tmp_path):
    for name in ("changed", "removed", "same"):
        (tmp_path / name).write_text(name)
    before = commands.snapshot(tmp_path)
    assert commands.changes(before, commands.snapshot(tmp_path)) == []
    (tmp_path / "changed").write_text("CHANGED")
    (tmp_path / "removed").unlink()
    (tmp_path / "run").mkdir()
    (tmp_path / "run/.lock").write_text("")
    (tmp_path / "run/config.json").write_text("{}")
    assert commands.changes(before, commands.snapshot(tmp_path)) == ["changed", "removed", "run", "run/config.json"]


def test_a_command_that_waits_for_ever_is_a_failure(monkeypatch):
    monkeypatch.setattr(commands, "_HANGS_AFTER", 1)
    with pytest.raises(pytest.fail.Exception, match="hung"), commands.hanging_is_a_failure():
        signal_that_never_comes()


def signal_that_never_comes():
    import threading

    threading.Event().wait()


PROCESSES = {
    "train_gan.py": ["--dataset", "bad.npz"],
    "train_classifier.py": ["--dataset", "bad.npz"],
    "tune_classifier.py": ["--dataset", "bad.npz", "--run-dir", "new"],
    "sample.py": ["bad.npz"],
    "predict.py": ["bad.npz", "--index", "0"],
}


@pytest.mark.parametrize("name", PROCESSES)
def test_a_process_of_its_own_answers_the_same(process, here, name):
    Path("bad.npz").write_bytes(b"not a zip")
    process("bad.npz", name, *PROCESSES[name])
