"""What a checkpoint store promises, and what it is put through: kills, failing disks, flipped bits."""

import errno
import hashlib
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from kerasgan.checkpoints import Checkpoint, CheckpointError, CheckpointStore, store, write_atomically


@pytest.fixture(autouse=True)
def unflushed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a power cut tells flushed from unflushed, and no test can make one; a busy disk takes minutes.

    The processes that are killed below flush in earnest.
    """
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


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


class InPlaceStore(CheckpointStore):
    """The negative control: the same two files, written where they will lie."""

    def save(self, step: int, arrays: Any, metadata: Any) -> Path:
        path = self.directory / f"step-{step:09d}"
        path.mkdir(exist_ok=True)
        state, manifest = store._encode(step, arrays, metadata)
        for name, data in ((store.STATE, state), (store.MANIFEST, manifest)):
            with store.open(path / name, "wb", buffering=0) as file:  # type: ignore[attr-defined]
                file.write(data)
        return path


# Round trips


@pytest.mark.parametrize(
    "dtype",
    [
        "bool",
        "int8",
        "uint8",
        "int16",
        "uint16",
        "int32",
        "uint32",
        "int64",
        "uint64",
        "float16",
        "float32",
        "float64",
        "complex64",
    ],
)
@pytest.mark.parametrize("shape", [(), (0,), (0, 3), (1,), (2, 3, 4)])
def test_every_numpy_dtype_and_shape_comes_back(tmp_path: Path, dtype: str, shape: tuple[int, ...]) -> None:
    array = np.random.default_rng(0).integers(0, 100, shape).astype(dtype)
    CheckpointStore(tmp_path).save(1, {"a": array}, {})
    loaded = CheckpointStore(tmp_path).load().arrays["a"]
    assert (loaded.dtype, loaded.shape, loaded.tobytes()) == (array.dtype, array.shape, array.tobytes())
    assert loaded.flags.writeable


ML_DTYPES = [name for name in dir(ml_dtypes) if name.startswith(("bfloat", "float", "int", "uint"))]


@pytest.mark.parametrize("name", ML_DTYPES)
@pytest.mark.parametrize("shape", [(), (0,), (2, 3)])
def test_every_ml_dtype_comes_back(tmp_path: Path, name: str, shape: tuple[int, ...]) -> None:
    array = np.ones(shape).astype(getattr(ml_dtypes, name))
    CheckpointStore(tmp_path).save(1, {"a": array}, {})
    loaded = CheckpointStore(tmp_path).load().arrays["a"]
    assert (loaded.dtype, loaded.shape, loaded.tobytes()) == (array.dtype, array.shape, array.tobytes())


@pytest.mark.parametrize(
    "view",
    [
        lambda a: a.T,
        lambda a: a[::2, ::-1],
        lambda a: a[:, 1],
        np.asfortranarray,
        lambda a: np.broadcast_to(a[0], (7, 6)),
        lambda a: a.astype(">f4"),
    ],
)
def test_arrays_that_lie_oddly_in_memory_keep_their_values(
    tmp_path: Path, view: Callable[[Any], Any]
) -> None:
    array = view(np.arange(24, dtype=np.float32).reshape(4, 6))
    CheckpointStore(tmp_path).save(1, {"a": array}, {})
    np.testing.assert_array_equal(CheckpointStore(tmp_path).load().arrays["a"], array)


def test_names_order_and_metadata_come_back(tmp_path: Path) -> None:
    arrays = {name: np.array(i, np.float32) for i, name in enumerate(["z", "a/0001", "ünï ☃", "", "m"])}
    metadata = {
        "best": float("inf"),
        "text": "ünï \ud800\n",
        "nested": {"a": [1, 2.5, None, True]},
        "big": 2**70,
    }
    path = CheckpointStore(tmp_path).save(7, arrays, metadata)
    checkpoint = CheckpointStore(tmp_path).load(7)
    assert path == checkpoint.path == tmp_path / "step-000000007"
    assert entries(path) == ["manifest.json", "state.safetensors"]
    assert list(checkpoint.arrays) == list(arrays)
    assert checkpoint.metadata == metadata


def test_the_same_arrays_give_the_same_bytes(tmp_path: Path) -> None:
    paths = [CheckpointStore(tmp_path / name).save(5, *contents(5)) for name in "ab"]
    first, second = ([(path / name).read_bytes() for name in entries(path)] for path in paths)
    assert first == second


@pytest.mark.parametrize(
    ("arrays", "metadata", "complaint"),
    [
        ({"x": np.array([object()])}, {}, "array 'x': Unknown dtype"),
        ({"x": np.zeros(2, np.complex128)}, {}, "array 'x': Unknown dtype"),
        ({"x": np.array(["text"])}, {}, "array 'x': Unknown dtype"),
        ({"__metadata__": np.zeros(2)}, {}, "another name"),
        ({"\ud800": np.zeros(2)}, {}, "surrogates"),
        ({}, {"a": np.float32(1)}, "float32 is not JSON serializable"),
        ({}, {"a": "x" * 17 * 2**20}, "over the limit"),
    ],
)
def test_what_could_not_be_read_back_is_refused_before_the_disk_is_touched(
    tmp_path: Path, arrays: Any, metadata: Any, complaint: str
) -> None:
    with pytest.raises(CheckpointError, match=complaint):
        CheckpointStore(tmp_path).save(1, arrays, metadata)
    assert entries(tmp_path) == []


def test_metadata_nested_without_end_is_refused(tmp_path: Path) -> None:
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(CheckpointError, match="recursion"):
        CheckpointStore(tmp_path).save(1, {}, {"deep": deep})
    while deep:  # Taken apart by hand: freeing it at once is a deep recursion too.
        deep = deep[0]


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


# Damage


def damaged(tmp_path: Path, name: str, change: Callable[[bytes], bytes]) -> CheckpointStore:
    """A store with a good step 1 and a step 2 in which one file was changed."""
    checkpoints = CheckpointStore(tmp_path)
    for step in (1, 2):
        checkpoints.save(step, *contents(step))
    file = tmp_path / "step-000000002" / name
    file.write_bytes(change(file.read_bytes()))
    return checkpoints


def flip(seed: int) -> Callable[[bytes], bytes]:
    def change(data: bytes) -> bytes:
        bit = random.Random(seed).randrange(8 * len(data))
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        return bytes(changed)

    return change


def truncate(seed: int) -> Callable[[bytes], bytes]:
    return lambda data: data[: random.Random(seed).randrange(len(data))]


@pytest.mark.parametrize("name", [store.STATE, store.MANIFEST])
@pytest.mark.parametrize("change", [flip, truncate])
@pytest.mark.parametrize("seed", range(60))
def test_a_flipped_bit_or_a_lost_end_is_always_found(
    tmp_path: Path, name: str, change: Callable[[int], Callable[[bytes], bytes]], seed: int
) -> None:
    checkpoints = damaged(tmp_path, name, change(seed))
    with pytest.raises(CheckpointError, match=r"step-000000002/(state|manifest)") as caught:
        checkpoints.load()
    assert "\n" not in str(caught.value)
    found = checkpoints.newest_good()
    assert found is not None
    assert (found[0].step, [path.name for path, _ in found[1]]) == (1, ["step-000000002"])


def test_every_bit_of_a_manifest_counts(tmp_path: Path) -> None:
    manifest = store._encode(3, {"a": np.zeros(2)}, {"é": [1e-7, "ÿ"]})[1]
    for bit in range(8 * len(manifest)):
        changed = bytearray(manifest)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises((ValueError, KeyError)):
            store._decode_manifest(bytes(changed), 3)


def forge(tmp_path: Path, data: bytes, **changes: Any) -> CheckpointStore:
    """A checkpoint whose digests all agree, as someone who means harm would make it."""
    path = tmp_path / "step-000000001"
    path.mkdir()
    description = {
        "size": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "dtypes": {"a": "float32"},
    }
    fields = {"format_version": 1, "step": 1, "state": description, "metadata": {}, **changes}
    (path / store.STATE).write_bytes(data)
    (path / store.MANIFEST).write_bytes(store._render_manifest(fields))
    return CheckpointStore(tmp_path)


def header(text: str, data: bytes = b"") -> bytes:
    return len(text).to_bytes(8, "little") + text.encode() + data


TENSOR = '"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}'


@pytest.mark.parametrize(
    ("state", "complaint"),
    [
        (b"", "state.safetensors"),
        (b"\xff" * 8, "header claims"),
        ((200_000_000).to_bytes(8, "little") + b"{}", "header claims 200000000 bytes"),
        (header(f"{{{TENSOR},{TENSOR}}}", bytes(4)), "names twice: a"),
        (header("[" * 100_000), "recursion"),
        (header("{}"), "disagree about a"),
        (header("not json"), "state.safetensors"),
        (header("{" + TENSOR.replace("[1]", "[2]") + "}", bytes(4)), "state.safetensors"),
        (header("{" + TENSOR.replace("F32", "F16").replace("4]", "2]") + "}", bytes(2)), "state.safetensors"),
        (header("{" + TENSOR.replace("F32", "F64").replace("4]", "8]") + "}", bytes(8)), "manifest's dtype"),
        (header('{"a":{"dtype":"F32","shape":[0,18446744073709551615],"data_offsets":[0,0]}}'), "state.safe"),
    ],
)
def test_a_state_made_to_harm_is_refused(tmp_path: Path, state: bytes, complaint: str) -> None:
    with pytest.raises(CheckpointError, match=complaint):
        forge(tmp_path, state).load()


def test_the_forger_can_make_a_good_one(tmp_path: Path) -> None:
    assert forge(tmp_path, header(f"{{{TENSOR}}}", bytes(4))).load().arrays["a"] == [0]


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"format_version": 2}, "format version 2 and this kerasgan reads 1; update kerasgan"),
        ({"format_version": None}, "format version None"),
        ({"step": 2}, "says step 2 and its directory says 1"),
        ({"metadata": 3}, "manifest.json"),
        ({"state": {}}, "lacks 'size'"),
        ({"state": []}, "manifest.json"),
        (
            {"state": {"size": 10**15, "sha256": "", "dtypes": {}}},
            "bytes and its manifest says 1000000000000000",
        ),
        ({"state": {"size": "4", "sha256": "", "dtypes": {}}}, "state.safetensors"),
        ({"state": {"size": 1, "sha256": "", "dtypes": {}}}, "at most 1 were expected"),
    ],
)
def test_a_manifest_that_asks_for_nonsense_is_refused(
    tmp_path: Path, changes: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(CheckpointError, match=complaint):
        forge(tmp_path, header(f"{{{TENSOR}}}", bytes(4)), **changes).load()


@pytest.mark.parametrize("dtype", ["object", "O", "finfo", "i4,O", "nonsense", 3, None, ["f4"], "U2", "M8"])
def test_a_dtype_that_is_not_one_of_numbers_is_refused(tmp_path: Path, dtype: Any) -> None:
    state = header("{" + TENSOR.replace("F32", "F64").replace("4]", "8]") + "}", bytes(8))
    description = {"size": len(state), "sha256": hashlib.sha256(state).hexdigest(), "dtypes": {"a": dtype}}
    with pytest.raises(CheckpointError, match=r"state\.safetensors"):
        forge(tmp_path, state, state=description).load()


@pytest.mark.parametrize(
    "manifest",
    [b"", b"null", b"[]", b"{}", b"[" * 100_000, b"\xff\xfe", b'{"format_version": 1}', b"9" * 5000],
)
def test_a_manifest_that_is_no_manifest_is_refused(tmp_path: Path, manifest: bytes) -> None:
    checkpoints = damaged(tmp_path, store.MANIFEST, lambda _: manifest)
    with pytest.raises(CheckpointError, match=r"manifest\.json: .+; load an earlier step"):
        checkpoints.load()


def test_a_huge_manifest_is_not_read(tmp_path: Path) -> None:
    checkpoints = damaged(tmp_path, store.MANIFEST, lambda data: data)
    os.truncate(tmp_path / "step-000000002" / store.MANIFEST, 2**40)
    with pytest.raises(CheckpointError, match="1099511627776 bytes and at most 16777216"):
        checkpoints.load()


def test_files_that_are_missing_or_no_files_are_named(tmp_path: Path) -> None:
    checkpoints = damaged(tmp_path, store.STATE, lambda data: data)
    state = tmp_path / "step-000000002" / store.STATE
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
    checkpoints = damaged(tmp_path, store.STATE, flip(0))
    (tmp_path / "step-000000001" / store.MANIFEST).unlink()
    with pytest.raises(CheckpointError, match=r"no checkpoint is usable: .*000002.*sha256.*000001.*missing"):
        checkpoints.newest_good()


def test_manifests_are_plain_json(tmp_path: Path) -> None:
    path = CheckpointStore(tmp_path).save(2, *contents(2))
    fields = json.loads((path / store.MANIFEST).read_text())
    assert list(fields) == ["format_version", "step", "state", "metadata", "manifest_sha256"]
    assert fields["state"]["sha256"] == hashlib.sha256((path / store.STATE).read_bytes()).hexdigest()


# Failing disks


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


PATCHED = ["open", "fsync", "rename", "replace", "mkdir", "unlink", "rmdir", "listdir"]


class Dead(BaseException):
    """The process ends here: not an Exception, so that no code of ours can go on after it."""


class FailingDisk:
    """Makes the n-th change to the disk fail; with `dead`, every later one too, as after a kill.

    What was being written then is half written, as a kill or a full disk would leave it.
    """

    def __init__(self, patch: pytest.MonkeyPatch, nth: int, error: BaseException, *, dead: bool) -> None:
        self.nth, self.error, self.dead, self.calls = nth, error, dead, 0
        for name in PATCHED:
            patch.setattr(os, name, self.failing(getattr(os, name)))
        patch.setattr(store, "open", self.open, raising=False)

    @property
    def failed(self) -> bool:
        return self.calls >= self.nth

    def check(self) -> None:
        self.calls += 1
        if self.calls == self.nth or (self.dead and self.failed):
            raise self.error

    def failing(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            self.check()
            return function(*args, **kwargs)

        return call

    def open(self, path: Path, mode: str, buffering: int = -1) -> Any:
        self.check()
        file = open(path, mode, buffering=0)  # noqa: SIM115 - closed by the stand-in below.
        write = file.write

        class Half:
            def __enter__(_) -> "Half":
                return _

            def __exit__(_, *problem: object) -> None:
                file.close()

            def __getattr__(_, name: str) -> Any:
                return getattr(file, name)

            def write(_, data: bytes) -> None:
                write(data[: len(data) // 2])
                self.check()
                write(data[len(data) // 2 :])

        return Half()


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
    for checkpoints, problem in fail_at_every_call(
        tmp_path, CheckpointStore, ACTIONS[action], error, dead=dead
    ):
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
    for checkpoints, problem in fail_at_every_call(
        tmp_path, CheckpointStore, ACTIONS[action], Dead(), dead=True
    ):
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
        for checkpoints, _ in fail_at_every_call(
            tmp_path, InPlaceStore, ACTIONS["replace"], Dead(), dead=True
        )
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
import numpy as np
import store  # By its path: importing kerasgan would import Keras, twenty times.

checkpoints, step = store.CheckpointStore(sys.argv[1]), int(sys.argv[2])
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
    environment = {**os.environ, "PYTHONPATH": str(Path(store.__file__).parent), "OMP_NUM_THREADS": "1"}
    leftovers = 0
    for kill in range(20):
        command = [sys.executable, "-c", SAVES_FOR_EVER, str(tmp_path), str(last)]
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


# Single files


def test_a_file_is_written_and_replaced_whole(tmp_path: Path) -> None:
    for data in (b"first", b"", b"x" * 100_000):
        write_atomically(tmp_path / "results.json", data)
        assert (tmp_path / "results.json").read_bytes() == data
    assert entries(tmp_path) == ["results.json"]


def test_a_file_whose_writing_fails_keeps_its_old_bytes(tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    for nth in range(1, 20):
        write_atomically(file, b"the old bytes")
        with pytest.MonkeyPatch.context() as patch:
            disk = FailingDisk(patch, nth, OSError(errno.ENOSPC, "No space left on device"), dead=False)
            try:
                write_atomically(file, b"the new ones")
            except OSError as error:
                assert (error.errno, error.filename) == (errno.ENOSPC, str(file))
                assert "free some space" in str(error)
        assert file.read_bytes() in (b"the old bytes", b"the new ones")
        assert entries(tmp_path) == ["results.json"] or disk.failed
        for name in entries(tmp_path)[:-1]:  # Only where removing the temporary is what failed.
            (tmp_path / name).unlink()
        if not disk.failed:
            return
    raise AssertionError("writing never came to an end")
