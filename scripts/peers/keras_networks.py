"""The two networks of each workload in stock Keras layers, as the tutorial builds them.

Reference:
    https://www.tensorflow.org/tutorials/generative/dcgan
"""

import math

import keras
from keras import layers

from peers.workloads import Workload


def build(workload: Workload) -> tuple[keras.Model, keras.Model]:
    """Return `(generator, discriminator)`."""
    return _dcgan(workload) if workload.name == "dcgan" else _tiny(workload)


def trained_weights(*networks: keras.Model) -> int:
    """Count the numbers that training changes by gradients."""
    return sum(math.prod(weight.shape) for network in networks for weight in network.trainable_weights)


def _dcgan(workload: Workload) -> tuple[keras.Model, keras.Model]:
    like = {"padding": "same", "use_bias": False}
    generator = keras.Sequential(
        [
            keras.Input((workload.latent_dim,)),
            layers.Dense(7 * 7 * 256, use_bias=False),
            layers.BatchNormalization(),
            layers.LeakyReLU(0.3),
            layers.Reshape((7, 7, 256)),
            layers.Conv2DTranspose(128, 5, strides=1, **like),  # (batch, 7, 7, 128)
            layers.BatchNormalization(),
            layers.LeakyReLU(0.3),
            layers.Conv2DTranspose(64, 5, strides=2, **like),  # (batch, 14, 14, 64)
            layers.BatchNormalization(),
            layers.LeakyReLU(0.3),
            layers.Conv2DTranspose(1, 5, strides=2, activation="tanh", **like),  # (batch, 28, 28, 1)
        ],
        name="generator",
    )
    discriminator = keras.Sequential(
        [
            keras.Input(workload.image_shape),
            layers.Conv2D(64, 5, strides=2, padding="same"),  # (batch, 14, 14, 64)
            layers.LeakyReLU(0.3),
            layers.Dropout(workload.dropout),
            layers.Conv2D(128, 5, strides=2, padding="same"),  # (batch, 7, 7, 128)
            layers.LeakyReLU(0.3),
            layers.Dropout(workload.dropout),
            layers.Flatten(),
            layers.Dense(1),
        ],
        name="discriminator",
    )
    return generator, discriminator


def _tiny(workload: Workload) -> tuple[keras.Model, keras.Model]:
    generator = keras.Sequential(
        [
            keras.Input((workload.latent_dim,)),
            layers.Dense(16, use_bias=False),
            layers.BatchNormalization(),
            layers.Activation("relu"),
            layers.Dense(64, activation="tanh"),
            layers.Reshape(workload.image_shape),
        ],
        name="generator",
    )
    discriminator = keras.Sequential(
        [
            keras.Input(workload.image_shape),
            layers.Flatten(),
            layers.Dense(16),
            layers.LeakyReLU(0.2),
            layers.Dropout(workload.dropout),
            layers.Dense(1),
        ],
        name="discriminator",
    )
    return generator, discriminator
