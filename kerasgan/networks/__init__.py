"""Functions that build the Keras networks."""

from kerasgan.networks import conditional, convnet, dcgan, dense, featurenet, low_level, residual, scratch

__all__ = ["conditional", "convnet", "dcgan", "dense", "featurenet", "low_level", "residual", "scratch"]
