"""A disk that fails, or a process that dies, at each single call: no checkpoint is ever torn or lost."""

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kerasgan.checkpoints import CheckpointError, CheckpointStore, files
from kerasgan.checkpoints.format import MANIFEST, STATE, encode
from tests.checkpoints.disks import Dead, contents, entries, fail_at_every_call, torn_checkpoints


class InPlaceStore(CheckpointStore):
    """The negative control: the same two files, written where they will lie."""

    def save(self, step: int, arrays: Any, metadata: Any) -> Path:
        path = self.directory / f"step-{step:09d}"
        path.mkdir(exist_ok=True)
        state, manifest = encode(step, arrays, metadata)
        for name, data in ((STATE, state), (MANIFEST, manifest)):
            with files.open(path / name, "wb", buffering=0) as file:  # type: ignore[attr-defined]
                file.write(data)
        return path


def test_everything_is_flushed_before_it_is_named_and_the_name_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No test can cut the power; this one reads the order of the calls that a power cut depends on."""
    calls: list[str] = []
    fsync, rename = os.fsync, os.rename

    def log_fsync(descriptor: int) -> None:
        path = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        calls.append("flush " + ("temporary" if path.name.startswith(".tmp-") else path.name))
        fsync(descriptor)

    def log_rename(source: Path, target: Path) -> None:
        calls.append("rename")
        rename(source, target)

    monkeypatch.setattr(os, "fsync", log_fsync)
    monkeypatch.setattr(os, "rename", log_rename)
    checkpoints = CheckpointStore(tmp_path / "checkpoints")
    checkpoints.save(1, *contents(1))
    written = ["flush state.safetensors", "flush manifest.json", "flush temporary"]
    named = ["rename", "flush checkpoints"]
    assert calls == [f"flush {tmp_path.name}", *written, *named]
    calls.clear()
    checkpoints.save(1, *contents(1, 1))
    assert calls == [*written, "rename", *named, *named]  # Old away; new in; old out of sight.


ACTIONS: dict[str, Callable[[CheckpointStore], object]] = {
    "save": lambda checkpoints: checkpoints.save(3, *contents(3)),
    "replace": lambda checkpoints: checkpoints.save(2, *contents(2, 1)),
    "prune": lambda checkpoints: checkpoints.prune(1),
}


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EROFS])
@pytest.mark.parametrize("dead", [False, True], ids=["one failure", "a dead disk"])
def test_a_failing_disk_is_one_clear_error_and_harms_no_earlier_checkpoint(
    tmp_path: Path, action: str, code: int, dead: bool
) -> None:
    error = OSError(code, os.strerror(code))
    times = 0
    for checkpoints, problem in fail_at_every_call(tmp_path, CheckpointStore, ACTIONS[action], error, dead=dead):
        times += 1
        assert isinstance(problem, CheckpointError)
        assert str(checkpoints.directory) in str(problem) and os.strerror(code) in str(problem)
        assert "\n" not in str(problem)
        assert torn_checkpoints(checkpoints) == []
        assert checkpoints.steps()[:2] == [1, 2] or (action == "prune" and checkpoints.steps() == [2])
        if not dead:
            assert (checkpoints.directory / "step-000000002").exists()  # Also under its plain name.
        if action != "prune" and not dead:
            assert not any(name.startswith(".tmp-") for name in entries(checkpoints.directory))
        checkpoints.collect_garbage()
        assert entries(checkpoints.directory) == [f"step-00000000{step}" for step in checkpoints.steps()]
    assert times > 3


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("collect", [False, True], ids=["garbage stays", "garbage goes"])
def test_a_death_at_any_call_leaves_whole_checkpoints_and_the_next_run_goes_on(
    tmp_path: Path, action: str, collect: bool
) -> None:
    versions = set()
    for checkpoints, problem in fail_at_every_call(tmp_path, CheckpointStore, ACTIONS[action], Dead(), dead=True):
        assert isinstance(problem, Dead)
        assert torn_checkpoints(checkpoints) == []
        assert 2 in checkpoints.steps()
        before = checkpoints.load(2).metadata["mark"]
        versions.add(before)
        if collect:
            checkpoints.collect_garbage()
            assert checkpoints.load(2).metadata["mark"] == before
        checkpoints.save(2, *contents(2, 7))
        checkpoints.save(4, *contents(4))
        assert torn_checkpoints(checkpoints) == []
        assert checkpoints.load(2).metadata["mark"] == 2007
        checkpoints.prune(1)
        checkpoints.collect_garbage()
        assert entries(checkpoints.directory) == ["step-000000004"]
    assert versions == ({2000, 2001} if action == "replace" else {2000})


def test_a_death_while_writing_in_place_is_found_torn(tmp_path: Path) -> None:
    """The negative control: the same deaths, and the same eyes, on a store that does nothing about them."""
    torn = [
        torn_checkpoints(checkpoints)
        for checkpoints, _ in fail_at_every_call(tmp_path, InPlaceStore, ACTIONS["replace"], Dead(), dead=True)
    ]
    assert sum(map(bool, torn)) >= 3


def test_a_death_while_collecting_garbage_is_made_good_by_the_next(tmp_path: Path) -> None:
    def crash_then_collect(checkpoints: CheckpointStore) -> None:
        checkpoints.collect_garbage()

    def interrupted(directory: Path) -> CheckpointStore:
        class Interrupted(CheckpointStore):
            def collect_garbage(self) -> list[Path]:
                os.rename(self.directory / "step-000000002", self.directory / "step-000000002.replaced")
                shutil.copytree(self.directory / "step-000000001", self.directory / ".tmp-1-ab")
                return super().collect_garbage()

        return Interrupted(directory)

    for checkpoints, _ in fail_at_every_call(tmp_path, interrupted, crash_then_collect, Dead(), dead=True):
        assert (torn_checkpoints(checkpoints), checkpoints.steps()) == ([], [1, 2])
        checkpoints.collect_garbage()
        assert entries(checkpoints.directory) == ["step-000000001", "step-000000002"]


def test_an_interrupt_in_the_middle_of_a_save_leaves_no_trace(tmp_path: Path) -> None:
    for checkpoints, problem in fail_at_every_call(
        tmp_path, CheckpointStore, ACTIONS["save"], KeyboardInterrupt(), dead=False
    ):
        assert isinstance(problem, KeyboardInterrupt)
        assert torn_checkpoints(checkpoints) == []
        assert not any(name.startswith(".tmp-") for name in entries(checkpoints.directory))
