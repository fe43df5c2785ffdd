"""Checkpoints: `state` is what must be saved, `store` is how bytes reach the disk."""

from kerasgan.checkpoints.state import StateError, capture, named_variables, restore
from kerasgan.checkpoints.store import Checkpoint, CheckpointError, CheckpointStore, write_atomically

__all__ = [
    "Checkpoint",
    "CheckpointError",
    "CheckpointStore",
    "StateError",
    "capture",
    "named_variables",
    "restore",
    "write_atomically",
]
