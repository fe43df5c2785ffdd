"""From a checkpoint to the bytes of its two files and back, every byte of which is vouched for.

`state.safetensors` holds the arrays; `manifest.json` their dtypes and order, the metadata, and the digests of
both files. Nothing here knows where the bytes lie.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any

import ml_dtypes
import numpy as np
import safetensors
import safetensors.numpy

FORMAT_VERSION = 1
STATE, MANIFEST = "state.safetensors", "manifest.json"

# Caps on what is read before anything vouches for it.
MAX_MANIFEST_BYTES = 16 * 2**20
MAX_HEADER_BYTES = 100_000_000  # safetensors' own limit


def encode(step: int, arrays: Mapping[str, np.ndarray], metadata: Mapping[str, Any]) -> tuple[bytes, bytes]:
    """Turn a checkpoint into the bytes of its two files, refusing what could not be read back."""
    if "__metadata__" in arrays:
        raise ValueError("'__metadata__' is safetensors' own key; give that array another name")
    tensors, dtypes = {}, {}
    for name, value in arrays.items():
        # safetensors copies memory as it lies. `ascontiguousarray` would turn a scalar into a vector.
        array = np.asarray(value, order="C")
        array = array.astype(array.dtype.newbyteorder("="), copy=False)
        dtypes[name] = array.dtype.name
        # safetensors knows some of the one-byte dtypes; the manifest's names let all of them go as bytes.
        if array.itemsize == 1 and hasattr(ml_dtypes, array.dtype.name):
            array = array.view(np.uint8)
        try:
            safetensors.TensorSpec(dtype=array.dtype.name, shape=(0,), data_ptr=0, data_len=0)
        except safetensors.SafetensorError as error:
            raise ValueError(f"array {name!r}: {error}") from error
        tensors[name] = array
    state = safetensors.numpy.save(tensors)
    _check_header(state)
    fields = {
        "format_version": FORMAT_VERSION,
        "step": step,
        "state": {"size": len(state), "sha256": hashlib.sha256(state).hexdigest(), "dtypes": dtypes},
        "metadata": dict(metadata),
    }
    # Through JSON and back, so that what is hashed is what a reader will find.
    manifest = render_manifest(json.loads(json.dumps(fields)))
    if len(manifest) > MAX_MANIFEST_BYTES:
        raise ValueError(
            f"{MANIFEST} would have {len(manifest)} bytes, over the limit of {MAX_MANIFEST_BYTES}; "
            "keep large things in the arrays"
        )
    return state, manifest


def render_manifest(fields: dict[str, Any]) -> bytes:
    """Return a manifest as its file holds it, its own digest last."""
    digest = hashlib.sha256(json.dumps(fields).encode()).hexdigest()
    return (json.dumps({**fields, "manifest_sha256": digest}, indent=1) + "\n").encode()


def decode_manifest(data: bytes, step: int) -> dict[str, Any]:
    """Check a manifest's version first, since a newer one may differ in all the rest."""
    fields: dict[str, Any] = json.loads(data)
    version = fields["format_version"]
    if version != FORMAT_VERSION:
        raise ValueError(f"has format version {version!r} and this kerasgan reads {FORMAT_VERSION}; update kerasgan")
    del fields["manifest_sha256"]
    # One comparison finds a wrong digest, a repeated key and every changed byte.
    if render_manifest(fields) != data:
        raise ValueError("was changed after it was written")
    if fields["step"] != step:
        raise ValueError(f"says step {fields['step']!r} and its directory says {step}")
    return fields


def decode_state(data: bytes, dtypes: dict[str, str]) -> dict[str, np.ndarray]:
    """Turn checked bytes into writable arrays, in the order of `dtypes`."""
    _check_header(data)
    tensors = dict(safetensors.deserialize(data))  # type: ignore[no-untyped-call]
    if set(tensors) != set(dtypes):
        raise ValueError(f"and its manifest disagree about {shortened(set(tensors) ^ set(dtypes))}")
    arrays = {}
    for name, dtype_name in dtypes.items():
        dtype, tensor = np.dtype(getattr(ml_dtypes, dtype_name, dtype_name)), tensors[name]
        # An object array made of bytes from a file would be made of wild pointers.
        if dtype.hasobject or dtype.name != dtype_name:
            raise ValueError(f"array {name!r} has dtype {dtype_name!r}, which is not one of numbers")
        arrays[name] = np.ndarray(tensor["shape"], dtype, tensor["data"])
        if arrays[name].nbytes != len(tensor["data"]):
            raise ValueError(f"array {name!r} is not of its manifest's dtype {dtype_name!r}")
    return arrays


def _check_header(data: bytes) -> None:
    """Refuse what safetensors lets pass: a header that is cut off, huge, or names an array twice."""
    length = int.from_bytes(data[:8], "little")
    if length > MAX_HEADER_BYTES or length > len(data) - 8:
        raise ValueError(
            f"its header claims {length} bytes; the file has {len(data)} and the limit is {MAX_HEADER_BYTES}"
        )
    json.loads(data[8 : 8 + length], object_pairs_hook=_refuse_duplicates)


def _refuse_duplicates(pairs: list[tuple[str, Any]]) -> None:
    names = sorted(name for name, _ in pairs)
    if twice := {name for name, following in pairwise(names) if name == following}:
        raise ValueError(f"its header names twice: {shortened(twice)}")


def shortened(items: Iterable[Any]) -> str:
    """List items in order, leaving out the middle of many."""
    shown = [str(item) for item in sorted(items)]
    return ", ".join(shown if len(shown) <= 8 else [*shown[:4], "...", *shown[-4:]])
