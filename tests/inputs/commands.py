"""Run a script as its user does, and see what it said, what it took and what it left behind."""

import contextlib
import hashlib
import os
import runpy
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"
MOST_SECONDS = 2.0
MOST_MEMORY = 200 * 2**20
_HANGS_AFTER = 60  # Seconds by the clock on the wall: whoever opens a FIFO waits for ever and works for none.


@dataclass(frozen=True)
class Outcome:
    """What came of a command: its exit status, what it printed, and what it cost.

    `seconds` are those the process worked: on a machine shared with others the clock on the wall tells of the others.
    `memory` is how far the peak of the resident memory rose above where it stood, in bytes.
    """

    status: int
    output: str
    error: str
    seconds: float
    memory: int
    changed: list[str]


def run_here(name: str, arguments: list[str], capture: pytest.CaptureFixture[str], watched: Path) -> Outcome:
    """Run a script in this process, where Keras is imported already: a row of a table takes milliseconds.

    Args:
        name: Of a file in `scripts/`.
        arguments: Its command line.
        capture: `capfd`, which also catches what libraries say past Python.
        watched: Whatever is made, changed or removed below this directory is reported.
    """
    before, path, command = snapshot(watched), list(sys.path), sys.argv
    sys.argv = [name, *arguments]
    sys.path.insert(0, str(SCRIPTS))  # as Python does for a script
    capture.readouterr()
    status = 0
    try:
        with signals_kept(), hanging_is_a_failure(), spent() as cost:
            try:
                runpy.run_path(str(SCRIPTS / name), run_name="__main__")
            except SystemExit as end:
                status = end.code
    finally:
        sys.path[:], sys.argv = path, command
    return Outcome(status, *capture.readouterr(), *cost, changes(before, snapshot(watched)))


@contextlib.contextmanager
def spent() -> Iterator[list[float]]:
    """Fill the list with the seconds worked and the bytes that the peak of memory rose by."""
    cost: list[float] = []
    Path("/proc/self/clear_refs").write_text("5")  # the peak is now where memory stands
    memory, began = memory_of("VmRSS"), time.process_time()
    yield cost
    cost += [time.process_time() - began, memory_of("VmHWM") - memory]


def memory_of(field: str) -> int:
    """Return a line of the kernel's account of this process, in bytes: `VmRSS` is what it holds, `VmHWM` its peak."""
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith(field))


@contextlib.contextmanager
def hanging_is_a_failure() -> Iterator[None]:
    def give_up(number, frame):
        pytest.fail(f"hung for {_HANGS_AFTER} s")

    previous = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(_HANGS_AFTER)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, previous)


@contextlib.contextmanager
def signals_kept() -> Iterator[None]:
    """Put back the handlers that a script sets for the life of its process."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def snapshot(directory: Path) -> dict[str, str]:
    """Tell what lies below a directory: kind and content of every entry; links and pipes are not opened."""
    found = {}
    for folder, folders, files in os.walk(directory):
        for name in [*folders, *files]:
            path = Path(folder, name)
            if path.is_symlink():
                content = f"link to {os.readlink(path)}"
            elif path.is_file():
                content = hashlib.sha256(path.read_bytes()).hexdigest() if path.stat().st_size < 2**20 else "large"
            else:
                content = "directory" if path.is_dir() else "special"
            found[os.path.relpath(path, directory)] = content
    return found


def changes(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """List what was made, changed or removed; a lock in a run directory is no trace of a run."""
    return [
        name for name in sorted({*before, *after}) if before.get(name) != after.get(name) and not is_lock(Path(name))
    ]


def is_lock(path: Path) -> bool:
    return path.name.startswith(".") and "lock" in path.name
