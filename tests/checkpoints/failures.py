"""Every way in which a disk can fail a checkpoint, one after another, and what was found each time.

    python tests/checkpoints/failures.py
    python tests/checkpoints/failures.py --levels 200 --flips 100000 --truncations 10000

It prints one JSON object: for each kind of failure, how often it struck, and how often the checkpoint read afterwards
was the older one, the newer one or a torn one, which none may be. It takes seconds, and imports no Keras: a process
with the threads of a backend in it may not fork.
"""

import argparse
import errno
import json
import os
import sys
import tempfile
import types
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def without_keras() -> None:
    """Put bare packages in the place of the real ones, whose import would import Keras."""
    sys.path.insert(0, str(ROOT))
    for name, path in (("kerasgan", ""), ("kerasgan.checkpoints", str(ROOT / "kerasgan" / "checkpoints"))):
        sys.modules[name] = types.ModuleType(name)
        sys.modules[name].__path__ = [path]


if __name__ == "__main__":
    without_keras()

from kerasgan.checkpoints.store import CheckpointError, CheckpointStore  # noqa: E402 - not before the lines above.
from tests.checkpoints.disks import (  # noqa: E402
    DeadlyDisk,
    FullDisk,
    contents,
    damaged,
    entries,
    fail_at_every_call,
    flip,
    torn_checkpoints,
    truncate,
)

FILES = ("state.safetensors", "manifest.json")


def step_two(store: CheckpointStore) -> str:
    return "newer" if store.load(2).metadata["mark"] == 2001 else "older"


# What is done to steps 1 and 2, and how to tell whether it came to pass.
ACTIONS: dict[str, tuple[Callable[[CheckpointStore], object], Callable[[CheckpointStore], str]]] = {
    "save": (lambda store: store.save(3, *contents(3)), lambda store: "newer" if store.latest() == 3 else "older"),
    "replace": (lambda store: store.save(2, *contents(2, 1)), step_two),
    "prune": (lambda store: store.prune(1), lambda store: "newer" if store.steps() == [2] else "older"),
}


def found_in(store: CheckpointStore, outcome: Callable[[CheckpointStore], str]) -> str:
    """Read all there is, as the next run would: after cleaning up, too."""
    if torn_checkpoints(store) or 2 not in store.steps():
        return "torn"
    found = outcome(store)
    store.collect_garbage()
    clean = entries(store.directory) == [f"step-{step:09d}" for step in store.steps()]
    return found if clean and outcome(store) == found and not torn_checkpoints(store) else "torn"


def prepared(directory: Path) -> CheckpointStore:
    directory.mkdir()
    store = CheckpointStore(directory)
    for step in (1, 2):
        store.save(step, *contents(step))
    return store


def deaths(directory: Path, action: str) -> Counter[str]:
    """End a child by `os._exit` at the first change to the disk that the action makes, at the second, and so on."""
    act, outcome = ACTIONS[action]
    counts: Counter[str] = Counter()
    for nth in range(1, 500):
        store = prepared(directory / f"{action}-{nth}")
        if (child := os.fork()) == 0:
            DeadlyDisk(pytest.MonkeyPatch(), nth)
            act(store)
            os._exit(0)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if status == 0:
            return counts
        counts[found_in(store, outcome) if status == DeadlyDisk.STATUS else f"status {status}"] += 1
    raise AssertionError("the action never came to an end")


def refusals(directory: Path, action: str, code: int) -> Counter[str]:
    """Have the first change to the disk refused, then only the second, and so on."""
    act, outcome = ACTIONS[action]
    error, counts = OSError(code, os.strerror(code)), Counter[str]()
    directory.mkdir()
    for store, problem in fail_at_every_call(directory, CheckpointStore, act, error, dead=False):
        assert isinstance(problem, CheckpointError), problem
        counts[found_in(store, outcome)] += 1
    return counts


def fillings(directory: Path, action: str, levels: int) -> Counter[str]:
    """Let the disk be full after so many bytes, from none to all but one of those that a save writes."""
    act, outcome = ACTIONS[action]
    counts: Counter[str] = Counter()
    with pytest.MonkeyPatch.context() as patch:
        store = prepared(directory / f"{action}-whole")
        whole = FullDisk(patch, 10**9)
        act(store)
    for level in range(levels + 1):
        store = prepared(directory / f"{action}-level-{level}")
        with pytest.MonkeyPatch.context() as patch:
            FullDisk(patch, whole.written * level // levels)
            try:
                act(store)
            except CheckpointError as error:
                assert "free some space" in str(error), error
                assert not any(name.startswith(".tmp-") for name in entries(store.directory))
            else:
                assert level == levels  # where there is room for all of it, and it is written
        found = found_in(store, outcome)
        assert found == ("older" if level < levels else "newer")
        counts[found] += 1
    return counts


def damages(directory: Path, change: Callable[[int], Callable[[bytes], bytes]], times: int) -> Counter[str]:
    """Change the newest checkpoint on the disk, by turns in each of its files, and let the newest good one be found."""
    directory.mkdir()
    store = damaged(directory, FILES[0], lambda data: data)
    counts: Counter[str] = Counter()
    for seed in range(times):
        file = directory / "step-000000002" / FILES[seed % 2]
        whole = file.read_bytes()
        file.write_bytes(change(seed)(whole))
        found = store.newest_good()
        assert found is not None
        counts["older" if found[0].step == 1 and len(found[1]) == 1 else "torn"] += 1
        file.write_bytes(whole)
    assert store.load().step == 2  # the eyes that saw every damage see none here
    return counts


def everything(directory: Path, levels: int, flips: int, truncations: int) -> dict[str, Counter[str]]:
    """Run it all; see the top of this file."""
    table: dict[str, Counter[str]] = {}
    for action in ACTIONS:
        table[f"{action}: death at every call"] = deaths(directory, action)
        for code in (errno.EIO, errno.ENOSPC):
            name = errno.errorcode[code]
            table[f"{action}: {name} at every call"] = refusals(directory / f"{action}-{name}", action, code)
    for action in ("save", "replace"):
        table[f"{action}: full after every 1/{levels} of its bytes"] = fillings(directory, action, levels)
    table["bit flips"] = damages(directory / "flips", flip, flips)
    table["truncations"] = damages(directory / "truncations", truncate, truncations)
    return table


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for option, default in (("--levels", 20), ("--flips", 500), ("--truncations", 100)):
        parser.add_argument(option, type=int, default=default, metavar="N", help="(default: %(default)s)")
    options = parser.parse_args()
    assert "keras" not in sys.modules
    os.fsync = lambda descriptor: None  # Only a power cut tells flushed from unflushed.
    with tempfile.TemporaryDirectory() as temporary:
        table = everything(Path(temporary), options.levels, options.flips, options.truncations)
    print(json.dumps(table, indent=1))
    sys.exit(any(set(counts) - {"older", "newer"} for counts in table.values()))
