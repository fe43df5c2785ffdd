"""Functions that build the Keras networks."""

from kerasgan.networks import dcgan

__all__ = ["dcgan"]
