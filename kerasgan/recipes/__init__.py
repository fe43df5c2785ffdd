"""GANs with every hyperparameter they were published with, as functions that build them compiled."""

from kerasgan.recipes.conditional import acgan, cgan, projection
from kerasgan.recipes.deep_convolutional import dcgan, hinge_sngan, lsgan, small_steps, wgan_gp
from kerasgan.recipes.r3gan import r3gan
from kerasgan.recipes.registry import RECIPES, Recipe, find
from kerasgan.recipes.scheduled_adam import ScheduledAdam

__all__ = [
    "RECIPES",
    "Recipe",
    "ScheduledAdam",
    "acgan",
    "cgan",
    "dcgan",
    "find",
    "hinge_sngan",
    "lsgan",
    "projection",
    "r3gan",
    "small_steps",
    "wgan_gp",
]
