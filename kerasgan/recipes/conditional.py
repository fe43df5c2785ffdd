"""Recipes that are told which class to make, on the networks of the workshop's DCGAN."""

from typing import Any

import keras

from kerasgan.modules import ConditionalGAN
from kerasgan.networks import conditional, dcgan
from kerasgan.recipes.deep_convolutional import ImageShape, adams
from kerasgan.recipes.registry import recipe


@recipe(batch_size=64, epochs=20)
def cgan(
    image_shape: ImageShape = (28, 28, 1),
    latent_dim: int = 100,
    num_classes: int = 10,
    *,
    learning_rate: float = 2e-4,
    beta_1: float = 0.5,
    dropout: float = 0.3,
    **options: Any,
) -> ConditionalGAN:
    """Build a conditional GAN: both players are told the label, as a one-hot vector and as planes.

    Args:
        image_shape: `(side, side, channels)`; side a multiple of 4 up to 128, channels 1 or 3.
        latent_dim: Length of a latent vector.
        num_classes: Number of classes, at least 2.
        learning_rate: Of Adam, for both players.
        beta_1: Of Adam, for both players.
        dropout: Share dropped after each convolution of the discriminator.
        options: Further options of `kg.ConditionalGAN`, such as `ema` and `seed`.

    Returns:
        A compiled GAN.

    Raises:
        ValueError: The image shape, `latent_dim` or `num_classes` is out of range.

    Reference:
        Mirza and Osindero, Conditional Generative Adversarial Nets (arXiv:1411.1784); networks and optimizer of Radford
        et al. (arXiv:1511.06434), section 4.
    """
    generator = _generator(image_shape, latent_dim, num_classes)
    height, width, channels = image_shape
    discriminator = dcgan.discriminator((height, width, channels + num_classes), dropout)
    gan = ConditionalGAN(
        generator,
        conditional.discriminator(discriminator, num_classes),
        num_classes=num_classes,
        **options,
    )
    gan.compile(optimizer=adams(learning_rate, beta_1=beta_1))
    return gan


@recipe(batch_size=100, epochs=20)
def acgan(
    image_shape: ImageShape = (28, 28, 1),
    latent_dim: int = 100,
    num_classes: int = 10,
    *,
    learning_rate: float = 2e-4,
    beta_1: float = 0.5,
    dropout: float = 0.5,
    class_weight: float = 1.0,
    **options: Any,
) -> ConditionalGAN:
    """Build an auxiliary classifier GAN: the discriminator says which class it sees.

    Args:
        image_shape: As in `cgan`.
        latent_dim: As in `cgan`.
        num_classes: As in `cgan`.
        learning_rate: Of Adam, for both players.
        beta_1: Of Adam, for both players.
        dropout: Share dropped after each convolution of the discriminator.
        class_weight: Weight of the classification loss relative to the adversarial loss.
        options: Further options of `kg.ConditionalGAN`.

    Returns:
        A compiled GAN.

    Raises:
        ValueError: The image shape, `latent_dim` or `num_classes` is out of range.

    Reference:
        Odena et al., Conditional Image Synthesis with Auxiliary Classifier GANs (arXiv:1610.09585), appendix A.
    """
    gan = ConditionalGAN(
        _generator(image_shape, latent_dim, num_classes),
        conditional.auxiliary_classifier(dcgan.discriminator(image_shape, dropout), num_classes),
        num_classes=num_classes,
        class_weight=class_weight,
        **options,
    )
    gan.compile(optimizer=adams(learning_rate, beta_1=beta_1))
    return gan


@recipe(batch_size=64, epochs=20)
def projection(
    image_shape: ImageShape = (28, 28, 1),
    latent_dim: int = 128,
    num_classes: int = 10,
    *,
    generator_rate: float = 1e-4,
    discriminator_rate: float = 4e-4,
    beta_1: float = 0.0,
    beta_2: float = 0.9,
    **options: Any,
) -> ConditionalGAN:
    """Build a conditional GAN with a projection discriminator, of hinge loss and spectral normalization.

    Args:
        image_shape: As in `cgan`.
        latent_dim: As in `cgan`.
        num_classes: As in `cgan`.
        generator_rate: Of Adam.
        discriminator_rate: Of Adam.
        beta_1: Of Adam, for both players.
        beta_2: Of Adam, for both players.
        options: Further options of `kg.ConditionalGAN`; `ema` is 0.999 unless given.

    Returns:
        A compiled GAN.

    Raises:
        ValueError: The image shape, `latent_dim` or `num_classes` is out of range.

    Reference:
        Miyato and Koyama, cGANs with Projection Discriminator (arXiv:1802.05637); its generator is told the class by
        conditional normalization, ours by a one-hot vector. The rates as in `hinge_sngan`, in place of five updates of
        the discriminator.
    """
    discriminator = dcgan.discriminator(image_shape, dropout=0.0, spectral_normalization=True)
    gan = ConditionalGAN(
        _generator(image_shape, latent_dim, num_classes),
        conditional.projection_discriminator(discriminator, num_classes),
        num_classes=num_classes,
        **{"loss": "hinge", "ema": 0.999, **options},
    )
    gan.compile(optimizer=adams(generator_rate, discriminator_rate, beta_1=beta_1, beta_2=beta_2))
    return gan


def _generator(image_shape: ImageShape, latent_dim: int, num_classes: int) -> keras.Model:
    return conditional.generator(dcgan.generator(image_shape, latent_dim + num_classes), num_classes)
