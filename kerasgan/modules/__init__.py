"""What is trained."""

from kerasgan.modules.gan import GAN
from kerasgan.modules.gradient import grad
from kerasgan.modules.module import Module

__all__ = ["GAN", "Module", "grad"]
