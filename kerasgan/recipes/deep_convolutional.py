"""Recipes on the networks of the workshop's DCGAN; they differ by loss, by what bounds slopes, and by optimizers."""

from typing import Any

import keras

from kerasgan.modules import GAN
from kerasgan.networks import dcgan as networks
from kerasgan.recipes.registry import recipe

ImageShape = tuple[int, int, int]


@recipe(batch_size=256, epochs=50)
def dcgan(
    image_shape: ImageShape = (28, 28, 1),
    latent_dim: int = 100,
    *,
    learning_rate: float = 1e-4,
    beta_1: float = 0.9,
    dropout: float = 0.3,
    **options: Any,
) -> GAN:
    """Build the workshop's GAN.

    Args:
        image_shape: `(side, side, channels)`; side a multiple of 4 up to 128, channels 1 or 3.
        latent_dim: Length of a latent vector.
        learning_rate: Of Adam, for both players.
        beta_1: Of Adam, for both players.
        dropout: Share dropped after each convolution of the discriminator.
        options: Further options of `kg.GAN`, such as `ema` and `seed`.

    Returns:
        A compiled GAN.

    Raises:
        ValueError: The image shape or `latent_dim` is out of range.

    Reference:
        TensorFlow tutorial "Deep Convolutional Generative Adversarial Network", for MNIST on a GPU.
    """
    gan = GAN.dcgan(image_shape, latent_dim, dropout=dropout, **options)
    gan.compile(optimizer=adams(learning_rate, beta_1=beta_1))
    return gan


@recipe(batch_size=32, epochs=40)
def small_steps(
    image_shape: ImageShape = (28, 28, 1),
    latent_dim: int = 100,
    *,
    learning_rate: float = 4e-4,
    beta_1: float = 0.5,
    dropout: float = 0.0,
    **options: Any,
) -> GAN:
    """Build the workshop's GAN for many small steps; arguments as in `dcgan`.

    Measured here, on 1,500 digits: the most readable ones within a few minutes on two CPU cores. A `beta_1` of 0.9
    oscillates (Radford et al., arXiv:1511.06434).
    """
    return dcgan(image_shape, latent_dim, learning_rate=learning_rate, beta_1=beta_1, dropout=dropout, **options)


@recipe(batch_size=64, epochs=20)
def lsgan(
    image_shape: ImageShape = (28, 28, 1),
    latent_dim: int = 100,
    *,
    learning_rate: float = 2e-4,
    beta_1: float = 0.5,
    dropout: float = 0.0,
    **options: Any,
) -> GAN:
    """Build a least squares GAN; arguments as in `dcgan`.

    Reference:
        Mao et al., Least Squares Generative Adversarial Networks (arXiv:1611.04076), section 4.1: loss, batch size, and
        the optimizer of its characters, the smaller of its images.
    """
    options = {"loss": "least_squares", **options}
    return dcgan(image_shape, latent_dim, learning_rate=learning_rate, beta_1=beta_1, dropout=dropout, **options)


@recipe(batch_size=64, epochs=20)
def hinge_sngan(
    image_shape: ImageShape = (28, 28, 1),
    latent_dim: int = 100,
    *,
    generator_rate: float = 1e-4,
    discriminator_rate: float = 4e-4,
    beta_1: float = 0.0,
    beta_2: float = 0.9,
    **options: Any,
) -> GAN:
    """Build a GAN of hinge loss and spectral normalization, whose discriminator learns faster than its generator.

    Args:
        image_shape: As in `dcgan`.
        latent_dim: As in `dcgan`.
        generator_rate: Of Adam.
        discriminator_rate: Of Adam.
        beta_1: Of Adam, for both players.
        beta_2: Of Adam, for both players.
        options: Further options of `kg.GAN`; `ema` is 0.999 unless given.

    Returns:
        A compiled GAN.

    Raises:
        ValueError: As in `dcgan`.

    Reference:
        Miyato et al., Spectral Normalization for GANs (arXiv:1802.05957); the two rates: Heusel et al.
        (arXiv:1706.08500), as Zhang et al. (arXiv:1805.08318, section 4) chose them. The moving average of the
        generator: Yazici et al. (arXiv:1806.04498).
    """
    discriminator = networks.discriminator(image_shape, dropout=0.0, spectral_normalization=True)
    options = {"loss": "hinge", "ema": 0.999, **options}
    gan = GAN(networks.generator(image_shape, latent_dim), discriminator, **options)
    gan.compile(optimizer=adams(generator_rate, discriminator_rate, beta_1=beta_1, beta_2=beta_2))
    return gan


@recipe(batch_size=64, epochs=20)
def wgan_gp(
    image_shape: ImageShape = (28, 28, 1),
    latent_dim: int = 128,
    *,
    learning_rate: float = 1e-4,
    beta_1: float = 0.0,
    beta_2: float = 0.9,
    penalty_weight: float = 10.0,
    critic_steps: int = 5,
    **options: Any,
) -> GAN:
    """Build a Wasserstein GAN whose critic's gradient norm is penalized towards one.

    Args:
        image_shape: As in `dcgan`.
        latent_dim: As in `dcgan`.
        learning_rate: Of Adam, for both players.
        beta_1: Of Adam, for both players.
        beta_2: Of Adam, for both players.
        penalty_weight: Of the gradient penalty, lambda in the paper.
        critic_steps: Updates of the critic in a step.
        options: Further options of `kg.GAN`.

    Returns:
        A compiled GAN.

    Raises:
        ValueError: As in `dcgan`.

    Reference:
        Gulrajani et al., Improved Training of Wasserstein GANs (arXiv:1704.00028), algorithm 1 and its defaults, but
        that all updates of a step see the same images, and that the generator learns along with the last of them.
    """
    options = {"loss": "wasserstein", "penalties": {"wgan_gp": penalty_weight}, "critic_steps": critic_steps, **options}
    gan = GAN(networks.generator(image_shape, latent_dim), networks.discriminator(image_shape, dropout=0.0), **options)
    gan.compile(optimizer=adams(learning_rate, beta_1=beta_1, beta_2=beta_2))
    return gan


def adams(
    generator_rate: float, discriminator_rate: float | None = None, **options: Any
) -> dict[str, keras.optimizers.Optimizer]:
    """Return an Adam for each player, at one rate unless two are given."""
    other_rate = generator_rate if discriminator_rate is None else discriminator_rate
    rates = {"generator": generator_rate, "discriminator": other_rate}
    return {player: keras.optimizers.Adam(rate, **options) for player, rate in rates.items()}
