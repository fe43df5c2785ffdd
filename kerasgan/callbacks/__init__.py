"""What happens around training: one Keras callback per file, each at home in plain `model.fit`."""

from kerasgan.callbacks.checkpoint import Checkpoint
from kerasgan.callbacks.classification_report import ClassificationReport
from kerasgan.callbacks.csv_logger import CSVLogger
from kerasgan.callbacks.image_grid import ImageGrid
from kerasgan.callbacks.images import grid, save_png
from kerasgan.callbacks.progress_bar import ProgressBar
from kerasgan.callbacks.sample_quality import SampleQuality
from kerasgan.callbacks.stop_on_nan import NonFiniteLoss, StopOnNaN
from kerasgan.callbacks.tensorboard import TensorBoard

__all__ = [
    "CSVLogger",
    "Checkpoint",
    "ClassificationReport",
    "ImageGrid",
    "NonFiniteLoss",
    "ProgressBar",
    "SampleQuality",
    "StopOnNaN",
    "TensorBoard",
    "grid",
    "save_png",
]
