"""kerasgan: adversarial and ordinary training for Keras 3, written once, run on JAX or TensorFlow."""

from kerasgan import callbacks, checkpoints, data, layers, losses, metrics, networks, recipes, tuning
from kerasgan.backends import PeerLost, process_count, process_index
from kerasgan.loading import TrustError, load_generator, load_network, load_run
from kerasgan.modules import (
    CLASSIFIER_RECIPES,
    GAN,
    Classifier,
    ClassifierRecipe,
    ConditionalGAN,
    Module,
    Prediction,
    ScratchClassifier,
    classifier_recipe,
    grad,
)
from kerasgan.trainer import Interrupted, RunDirectoryError, Trainer, agree, connect, fresh_run_dir, leave, together

__version__ = "0.1.0"
__all__ = [
    "CLASSIFIER_RECIPES",
    "GAN",
    "Classifier",
    "ClassifierRecipe",
    "ConditionalGAN",
    "Interrupted",
    "Module",
    "PeerLost",
    "Prediction",
    "RunDirectoryError",
    "ScratchClassifier",
    "Trainer",
    "TrustError",
    "agree",
    "callbacks",
    "checkpoints",
    "classifier_recipe",
    "connect",
    "data",
    "fresh_run_dir",
    "grad",
    "layers",
    "leave",
    "load_generator",
    "load_network",
    "load_run",
    "losses",
    "metrics",
    "networks",
    "process_count",
    "process_index",
    "recipes",
    "together",
    "tuning",
]
