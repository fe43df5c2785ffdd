"""Layers Keras lacks, or has in a slower form."""

from kerasgan.layers.augmentation import AUGMENTATIONS, augmentation
from kerasgan.layers.conv2d_transpose import Conv2DTranspose
from kerasgan.layers.max_pooling2d import MaxPooling2D, max_pool
from kerasgan.layers.stock import to_stock

__all__ = ["AUGMENTATIONS", "Conv2DTranspose", "MaxPooling2D", "augmentation", "max_pool", "to_stock"]
