"""Which checkpoints a store has, lacks and refuses; and twenty kills in earnest."""

import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from kerasgan.checkpoints import CheckpointError, CheckpointStore, store
from kerasgan.checkpoints.format import MANIFEST, STATE
from tests.checkpoints.disks import contents, damaged, entries, is_whole, torn_checkpoints

# Which checkpoints there are


def test_an_empty_or_missing_directory_holds_no_checkpoint(tmp_path: Path) -> None:
    for directory in (tmp_path, tmp_path / "missing"):
        checkpoints = CheckpointStore(directory)
        assert (checkpoints.steps(), checkpoints.latest(), checkpoints.newest_good()) == ([], None, None)
        assert (checkpoints.collect_garbage(), checkpoints.prune(1)) == ([], [])
        with pytest.raises(CheckpointError, match="holds no checkpoint"):
            checkpoints.load()
    assert not (tmp_path / "missing").exists()


def test_steps_are_numbers_in_order_and_other_names_are_ignored(tmp_path: Path) -> None:
    checkpoints = CheckpointStore(tmp_path)
    for step in (20, 0, 1_234_567_890, 3):
        checkpoints.save(step, *contents(step))
    for name in (
        "step-0000000009",
        "step-9",
        "step-00000000x",
        ".tmp-1-ab",
        "notes",
        "step-00000000\N{ARABIC-INDIC DIGIT FIVE}",
    ):
        (tmp_path / name).mkdir()
    assert checkpoints.steps() == [0, 3, 20, 1_234_567_890]
    assert checkpoints.latest() == checkpoints.load().step == 1_234_567_890
    with pytest.raises(CheckpointError, match="no step 5; it has 0, 3, 20"):
        checkpoints.load(5)


def test_a_negative_step_and_keeping_nothing_are_errors(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="step is -1"):
        CheckpointStore(tmp_path).save(-1, {}, {})
    with pytest.raises(ValueError, match="keep_last is 0"):
        CheckpointStore(tmp_path).prune(0)


def test_saving_a_step_again_replaces_it_and_leaves_nothing_behind(tmp_path: Path) -> None:
    checkpoints = CheckpointStore(tmp_path)
    for version in (1, 2):
        checkpoints.save(4, *contents(4, version))
    assert checkpoints.load(4).metadata["mark"] == 4002
    assert entries(tmp_path) == ["step-000000004"]


def test_prune_keeps_the_newest_and_the_protected(tmp_path: Path) -> None:
    checkpoints = CheckpointStore(tmp_path)
    for step in range(6):
        checkpoints.save(step, *contents(step))
    assert checkpoints.prune(2, protect=[1, 5, 99]) == [0, 2, 3]
    assert entries(tmp_path) == [f"step-00000000{step}" for step in (1, 4, 5)]
    assert checkpoints.prune(10) == []


def test_prune_leaves_no_replaced_version_to_come_back(tmp_path: Path) -> None:
    checkpoints = CheckpointStore(tmp_path)
    for step in range(3):
        checkpoints.save(step, *contents(step))
    shutil.copytree(tmp_path / "step-000000000", tmp_path / "step-000000000.replaced")
    os.rename(tmp_path / "step-000000001", tmp_path / "step-000000001.replaced")
    assert checkpoints.steps() == [0, 1, 2]
    assert checkpoints.prune(1) == [0, 1]
    assert entries(tmp_path) == ["step-000000002"]


# What cannot be read or written


def test_a_huge_manifest_is_not_read(tmp_path: Path) -> None:
    checkpoints = damaged(tmp_path, MANIFEST, lambda data: data)
    os.truncate(tmp_path / "step-000000002" / MANIFEST, 2**40)
    with pytest.raises(CheckpointError, match="1099511627776 bytes and at most 16777216"):
        checkpoints.load()


def test_files_that_are_missing_or_no_files_are_named(tmp_path: Path) -> None:
    checkpoints = damaged(tmp_path, STATE, lambda data: data)
    state = tmp_path / "step-000000002" / STATE
    state.unlink()
    with pytest.raises(CheckpointError, match=r"state\.safetensors: is missing"):
        checkpoints.load()
    os.mkfifo(state)
    with pytest.raises(CheckpointError, match=r"state\.safetensors: is not a file"):
        checkpoints.load()
    shutil.rmtree(state.parent)
    state.parent.write_text("a file in the place of the directory")
    with pytest.raises(CheckpointError, match=r"manifest\.json"):
        checkpoints.load()
    checkpoints.save(2, *contents(2))
    assert torn_checkpoints(checkpoints) == []


def test_when_none_is_good_all_are_named(tmp_path: Path) -> None:
    checkpoints = damaged(tmp_path, STATE, lambda data: data[:-1] + bytes([data[-1] ^ 1]))
    (tmp_path / "step-000000001" / MANIFEST).unlink()
    with pytest.raises(CheckpointError, match=r"no checkpoint is usable: .*000002.*sha256.*000001.*missing") as caught:
        checkpoints.newest_good()
    assert "earlier" not in str(caught.value)  # There is none; of a single one, loaded by its step, that is the remedy.
    assert str(caught.value).endswith("; restore one from a copy, or start a new run.")
    for step in range(3, 8):
        (tmp_path / f"step-{step:09d}").mkdir()
    with pytest.raises(CheckpointError, match=r"000007.*000006.*000005[^|]* \| and 4 more; restore") as caught:
        checkpoints.newest_good()
    assert "000004" not in str(caught.value)


def test_a_file_size_limit_of_the_system_is_met_like_a_full_disk(tmp_path: Path) -> None:
    """A real failure of the kernel, where the others are pretended."""
    checkpoints = CheckpointStore(tmp_path)
    checkpoints.save(1, *contents(1))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with pytest.raises(CheckpointError, match=r"step-000000002: not saved: .*; free some space"):
            checkpoints.save(2, {"large": np.zeros(10**6)}, {})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert entries(tmp_path) == ["step-000000001"]
    assert torn_checkpoints(checkpoints) == []


def test_a_run_directory_removed_during_training_is_not_made_anew(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    checkpoints = CheckpointStore(run / "checkpoints")
    checkpoints.save(1, *contents(1))
    shutil.rmtree(run)
    with pytest.raises(CheckpointError, match="removed or never made; create it or choose another"):
        checkpoints.save(2, *contents(2))
    assert not run.exists()


def test_a_file_in_the_place_of_the_directory_is_named(tmp_path: Path) -> None:
    (tmp_path / "checkpoints").write_text("")
    checkpoints = CheckpointStore(tmp_path / "checkpoints")
    calls: list[Callable[[], object]] = [
        checkpoints.steps,
        checkpoints.newest_good,
        checkpoints.collect_garbage,
        lambda: checkpoints.save(1, *contents(1)),
    ]
    for call in calls:
        with pytest.raises(CheckpointError, match=r"checkpoints.*Not a directory"):
            call()


# Kills

SAVES_FOR_EVER = """
import sys
import types
import numpy as np

# Bare packages in the place of the real ones, whose import would import Keras, twenty times.
for name, path in (("kerasgan", ""), ("kerasgan.checkpoints", sys.argv[3])):
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__path__ = [path]
from kerasgan.checkpoints.store import CheckpointStore
assert "keras" not in sys.modules

checkpoints, step = CheckpointStore(sys.argv[1]), int(sys.argv[2])
print("ready", flush=True)
while True:
    for version in range(2):
        mark = 1000 * step + version
        arrays = {f"player/generator/{i:04d}": np.full((3, 5), mark + i, np.int64) for i in range(3)}
        checkpoints.save(step, arrays, {"mark": mark, "epoch": 1})
        print("saved", flush=True)
    checkpoints.prune(2)
    step += 1
"""


def test_twenty_kills_at_random_moments_tear_nothing(tmp_path: Path) -> None:
    moments, last = random.Random(0), 0
    checkpoints = CheckpointStore(tmp_path)
    checkpoints.save(0, *contents(0))
    environment, package = {**os.environ, "OMP_NUM_THREADS": "1"}, str(Path(store.__file__).parent)
    leftovers = 0
    for kill in range(20):
        command = [sys.executable, "-c", SAVES_FOR_EVER, str(tmp_path), str(last), package]
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as child:
            assert child.stdout is not None and child.stdout.readline() == b"ready\n"
            # By the child's own pace, so that a busy disk moves the kills along with the saves.
            saves, start = moments.randrange(1, 5), time.monotonic()
            for _ in range(saves):
                assert child.stdout.readline() == b"saved\n"
            time.sleep(moments.uniform(0, 1.5) * (time.monotonic() - start) / saves)
            child.send_signal(signal.SIGKILL)
        assert child.returncode == -signal.SIGKILL
        assert torn_checkpoints(checkpoints) == []
        found = checkpoints.newest_good()
        assert found is not None and found[1] == [] and found[0].step >= last and is_whole(found[0])
        last = found[0].step
        leftovers += any(name.startswith(".tmp-") for name in entries(tmp_path))
        if kill % 2:  # The other times the next child meets what this one left.
            checkpoints.collect_garbage()
            assert entries(tmp_path) == [f"step-{step:09d}" for step in checkpoints.steps()]
    # Otherwise every kill fell between two saves, and proved nothing.
    assert last >= 1 and leftovers >= 3
