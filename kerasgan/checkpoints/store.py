"""How bytes reach the disk, and how they are trusted when they come back; nothing about models.

    checkpoints/step-000001234/            complete, or not there at all
    checkpoints/step-000001234.replaced/   its previous version, while a new one takes its place
    checkpoints/.tmp-...                   unfinished or being deleted; never read

A directory is written under a temporary name, flushed, and renamed. A directory cannot be renamed onto
another, so replacing a step takes three moves: the old one becomes `.replaced`, the new one takes the name,
`.replaced` goes. A crash after the first leaves only `.replaced`, which then stands for the step; a crash
after the second leaves both, and the plain name wins. Deleting renames to `.tmp-...` first. A kill at any
moment therefore leaves whole checkpoints, and temporaries for `collect_garbage`. One process owns (writes)
a store; any number may read it.
"""

import errno
import hashlib
import json
import operator
import os
import re
import secrets
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
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

_STEP_NAME = re.compile(r"step-([0-9]{9,})(?:\.replaced)?")
_TEMPORARY = ".tmp-"

_FULL = "free some space or keep fewer checkpoints"
_CLOSED = "make the directory writable or choose another run directory"
_GONE = "the directory was removed or never made; create it or choose another run directory"
_REMEDIES = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EFBIG: _FULL,
    errno.EROFS: _CLOSED,
    errno.EACCES: _CLOSED,
    errno.EPERM: _CLOSED,
    errno.ENOENT: _GONE,
    errno.ENOTDIR: _GONE,
}


class CheckpointError(RuntimeError):
    """A checkpoint cannot be written or trusted; one line that names the path, the fault and the remedy."""


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """What was saved: arrays by name, in the order saved, and the metadata as JSON gives it back."""

    step: int
    arrays: dict[str, np.ndarray]
    metadata: dict[str, Any]
    path: Path


class CheckpointStore:
    """Checkpoints of one run, a directory for each step.

    Args:
        directory: Where they lie. Only `save` makes it, and not its parent, so that a run directory removed
            during training is an error instead of a new run in an old place.
    """

    def __init__(self, directory: str | os.PathLike[str]) -> None:
        self.directory = Path(directory)

    def save(self, step: int, arrays: Mapping[str, np.ndarray], metadata: Mapping[str, Any]) -> Path:
        """Write one checkpoint completely, or not at all; a step that exists is replaced.

        Args:
            step: Global step, zero or more.
            arrays: What to keep, of any dtype that safetensors or `ml_dtypes` has.
            metadata: What else to keep, as far as JSON goes: tuples come back as lists, keys as strings.

        Returns:
            The directory written.

        Raises:
            CheckpointError: The disk refused, or the arrays or metadata cannot be stored. Every earlier
                checkpoint, one of the same step included, is as it was.
            ValueError: `step` is negative.
        """
        step = operator.index(step)
        if step < 0:
            raise ValueError(f"step is {step}; a checkpoint needs a step of zero or more.")
        path = self.directory / _name(step)
        try:
            state, manifest = _encode(step, arrays, metadata)
        except (TypeError, ValueError, RecursionError, safetensors.SafetensorError) as error:
            raise CheckpointError(f"{path}: not saved: {_line(error)}") from error

        temporary = _temporary_in(self.directory)
        with _writing(path, "not saved"):
            try:
                if not self.directory.exists():
                    self.directory.mkdir()
                    _sync_directory(self.directory.parent)
                temporary.mkdir()
                _write(temporary / STATE, state)
                _write(temporary / MANIFEST, manifest)
                _sync_directory(temporary)
                self._move_in(temporary, path)
            finally:
                shutil.rmtree(temporary, ignore_errors=True)
        return path

    def steps(self) -> list[int]:
        """Return the steps that have a checkpoint, oldest first, without looking inside them."""
        try:
            names = os.listdir(self.directory)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise CheckpointError(f"{self.directory}: cannot be listed: {_explain(error)}") from error
        return sorted({step for name in names if (step := _step_of(name)) is not None})

    def latest(self) -> int | None:
        """Return the newest step, or None when there is none."""
        return max(self.steps(), default=None)

    def load(self, step: int | None = None) -> Checkpoint:
        """Read one checkpoint and check all of it.

        Args:
            step: Which one; the newest when None.

        Raises:
            CheckpointError: It is missing, damaged, or in a format this version does not read.
        """
        steps = self.steps()
        if not steps:
            raise CheckpointError(f"{self.directory}: holds no checkpoint; train first or name another run.")
        step = steps[-1] if step is None else step
        if step not in steps:
            raise CheckpointError(f"{self.directory}: has no step {step}; it has {_shortened(steps)}.")
        path = self.directory / _name(step)
        if not os.path.lexists(path):
            path = _replaced(path)  # a crash fell between two moves; see the top of this file
        manifest = path / MANIFEST
        with _reading(manifest):
            fields = _decode_manifest(_read(manifest, MAX_MANIFEST_BYTES), step)
            size, sha256, dtypes = (fields["state"][key] for key in ("size", "sha256", "dtypes"))
            metadata = dict(fields["metadata"])
        with _reading(path / STATE):
            data = _read(path / STATE, size)
            if len(data) != size:
                raise ValueError(f"has {len(data)} bytes and its manifest says {size}")
            if hashlib.sha256(data).hexdigest() != sha256:
                raise ValueError(f"its sha256 is not the {sha256} of its manifest")
            arrays = _decode_state(data, dtypes)
        return Checkpoint(step, arrays, metadata, path)

    def newest_good(self) -> tuple[Checkpoint, list[tuple[Path, str]]] | None:
        """Load the newest checkpoint that is whole.

        Returns:
            The checkpoint, and the newer ones passed over, each with the reason; None when the directory
            holds no checkpoint at all.

        Raises:
            CheckpointError: There are checkpoints, and none of them is good.
        """
        passed_over: list[tuple[Path, str]] = []
        for step in reversed(self.steps()):
            try:
                return self.load(step), passed_over
            except CheckpointError as error:
                passed_over.append((self.directory / _name(step), str(error)))
        if passed_over:
            reasons = " | ".join(reason for _, reason in passed_over)
            raise CheckpointError(f"{self.directory}: no checkpoint is usable: {reasons}")
        return None

    def prune(self, keep_last: int, protect: Iterable[int] = ()) -> list[int]:
        """Delete all but the newest checkpoints.

        Args:
            keep_last: How many to keep, one or more. They are counted by step and not opened.
            protect: Steps to keep besides. Name the step just saved: after a resume from before a damaged
                checkpoint it is not the highest.

        Returns:
            The steps deleted.

        Raises:
            CheckpointError: The disk refused.
            ValueError: `keep_last` is less than one.
        """
        if keep_last < 1:
            raise ValueError(f"keep_last is {keep_last}; keep at least 1 checkpoint.")
        doomed = sorted(set(self.steps()[:-keep_last]) - set(protect))
        for step in doomed:
            path = self.directory / _name(step)
            with _writing(path, "not deleted"):
                # The replaced version first, or a kill between the two would bring it back.
                self._discard(_replaced(path))
                self._discard(path)
        return doomed

    def collect_garbage(self) -> list[Path]:
        """Finish or undo what a killed process left; for the store's one owner, before it saves.

        Returns:
            The leftovers dealt with, under the names they had.

        Raises:
            CheckpointError: The disk refused.
        """
        with _writing(self.directory, "not cleaned up"):
            names = sorted(os.listdir(self.directory)) if self.directory.exists() else []
        leftovers = [self.directory / name for name in names if self._is_leftover(name)]
        for leftover in leftovers:
            with _writing(leftover, "not cleaned up"):
                if leftover.name.startswith(_TEMPORARY):
                    _delete(leftover)
                elif os.path.lexists(leftover.with_suffix("")):
                    self._discard(leftover)
                else:
                    os.rename(leftover, leftover.with_suffix(""))
                    _sync_directory(self.directory)
        return leftovers

    @staticmethod
    def _is_leftover(name: str) -> bool:
        return name.startswith(_TEMPORARY) or (name.endswith(".replaced") and _step_of(name) is not None)

    def _move_in(self, temporary: Path, path: Path) -> None:
        """Give a finished directory its name, in the order described at the top of this file."""
        replaced = _replaced(path)
        if os.path.lexists(path):
            self._discard(replaced)
            os.rename(path, replaced)
        try:
            os.rename(temporary, path)
        except BaseException:
            with suppress(OSError):
                os.rename(replaced, path)
            raise
        _sync_directory(self.directory)
        # The new version is safe by now; a leftover is no reason to call the save failed.
        with suppress(OSError):
            self._discard(replaced)

    def _discard(self, path: Path) -> None:
        """Delete a checkpoint so that no half of it can pass for one."""
        if os.path.lexists(path):
            doomed = _temporary_in(self.directory)
            os.rename(path, doomed)
            _sync_directory(self.directory)
            _delete(doomed)


def write_atomically(path: str | os.PathLike[str], data: bytes) -> None:
    """Write or replace a single file so that a reader sees the old bytes or the new ones, never a mixture.

    Args:
        path: The file; its directory must exist.
        data: All of its bytes.

    Raises:
        OSError: The disk refused; it names the file and what would help, and the old file is as it was.
    """
    path = Path(path)
    temporary = _temporary_in(path.parent)
    try:
        _write(temporary, data)
        os.replace(temporary, path)
        _sync_directory(path.parent)
    except OSError as error:
        raise OSError(error.errno, f"not written: {_explain(error)}", str(path)) from error
    finally:
        with suppress(OSError):
            temporary.unlink()


def _encode(step: int, arrays: Mapping[str, np.ndarray], metadata: Mapping[str, Any]) -> tuple[bytes, bytes]:
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
    manifest = _render_manifest(json.loads(json.dumps(fields)))
    if len(manifest) > MAX_MANIFEST_BYTES:
        raise ValueError(
            f"{MANIFEST} would have {len(manifest)} bytes, over the limit of {MAX_MANIFEST_BYTES}; "
            "keep large things in the arrays"
        )
    return state, manifest


def _render_manifest(fields: dict[str, Any]) -> bytes:
    digest = hashlib.sha256(json.dumps(fields).encode()).hexdigest()
    return (json.dumps({**fields, "manifest_sha256": digest}, indent=1) + "\n").encode()


def _decode_manifest(data: bytes, step: int) -> dict[str, Any]:
    """Check a manifest's version first, since a newer one may differ in all the rest."""
    fields: dict[str, Any] = json.loads(data)
    version = fields["format_version"]
    if version != FORMAT_VERSION:
        raise ValueError(
            f"has format version {version!r} and this kerasgan reads {FORMAT_VERSION}; update kerasgan"
        )
    del fields["manifest_sha256"]
    # One comparison finds a wrong digest, a repeated key and every changed byte.
    if _render_manifest(fields) != data:
        raise ValueError("was changed after it was written")
    if fields["step"] != step:
        raise ValueError(f"says step {fields['step']!r} and its directory says {step}")
    return fields


def _decode_state(data: bytes, dtypes: dict[str, str]) -> dict[str, np.ndarray]:
    """Turn checked bytes into writable arrays, in the order of `dtypes`."""
    _check_header(data)
    tensors = dict(safetensors.deserialize(data))  # type: ignore[no-untyped-call]
    if set(tensors) != set(dtypes):
        raise ValueError(f"and its manifest disagree about {_shortened(set(tensors) ^ set(dtypes))}")
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
        raise ValueError(f"its header names twice: {_shortened(twice)}")


def _name(step: int) -> str:
    return f"step-{step:09d}"


def _replaced(path: Path) -> Path:
    return path.with_name(f"{path.name}.replaced")


def _step_of(name: str) -> int | None:
    match = _STEP_NAME.fullmatch(name)
    # `step-0000000001`, a zero too long, is nobody's: it would be a second name for step 1.
    return int(match[1]) if match and match[1] == f"{int(match[1]):09d}" else None


def _temporary_in(directory: Path) -> Path:
    return directory / f"{_TEMPORARY}{os.getpid()}-{secrets.token_hex(4)}"


def _read(path: Path, limit: int) -> bytes:
    # Asked first, because opening a pipe would wait for ever.
    if not path.is_file():
        raise ValueError("is missing" if not os.path.lexists(path) else "is not a file")
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size > limit:
            raise ValueError(f"has {size} bytes and at most {limit} were expected")
        return file.read()


def _write(path: Path, data: bytes) -> None:
    with open(path, "xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync_directory(directory: Path) -> None:
    """Make renames in a directory survive a power cut."""
    if os.name == "nt":  # Windows opens no directories, and has no such call.
        return
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _delete(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


@contextmanager
def _writing(path: Path, outcome: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise CheckpointError(f"{path}: {outcome}: {_explain(error)}") from error


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Name the file in whatever its content provokes; it may hold anything, so many things can go wrong."""
    try:
        yield
    except (OSError, LookupError, TypeError, ValueError, ArithmeticError, AttributeError) as error:
        reason = f"lacks {error}" if isinstance(error, KeyError) else _line(error)
        raise CheckpointError(f"{path}: {reason}; load an earlier step.") from error
    except (RecursionError, MemoryError, safetensors.SafetensorError) as error:
        raise CheckpointError(f"{path}: {_line(error)}; load an earlier step.") from error


def _explain(error: OSError) -> str:
    return f"{error.strerror or error}; {_REMEDIES.get(error.errno or 0, 'check the disk')}."


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__


def _shortened(items: Iterable[Any]) -> str:
    shown = [str(item) for item in sorted(items)]
    return ", ".join(shown if len(shown) <= 8 else [*shown[:4], "...", *shown[-4:]])
