"""kerasgan: adversarial and ordinary training for Keras 3, written once, run on JAX or TensorFlow."""

from kerasgan import callbacks, checkpoints, data, layers, losses, metrics, networks, recipes, tuning
from kerasgan.loading import TrustError, load_network, load_run
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
from kerasgan.trainer import Interrupted, RunDirectoryError, Trainer, fresh_run_dir

__version__ = "0.1.0"
__all__ = [
    "CLASSIFIER_RECIPES",
    "GAN",
    "Classifier",
    "ClassifierRecipe",
    "ConditionalGAN",
    "Interrupted",
    "Module",
    "Prediction",
    "RunDirectoryError",
    "ScratchClassifier",
    "Trainer",
    "TrustError",
    "callbacks",
    "checkpoints",
    "classifier_recipe",
    "data",
    "fresh_run_dir",
    "grad",
    "layers",
    "load_network",
    "load_run",
    "losses",
    "metrics",
    "networks",
    "recipes",
    "tuning",
]
