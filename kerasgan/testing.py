"""Tiny modules and images, for the tests of this package and of projects built on it.

Each trains in well under a second a step on any machine, and has the parts that break trainers:
BatchNormalization, Dropout, several optimizers, a gradient inside a loss, latents drawn in the step.
"""

from typing import Any

import keras
import numpy as np
from keras import ops

from kerasgan.modules import GAN, Classifier, Module, grad

IMAGE_SHAPE = (8, 8, 1)
LATENT_DIM = 4


def tiny_images(count: int = 32, seed: int = 0) -> Any:
    """Return float32 images `(count, 8, 8, 1)` in [-1, 1]: a bright square somewhere on a dark ground."""
    rng = np.random.default_rng(seed)
    images = np.full((count, *IMAGE_SHAPE), -1.0, "float32")
    for image, (row, column) in zip(images, rng.integers(0, 5, (count, 2)), strict=True):
        image[row : row + 4, column : column + 4] = 1.0
    return images


def tiny_generator(name: str = "generator", seed: int = 0) -> keras.Model:
    """Return a network from latents `(batch, 4)` to images `(batch, 8, 8, 1)`, with BatchNormalization."""
    initializer = keras.initializers.GlorotUniform(seed)
    return keras.Sequential(
        [
            keras.Input((LATENT_DIM,)),
            keras.layers.Dense(16, use_bias=False, kernel_initializer=initializer),
            keras.layers.BatchNormalization(),
            keras.layers.Activation("relu"),
            keras.layers.Dense(64, activation="tanh", kernel_initializer=initializer, dtype="float32"),
            keras.layers.Reshape(IMAGE_SHAPE, dtype="float32"),
        ],
        name=name,
    )


def tiny_discriminator(
    name: str = "discriminator",
    seed: int = 1,
    dropout: float = 0.3,
    batch_normalization: bool = False,
    output_bias: bool = True,
) -> keras.Model:
    """Return a network from images to logits `(batch, 1)`, with Dropout and perhaps BatchNormalization."""
    initializer = keras.initializers.GlorotUniform(seed)
    layers: list[Any] = [keras.Input(IMAGE_SHAPE), keras.layers.Flatten()]
    layers += [keras.layers.Dense(16, use_bias=not batch_normalization, kernel_initializer=initializer)]
    layers += [keras.layers.BatchNormalization()] if batch_normalization else []
    layers += [keras.layers.LeakyReLU(0.2)]
    layers += [keras.layers.Dropout(dropout, seed=seed)] if dropout else []
    layers += [keras.layers.Dense(1, use_bias=output_bias, kernel_initializer=initializer, dtype="float32")]
    return keras.Sequential(layers, name=name)


def tiny_gan(**options: Any) -> GAN:
    """Return a compiled `kg.GAN` of dense networks on 8x8 images."""
    gan = GAN(tiny_generator(), tiny_discriminator(), **{"seed": 0, **options})
    gan.compile(optimizer={"generator": keras.optimizers.Adam(1e-3), "discriminator": keras.optimizers.Adam(1e-3)})
    return gan


def tiny_classifier(classes: int = 3, seed: int = 0) -> Classifier:
    """Return a `kg.Classifier` of 8x8 images, with Dropout, to be compiled."""
    initializer = keras.initializers.GlorotUniform(seed)
    return Classifier(
        keras.Sequential(
            [
                keras.Input(IMAGE_SHAPE),
                keras.layers.Flatten(),
                keras.layers.Dense(8, activation="relu", kernel_initializer=initializer),
                keras.layers.Dropout(0.2, seed=seed),
                keras.layers.Dense(classes, activation="softmax", kernel_initializer=initializer, dtype="float32"),
            ],
            name="network",
        )
    )


class TinyWassersteinGAN(Module):
    """WGAN-GP with several critic updates a step and BatchNormalization in the critic."""

    def __init__(self, critic_steps: int = 2, penalty_weight: float = 10.0, seed: int = 0) -> None:
        super().__init__()
        self.generator = tiny_generator()
        # A constant added to all scores changes no Wasserstein loss: the gradient of such a bias is rounding noise,
        # which Adam would make as large as any other.
        self.critic = tiny_discriminator("critic", dropout=0.0, batch_normalization=True, output_bias=False)
        self.critic_steps, self.penalty_weight = critic_steps, penalty_weight
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.compile(optimizer={"generator": keras.optimizers.Adam(1e-3), "critic": keras.optimizers.Adam(1e-3)})

    def sample_latents(self, count: Any) -> Any:
        """Draw the generator's input."""
        return keras.random.normal((count, LATENT_DIM), seed=self.seed_generator)

    def sample_mix(self, count: Any) -> Any:
        """Draw how far each interpolated image lies from a real one to a fake."""
        return keras.random.uniform((count, 1, 1, 1), seed=self.seed_generator)

    def training_step(self, images: Any) -> None:
        """Update the critic `critic_steps` times, then the generator once."""
        for _ in range(self.critic_steps):
            self.minimize(lambda: {"critic": self.critic_loss(images)})
        self.minimize(lambda: {"generator": self.generator_loss(ops.shape(images)[0])})

    def critic_loss(self, images: Any) -> Any:
        """Return the Wasserstein distance's negative, plus the gradient penalty (arXiv:1704.00028, eq. 3)."""
        count = ops.shape(images)[0]
        fakes = self.generator(self.sample_latents(count), training=True)
        mixed = images + self.sample_mix(count) * (fakes - images)
        slopes = grad(lambda x: self.critic(x, training=True), mixed)
        norms = ops.sqrt(ops.sum(ops.square(slopes), axis=(1, 2, 3)) + 1e-12)
        penalty = ops.mean(ops.square(norms - 1.0))
        self.log("gradient_penalty", penalty)
        scores = ops.mean(self.critic(fakes, training=True)) - ops.mean(self.critic(images, training=True))
        return scores + self.penalty_weight * penalty

    def generator_loss(self, count: Any) -> Any:
        """Return minus the mean score of fresh fakes."""
        return -ops.mean(self.critic(self.generator(self.sample_latents(count), training=True), training=True))


class ThreePlayers(Module):
    """Two generators against one discriminator, by turns."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        self.first = tiny_generator("first", seed=2)
        self.second = tiny_generator("second", seed=3)
        self.discriminator = tiny_discriminator()
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.compile(optimizer={name: keras.optimizers.Adam(1e-3) for name in ("first", "second", "discriminator")})

    def training_step(self, images: Any) -> None:
        """Update the discriminator, then both generators together."""
        count = ops.shape(images)[0]
        latents = keras.random.normal((count, LATENT_DIM), seed=self.seed_generator)
        self.minimize(lambda: {"discriminator": self.discriminator_loss(images, latents)})
        self.minimize(lambda: {name: self.fooling_loss(name, latents) for name in ("first", "second")})

    def discriminator_loss(self, images: Any, latents: Any) -> Any:
        """Return the cross-entropy of real images and of both generators' fakes."""
        real = ops.mean(ops.softplus(-self.discriminator(images, training=True)))
        return real + sum(
            ops.mean(ops.softplus(self.discriminator(network(latents, training=True), training=True)))
            for network in (self.first, self.second)
        )

    def fooling_loss(self, name: str, latents: Any) -> Any:
        """Return the non-saturating loss of one generator."""
        fakes = getattr(self, name)(latents, training=True)
        return ops.mean(ops.softplus(-self.discriminator(fakes, training=True)))
