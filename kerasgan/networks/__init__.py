"""Functions that build the Keras networks."""

from kerasgan.networks import convnet, dcgan, dense, low_level, scratch

__all__ = ["convnet", "dcgan", "dense", "low_level", "scratch"]
