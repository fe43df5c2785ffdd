"""What the tests of checkpoints share: states that tell a mixture, and a disk that fails when told to.

It imports no Keras, so that `failures.py` can fork.
"""

import errno
import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kerasgan.checkpoints import files
from kerasgan.checkpoints.store import Checkpoint, CheckpointError, CheckpointStore


def contents(step: int, version: int = 0) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """A state whose parts tell which save they belong to, so that a mixture shows."""
    mark = 1000 * step + version
    arrays = {f"player/generator/{i:04d}": np.full((3, 5), mark + i, np.int64) for i in range(3)}
    return arrays, {"mark": mark, "epoch": 1}


def is_whole(checkpoint: Checkpoint) -> bool:
    arrays, metadata = contents(checkpoint.step, checkpoint.metadata["mark"] - 1000 * checkpoint.step)
    same = all(np.array_equal(checkpoint.arrays[name], array) for name, array in arrays.items())
    return same and checkpoint.metadata == metadata and list(checkpoint.arrays) == list(arrays)


def torn_checkpoints(checkpoints: CheckpointStore) -> list[str]:
    """Every step that is listed but not whole: what must never be found, whatever happened."""
    torn = []
    for step in checkpoints.steps():
        try:
            if not is_whole(checkpoints.load(step)):
                torn.append(f"{step}: a mixture")
        except CheckpointError as error:
            torn.append(str(error))
    return torn


def entries(directory: Path) -> list[str]:
    return sorted(os.listdir(directory))


def damaged(tmp_path: Path, name: str, change: Callable[[bytes], bytes]) -> CheckpointStore:
    """A store with a good step 1 and a step 2 in which one file was changed."""
    checkpoints = CheckpointStore(tmp_path)
    for step in (1, 2):
        checkpoints.save(step, *contents(step))
    file = tmp_path / "step-000000002" / name
    file.write_bytes(change(file.read_bytes()))
    return checkpoints


def flip(seed: int) -> Callable[[bytes], bytes]:
    """Turn one bit over."""

    def change(data: bytes) -> bytes:
        bit = random.Random(seed).randrange(8 * len(data))
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        return bytes(changed)

    return change


def truncate(seed: int) -> Callable[[bytes], bytes]:
    """Lose the end."""
    return lambda data: data[: random.Random(seed).randrange(len(data))]


PATCHED = ["open", "fsync", "rename", "replace", "mkdir", "unlink", "rmdir", "listdir"]


class Dead(BaseException):
    """The process ends here: not an Exception, so that no code of ours can go on after it."""


class WrittenBy:
    """A stand-in for a file that was opened without a buffer, with another way of writing."""

    def __init__(self, write: Callable[[bytes], None], file: Any) -> None:
        self.write, self._file = write, file

    def __enter__(self) -> "WrittenBy":
        return self

    def __exit__(self, *problem: object) -> None:
        self._file.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


class FailingDisk:
    """Makes the n-th change to the disk fail; with `dead`, every later one too, as after a kill.

    What was being written then is half written, as a kill or a full disk would leave it.
    """

    def __init__(self, patch: pytest.MonkeyPatch, nth: int, error: BaseException, *, dead: bool) -> None:
        self.nth, self.error, self.dead, self.calls = nth, error, dead, 0
        for name in PATCHED:
            patch.setattr(os, name, self.failing(getattr(os, name)))
        patch.setattr(files, "open", self.open, raising=False)

    @property
    def failed(self) -> bool:
        return self.calls >= self.nth

    def check(self) -> None:
        self.calls += 1
        if self.calls == self.nth or (self.dead and self.failed):
            self.fail()

    def fail(self) -> None:
        raise self.error

    def failing(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            self.check()
            return function(*args, **kwargs)

        return call

    def open(self, path: Path, mode: str, buffering: int = -1) -> Any:
        self.check()
        file = open(path, mode, buffering=0)  # noqa: SIM115 - closed by the stand-in.

        def write(data: bytes) -> None:
            file.write(data[: len(data) // 2])
            self.check()
            file.write(data[len(data) // 2 :])

        return WrittenBy(write, file)


class DeadlyDisk(FailingDisk):
    """Ends the process at the n-th change to the disk, as a kill does: nothing is cleaned up."""

    STATUS = 9

    def __init__(self, patch: pytest.MonkeyPatch, nth: int) -> None:
        super().__init__(patch, nth, Dead(), dead=True)

    def fail(self) -> None:
        os._exit(self.STATUS)


class FullDisk:
    """Has room for so many bytes of files; then a write takes what still fits, and fails."""

    def __init__(self, patch: pytest.MonkeyPatch, room: int) -> None:
        self.room, self.written = room, 0
        patch.setattr(files, "open", self.open, raising=False)

    def open(self, path: Path, mode: str) -> Any:
        file = open(path, mode, buffering=0)  # noqa: SIM115 - closed by the stand-in.

        def write(data: bytes) -> None:
            fits = data[: self.room - self.written]
            self.written += len(fits)
            file.write(fits)
            if len(fits) < len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        return WrittenBy(write, file)


def fail_at_every_call(
    tmp_path: Path,
    checkpoints: Callable[[Path], CheckpointStore],
    action: Callable[[CheckpointStore], object],
    error: BaseException,
    *,
    dead: bool,
) -> Iterator[tuple[CheckpointStore, BaseException]]:
    """Run an action once for each call it makes to the disk, with that call failing.

    Each time begins with whole steps 1 and 2. Yields the store after the failure, and what was raised.
    """
    for nth in range(1, 500):
        directory = tmp_path / f"{nth:03d}"
        victim = checkpoints(directory)
        directory.mkdir()
        for step in (1, 2):
            CheckpointStore(directory).save(step, *contents(step))
        with pytest.MonkeyPatch.context() as patch:
            disk = FailingDisk(patch, nth, error, dead=dead)
            try:
                action(victim)
            except BaseException as caught:
                problem: BaseException | None = caught
            else:
                problem = None
        if not disk.failed:
            assert problem is None and nth > 5
            return
        if problem is not None:
            yield CheckpointStore(directory), problem
    raise AssertionError("the action never came to an end")
