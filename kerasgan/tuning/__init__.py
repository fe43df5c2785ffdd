"""The search of hyperparameters: many short trainings, and the best of them trained longer."""

from kerasgan.tuning.search import Search
from kerasgan.tuning.study import TuningError

__all__ = ["Search", "TuningError"]
