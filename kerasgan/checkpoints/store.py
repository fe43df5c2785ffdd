"""Which checkpoints a run has; how one is written, trusted when it comes back, and deleted. Nothing about models."""

import hashlib
import operator
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors

from kerasgan.checkpoints.files import explain, read_file, sync_directory, temporary_in, write_new
from kerasgan.checkpoints.format import (
    MANIFEST,
    MAX_MANIFEST_BYTES,
    STATE,
    decode_manifest,
    decode_state,
    encode,
    shortened,
)
from kerasgan.checkpoints.moves import discard, is_leftover, move_in, name_of, replaced, settle, step_of

REMEDY = "; load an earlier step."  # Of one that is damaged; whoever passes over it is doing so.
SHOWN = 3  # Damaged checkpoints in an error; there may be hundreds.


class CheckpointError(RuntimeError):
    """A checkpoint cannot be written or trusted; one line that names the path, the fault and the remedy."""


class CheckpointWriteError(CheckpointError):
    """A checkpoint cannot be written, or its store not be kept in order; those that were there are as they were."""


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
            CheckpointWriteError: The disk refused, or the arrays or metadata cannot be stored. Every earlier
                checkpoint, one of the same step included, is as it was.
            ValueError: `step` is negative.
        """
        step = operator.index(step)
        if step < 0:
            raise ValueError(f"step is {step}; a checkpoint needs a step of zero or more.")
        path = self.directory / name_of(step)
        try:
            state, manifest = encode(step, arrays, metadata)
        except (TypeError, ValueError, RecursionError, safetensors.SafetensorError) as error:
            raise CheckpointWriteError(f"{path}: not saved: {_line(error)}") from error

        temporary = temporary_in(self.directory)
        with _writing(path, "not saved"):
            try:
                if not self.directory.exists():
                    self.directory.mkdir()
                    sync_directory(self.directory.parent)
                temporary.mkdir()
                write_new(temporary / STATE, state)
                write_new(temporary / MANIFEST, manifest)
                sync_directory(temporary)
                move_in(temporary, path)
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
            raise CheckpointError(f"{self.directory}: cannot be listed: {explain(error)}") from error
        return sorted({step for name in names if (step := step_of(name)) is not None})

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
            raise CheckpointError(f"{self.directory}: has no step {step}; it has {shortened(steps)}.")
        path = self.directory / name_of(step)
        if not os.path.lexists(path):
            path = replaced(path)  # a crash fell between two moves; see the top of moves.py
        manifest = path / MANIFEST
        with _reading(manifest):
            fields = decode_manifest(read_file(manifest, MAX_MANIFEST_BYTES), step)
            size, sha256, dtypes = (fields["state"][key] for key in ("size", "sha256", "dtypes"))
            metadata = dict(fields["metadata"])
        with _reading(path / STATE):
            data = read_file(path / STATE, size)
            if len(data) != size:
                raise ValueError(f"has {len(data)} bytes and its manifest says {size}")
            if hashlib.sha256(data).hexdigest() != sha256:
                raise ValueError(f"its sha256 is not the {sha256} of its manifest")
            arrays = decode_state(data, dtypes)
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
                passed_over.append((self.directory / name_of(step), str(error).removesuffix(REMEDY)))
        if passed_over:
            shown = [reason for _, reason in passed_over[:SHOWN]]
            more = [f"and {len(passed_over) - SHOWN} more"] if len(passed_over) > SHOWN else []
            raise CheckpointError(
                f"{self.directory}: no checkpoint is usable: {' | '.join(shown + more)}; restore one from a copy, or "
                "start a new run."
            )
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
            CheckpointWriteError: The disk refused.
            ValueError: `keep_last` is less than one.
        """
        if keep_last < 1:
            raise ValueError(f"keep_last is {keep_last}; keep at least 1 checkpoint.")
        doomed = sorted(set(self.steps()[:-keep_last]) - set(protect))
        for step in doomed:
            path = self.directory / name_of(step)
            with _writing(path, "not deleted"):
                # The replaced version first, or a kill between the two would bring it back.
                discard(replaced(path))
                discard(path)
        return doomed

    def collect_garbage(self) -> list[Path]:
        """Finish or undo what a killed process left; for the store's one owner, before it saves.

        Returns:
            The leftovers dealt with, under the names they had.

        Raises:
            CheckpointWriteError: The disk refused.
        """
        with _writing(self.directory, "not cleaned up"):
            names = sorted(os.listdir(self.directory)) if self.directory.exists() else []
        leftovers = [self.directory / name for name in names if is_leftover(name)]
        for leftover in leftovers:
            with _writing(leftover, "not cleaned up"):
                settle(leftover)
        return leftovers


@contextmanager
def _writing(path: Path, outcome: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise CheckpointWriteError(f"{path}: {outcome}: {explain(error)}") from error


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Name the file in whatever its content provokes; it may hold anything, so many things can go wrong."""
    try:
        yield
    except (OSError, LookupError, TypeError, ValueError, ArithmeticError, AttributeError) as error:
        reason = f"lacks {error}" if isinstance(error, KeyError) else _line(error)
        raise CheckpointError(f"{path}: {reason}{REMEDY}") from error
    except (RecursionError, MemoryError, safetensors.SafetensorError) as error:
        raise CheckpointError(f"{path}: {_line(error)}{REMEDY}") from error


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
