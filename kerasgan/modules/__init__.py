"""What is trained."""

from kerasgan.modules.gan import GAN
from kerasgan.modules.gradient import grad
from kerasgan.modules.module import Module
from kerasgan.modules.recipes import DCGAN_RECIPES, DCGANRecipe, dcgan_recipe

__all__ = ["DCGAN_RECIPES", "GAN", "DCGANRecipe", "Module", "dcgan_recipe", "grad"]
