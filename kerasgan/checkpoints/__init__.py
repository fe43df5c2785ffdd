"""Checkpoints: `state` is what must be saved, `store` keeps it by `format`, `files`, `moves`; `lock` keeps it ours."""

from kerasgan.checkpoints.files import remove_temporaries, write_atomically
from kerasgan.checkpoints.lock import DirectoryInUse, DirectoryLock
from kerasgan.checkpoints.provenance import environment
from kerasgan.checkpoints.state import (
    NOT_RESTORED,
    StateError,
    capture,
    missing_means,
    named_variables,
    non_finite,
    restore,
    restore_means,
)
from kerasgan.checkpoints.store import Checkpoint, CheckpointError, CheckpointStore, CheckpointWriteError

__all__ = [
    "NOT_RESTORED",
    "Checkpoint",
    "CheckpointError",
    "CheckpointStore",
    "CheckpointWriteError",
    "DirectoryInUse",
    "DirectoryLock",
    "StateError",
    "capture",
    "environment",
    "missing_means",
    "named_variables",
    "non_finite",
    "remove_temporaries",
    "restore",
    "restore_means",
    "write_atomically",
]
