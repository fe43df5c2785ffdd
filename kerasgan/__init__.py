"""kerasgan: adversarial training for Keras 3, written once, run on JAX or TensorFlow."""

from kerasgan import callbacks, checkpoints, data, layers, losses, networks
from kerasgan.modules import DCGAN_RECIPES, GAN, DCGANRecipe, Module, dcgan_recipe, grad
from kerasgan.trainer import Interrupted, RunDirectoryError, Trainer, fresh_run_dir, load_run

__version__ = "0.1.0"
__all__ = [
    "DCGAN_RECIPES",
    "GAN",
    "DCGANRecipe",
    "Interrupted",
    "Module",
    "RunDirectoryError",
    "Trainer",
    "callbacks",
    "checkpoints",
    "data",
    "dcgan_recipe",
    "fresh_run_dir",
    "grad",
    "layers",
    "load_run",
    "losses",
    "networks",
]
