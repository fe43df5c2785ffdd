"""Puts the parts together: run directory, signals, processes, callbacks, Keras's own `fit`."""

from kerasgan.trainer.agreement import agree
from kerasgan.trainer.processes import connect, leave, together
from kerasgan.trainer.run_directory import RunDirectoryError, fresh_run_dir
from kerasgan.trainer.signals import Interrupted
from kerasgan.trainer.trainer import Trainer

__all__ = ["Interrupted", "RunDirectoryError", "Trainer", "agree", "connect", "fresh_run_dir", "leave", "together"]
