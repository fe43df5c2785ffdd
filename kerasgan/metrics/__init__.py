"""How good are the predictions: figures in numbers, and figures to look at."""

from kerasgan.metrics.classification import Assessment, assess
from kerasgan.metrics.confusion import draw_confusion
from kerasgan.metrics.curves import draw_curves
from kerasgan.metrics.mistakes import draw_mistakes
from kerasgan.metrics.trials import Trial, draw_trials

__all__ = ["Assessment", "Trial", "assess", "draw_confusion", "draw_curves", "draw_mistakes", "draw_trials"]
