"""Dropout whose random bits are also cheap on a CPU under JAX."""

from typing import Any

import keras

from kerasgan import backends


@keras.saving.register_keras_serializable("kerasgan")
class Dropout(keras.layers.Dropout):
    """`keras.layers.Dropout` with the same arguments and meaning, and cheaper random bits on JAX.

    A mask follows from the seed and its count of draws, as in Keras, but is another one than Keras's layer draws.
    `kerasgan.layers.to_stock` turns a model that holds this layer into one of stock layers.
    """

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Set a share `rate` of the inputs to zero, at random, and scale up the others; in training only."""
        if not training or self.rate == 0:
            return inputs
        return backends.dropout(inputs, self.rate, self.noise_shape, self.seed_generator)
