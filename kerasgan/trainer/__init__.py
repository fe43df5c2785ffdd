"""Puts the parts together: run directory, signals, callbacks, Keras's own `fit`."""

from kerasgan.trainer.run_directory import RunDirectoryError, fresh_run_dir
from kerasgan.trainer.signals import Interrupted
from kerasgan.trainer.trainer import Trainer

__all__ = ["Interrupted", "RunDirectoryError", "Trainer", "fresh_run_dir"]
