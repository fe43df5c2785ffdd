"""Layers Keras lacks, or has in a slower form."""

from kerasgan.layers.augmentation import AUGMENTATIONS, augmentation
from kerasgan.layers.conv2d import Conv2D
from kerasgan.layers.conv2d_transpose import Conv2DTranspose
from kerasgan.layers.diff_augment import DiffAugment
from kerasgan.layers.dropout import Dropout
from kerasgan.layers.max_pooling2d import MaxPooling2D, max_pool
from kerasgan.layers.spectral_normalization import SpectralNormalization
from kerasgan.layers.stock import to_stock
from kerasgan.layers.weight_clip import WeightClip

__all__ = [
    "AUGMENTATIONS",
    "Conv2D",
    "Conv2DTranspose",
    "DiffAugment",
    "Dropout",
    "MaxPooling2D",
    "SpectralNormalization",
    "WeightClip",
    "augmentation",
    "max_pool",
    "to_stock",
]
