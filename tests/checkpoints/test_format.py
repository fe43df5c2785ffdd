"""Whatever is stored comes back as it was, and whatever was changed, cut off or forged is refused."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from kerasgan.checkpoints import CheckpointError, CheckpointStore
from kerasgan.checkpoints.format import MANIFEST, STATE, decode_manifest, encode, render_manifest
from tests.checkpoints.disks import contents, damaged, entries, flip, truncate

# Round trips


NUMPY_DTYPES = [
    "bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64",
    "float16", "float32", "float64", "complex64",
]  # fmt: skip
ML_DTYPES = [name for name in dir(ml_dtypes) if name.startswith(("bfloat", "float", "int", "uint"))]


@pytest.mark.parametrize("dtype", [*NUMPY_DTYPES, *ML_DTYPES])
def test_every_dtype_comes_back_in_every_shape(tmp_path: Path, dtype: str) -> None:
    random, shapes = np.random.default_rng(0), [(), (0,), (0, 3), (1,), (2, 3, 4)]
    # Ones where a dtype holds little else.
    low, high = (0, 100) if dtype in NUMPY_DTYPES else (1, 2)
    arrays = {
        str(shape): random.integers(low, high, shape).astype(getattr(ml_dtypes, dtype, dtype)) for shape in shapes
    }
    CheckpointStore(tmp_path).save(1, arrays, {})
    for name, loaded in CheckpointStore(tmp_path).load().arrays.items():
        array = arrays[name]
        assert (loaded.dtype, loaded.shape, loaded.tobytes()) == (array.dtype, array.shape, array.tobytes())
        assert loaded.flags.writeable


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
def test_arrays_that_lie_oddly_in_memory_keep_their_values(tmp_path: Path, view: Callable[[Any], Any]) -> None:
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


def test_manifests_are_plain_json(tmp_path: Path) -> None:
    path = CheckpointStore(tmp_path).save(2, *contents(2))
    fields = json.loads((path / MANIFEST).read_text())
    assert list(fields) == ["format_version", "step", "state", "metadata", "manifest_sha256"]
    assert fields["state"]["sha256"] == hashlib.sha256((path / STATE).read_bytes()).hexdigest()


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


# Damage; failures.py does more of it.


@pytest.mark.parametrize("name", [STATE, MANIFEST])
@pytest.mark.parametrize("change", [flip, truncate])
def test_a_flipped_bit_or_a_lost_end_is_always_found(
    tmp_path: Path, name: str, change: Callable[[int], Callable[[bytes], bytes]]
) -> None:
    checkpoints = damaged(tmp_path, name, lambda data: data)
    file = tmp_path / "step-000000002" / name
    whole = file.read_bytes()
    for seed in range(60):
        file.write_bytes(change(seed)(whole))
        with pytest.raises(CheckpointError, match=r"step-000000002/(state|manifest)") as caught:
            checkpoints.load()
        assert "\n" not in str(caught.value)
        found = checkpoints.newest_good()
        assert found is not None
        assert (found[0].step, [path.name for path, _ in found[1]]) == (1, ["step-000000002"])
    file.write_bytes(whole)
    assert checkpoints.load().step == 2  # the eyes that saw every damage see none here


def test_every_bit_of_a_manifest_counts(tmp_path: Path) -> None:
    manifest = encode(3, {"a": np.zeros(2)}, {"é": [1e-7, "ÿ"]})[1]
    for bit in range(8 * len(manifest)):
        changed = bytearray(manifest)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises((ValueError, KeyError)):
            decode_manifest(bytes(changed), 3)


# Forgery


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
    (path / STATE).write_bytes(data)
    (path / MANIFEST).write_bytes(render_manifest(fields))
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
def test_a_manifest_that_asks_for_nonsense_is_refused(tmp_path: Path, changes: dict[str, Any], complaint: str) -> None:
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
    checkpoints = damaged(tmp_path, MANIFEST, lambda _: manifest)
    with pytest.raises(CheckpointError, match=r"manifest\.json: .+; load an earlier step"):
        checkpoints.load()
