"""A directory has one writer; its lock ends with it, however it ends, and leaves no trace."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from kerasgan.checkpoints import DirectoryInUse, DirectoryLock, lock
from tests.checkpoints.disks import entries

HOLDS = """
import os, sys, time, types

# Bare packages in the place of the real ones, whose import would import Keras.
for name, path in (("kerasgan", ""), ("kerasgan.checkpoints", sys.argv[1])):
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__path__ = [path]
from kerasgan.checkpoints.lock import DirectoryLock
lock = DirectoryLock(sys.argv[2])
lock.acquire()
"""


def holder(directory: Path, code: str) -> subprocess.Popen[str]:
    """Another process that holds the lock of a directory and then runs `code`."""
    command = [sys.executable, "-c", HOLDS + code, str(Path(lock.__file__).parent), str(directory)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_a_lock_keeps_a_second_one_out_until_it_is_released(tmp_path: Path) -> None:
    first, second = DirectoryLock(tmp_path), DirectoryLock(tmp_path)
    first.acquire()
    first.acquire()  # has it already
    with pytest.raises(DirectoryInUse, match=f"{tmp_path} is in use by process {os.getpid()}; wait .* choose another"):
        second.acquire()
    first.release()
    first.release()
    assert entries(tmp_path) == []
    second.acquire()
    assert entries(tmp_path) == [".lock"]
    second.release()


def test_another_process_is_named_and_its_death_frees_the_directory(tmp_path: Path) -> None:
    with holder(tmp_path, "print('held', flush=True); sys.stdin.read()") as other:
        assert said(other) == "held"
        with pytest.raises(DirectoryInUse, match=f"in use by process {other.pid};"):
            DirectoryLock(tmp_path).acquire(take_over=True)
        other.kill()
    assert entries(tmp_path) == [".lock"]  # A kill leaves the file, which locks nothing.
    mine = DirectoryLock(tmp_path)
    mine.acquire()
    mine.release()
    assert entries(tmp_path) == []


@pytest.mark.parametrize("end", ["os._exit(9)", "lock.release()"])
def test_a_child_that_outlives_its_parent_does_not_keep_the_lock(tmp_path: Path, end: str) -> None:
    """Loader workers are forked; a started program inherits nothing."""
    code = f"""
import subprocess
if os.fork() == 0:
    program = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], close_fds=False)
    lock.release()  # of a copy: must not delete the file of the holder
    print(len(os.listdir(sys.argv[2])), flush=True)
    program.wait()
    os._exit(0)
sys.stdin.readline()
{end}
print("gone", flush=True)
os._exit(0)
"""
    with holder(tmp_path, code) as other:
        assert other.stdin is not None
        assert said(other) == "1"
        with pytest.raises(DirectoryInUse):
            DirectoryLock(tmp_path).acquire()
        other.stdin.write("go\n")
        other.stdin.flush()
        if end == "os._exit(9)":
            assert other.wait(60) == 9
        else:
            assert said(other) == "gone"
        mine = DirectoryLock(tmp_path)
        mine.acquire()  # while child and grandchild still wait for the end of their input
        mine.release()


def test_a_fit_that_raised_may_be_followed_by_another_in_the_same_process(tmp_path: Path) -> None:
    left_behind, again = DirectoryLock(tmp_path), DirectoryLock(tmp_path / ".." / tmp_path.name)
    left_behind.acquire()
    again.acquire(take_over=True)
    left_behind.release()
    with pytest.raises(DirectoryInUse):
        DirectoryLock(tmp_path).acquire()
    again.release()


def test_a_directory_removed_and_made_anew_keeps_the_lock_of_its_new_owner(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    old, new = DirectoryLock(run), DirectoryLock(run)
    old.acquire()
    (run / ".lock").unlink()
    run.rmdir()
    run.mkdir()
    new.acquire()
    old.release()
    assert entries(run) == [".lock"]
    new.release()


def test_a_lock_whose_file_is_deleted_between_opening_and_locking_it_is_taken_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flock, times = lock.fcntl.flock, []

    def late(descriptor: int, operation: int) -> None:
        if not times:
            (tmp_path / ".lock").unlink()  # by the holder before, in its last moment
        times.append(descriptor)
        flock(descriptor, operation)

    monkeypatch.setattr(lock.fcntl, "flock", late)
    mine = DirectoryLock(tmp_path)
    mine.acquire()
    assert len(times) == 2
    monkeypatch.undo()
    with pytest.raises(DirectoryInUse):
        DirectoryLock(tmp_path).acquire()
    mine.release()


def test_a_full_disk_does_not_keep_anybody_from_a_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    mine = DirectoryLock(tmp_path)
    mine.acquire()
    monkeypatch.undo()
    with pytest.raises(DirectoryInUse, match="in use by another process"):
        DirectoryLock(tmp_path).acquire()
    mine.release()


def test_a_directory_that_cannot_be_written_is_named_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A superuser may write into read-only directories, so the refusal is pretended."""
    with pytest.raises(OSError, match="not locked: No such file or directory; the directory was removed"):
        DirectoryLock(tmp_path / "missing").acquire()

    def refuse(*arguments: object) -> int:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(OSError, match="not locked: Read-only file system; make the directory writable") as caught:
        DirectoryLock(tmp_path).acquire()
    assert caught.value.filename == str(tmp_path)


def test_a_link_in_the_place_of_the_lock_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "thesis").write_text("ten years of work")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".lock").symlink_to(tmp_path / "thesis")
    with pytest.raises(OSError, match="not locked"):
        DirectoryLock(tmp_path / "run").acquire()
    assert (tmp_path / "thesis").read_text() == "ten years of work"


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.EOPNOTSUPP, None], ids=["NFS", "a network drive", "Windows"])
def test_where_there_are_no_locks_a_warning_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int | None
) -> None:
    def refuse(descriptor: int, operation: int) -> None:
        assert code is not None
        raise OSError(code, os.strerror(code))

    if code is None:
        monkeypatch.setattr(lock, "fcntl", None)
    else:
        monkeypatch.setattr(lock.fcntl, "flock", refuse)
    mine = DirectoryLock(tmp_path)
    with pytest.warns(UserWarning, match=r"cannot be locked \(.*\), so nothing keeps a second training out"):
        mine.acquire()
    mine.release()
    assert entries(tmp_path) == []


def test_a_lock_that_fails_otherwise_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(descriptor: int, operation: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(lock.fcntl, "flock", refuse)
    with pytest.raises(OSError, match="not locked: Input/output error; check the disk"):
        DirectoryLock(tmp_path).acquire()
