"""What is trained."""

from kerasgan.modules.classifier import Classifier, Prediction
from kerasgan.modules.classifier_recipes import CLASSIFIER_RECIPES, ClassifierRecipe, classifier_recipe
from kerasgan.modules.conditional_gan import ConditionalGAN
from kerasgan.modules.gan import GAN
from kerasgan.modules.gradient import grad
from kerasgan.modules.module import Module
from kerasgan.modules.scratch import ScratchClassifier

__all__ = [
    "CLASSIFIER_RECIPES",
    "GAN",
    "Classifier",
    "ClassifierRecipe",
    "ConditionalGAN",
    "Module",
    "Prediction",
    "ScratchClassifier",
    "classifier_recipe",
    "grad",
]
