"""Checkpoints: `state` is what must be saved, `store` keeps it; `format`, `files` and `moves` are its means."""

from kerasgan.checkpoints.files import remove_temporaries, write_atomically
from kerasgan.checkpoints.state import StateError, capture, named_variables, non_finite, restore, restore_means
from kerasgan.checkpoints.store import Checkpoint, CheckpointError, CheckpointStore

__all__ = [
    "Checkpoint",
    "CheckpointError",
    "CheckpointStore",
    "StateError",
    "capture",
    "named_variables",
    "non_finite",
    "remove_temporaries",
    "restore",
    "restore_means",
    "write_atomically",
]
