"""The deep convolutional GAN of the TensorFlow workshop, for any square size that is a multiple of four.

At 28x28x1 both networks are the workshop's, layer for layer. Other sizes keep its pattern: the image is
halved until its side is odd or at most eight, with one strided convolution each time.

Reference:
    Radford et al., Unsupervised Representation Learning with Deep Convolutional GANs (arXiv:1511.06434).
"""

import keras

from kerasgan.layers import Conv2D, Conv2DTranspose, Dropout, SpectralNormalization

ImageShape = tuple[int, int, int]
WIDEST = 512


def generator(image_shape: ImageShape = (28, 28, 1), latent_dim: int = 100) -> keras.Model:
    """Build the network that turns latents into images.

    Args:
        image_shape: `(side, side, channels)`; side a multiple of 4 up to 128, channels 1 or 3.
        latent_dim: Length of a latent vector.

    Returns:
        A network from `(batch, latent_dim)` to `(batch, side, side, channels)` in [-1, 1].

    Raises:
        ValueError: The image shape or `latent_dim` is out of range.
    """
    side, channels, halvings = _check(image_shape)
    if channels not in (1, 3):
        raise ValueError(f"image_shape is {tuple(image_shape)}; channels must be 1 (grey) or 3 (colour).")
    if latent_dim < 1:
        raise ValueError(f"latent_dim is {latent_dim}; choose a positive integer such as 100.")
    base = side // 2**halvings
    widths = [min(64 * 2**level, WIDEST) for level in range(halvings, -1, -1)]  # 28x28: 256, 128, 64

    latents = keras.Input((latent_dim,), name="latents")
    x = keras.layers.Dense(base * base * widths[0], use_bias=False)(latents)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.LeakyReLU(negative_slope=0.3)(x)
    x = keras.layers.Reshape((base, base, widths[0]))(x)  # (batch, 7, 7, 256) for 28x28
    for level, width in enumerate(widths[1:]):
        x = Conv2DTranspose(width, 5, strides=1 if level == 0 else 2, padding="same", use_bias=False)(x)
        x = keras.layers.BatchNormalization()(x)
        x = keras.layers.LeakyReLU(negative_slope=0.3)(x)
    images = Conv2DTranspose(
        channels,
        5,
        strides=2,
        padding="same",
        use_bias=False,
        activation="tanh",
        # The image is float32 whatever the precision of the layers: it meets data and files.
        dtype="float32",
    )(x)
    return keras.Model(latents, images, name="generator")


def discriminator(
    image_shape: ImageShape = (28, 28, 1), dropout: float = 0.3, *, spectral_normalization: bool = False
) -> keras.Model:
    """Build the network that scores images.

    Args:
        image_shape: `(side, side, channels)`; side a multiple of 4 up to 128, any number of channels: planes that tell
            the label may be among them.
        dropout: Share of activations dropped after each convolution, in [0, 1).
        spectral_normalization: Whether kernels are divided by their largest singular values.

    Returns:
        A network from `(batch, side, side, channels)` to logits `(batch, 1)`; higher means more real.

    Raises:
        ValueError: The image shape is out of range.
    """
    _, _, halvings = _check(image_shape)

    def normalized(layer: keras.Layer) -> keras.Layer:
        return SpectralNormalization(layer, dtype=layer.dtype_policy) if spectral_normalization else layer

    images = keras.Input(image_shape, name="images")
    x = images
    for level in range(halvings):
        x = normalized(Conv2D(min(64 * 2**level, WIDEST), 5, strides=2, padding="same"))(x)
        x = keras.layers.LeakyReLU(negative_slope=0.3)(x)
        x = Dropout(dropout)(x)
    logits = normalized(keras.layers.Dense(1, dtype="float32"))(keras.layers.Flatten()(x))
    return keras.Model(images, logits, name="discriminator")


def _check(image_shape: ImageShape) -> tuple[int, int, int]:
    """Return side, channels and how often the side is halved."""
    if len(image_shape) != 3 or image_shape[0] != image_shape[1]:
        raise ValueError(f"image_shape is {tuple(image_shape)}; a DCGAN makes square images, such as (28, 28, 1).")
    side, _, channels = image_shape
    if side % 4 or not 4 <= side <= 128:
        raise ValueError(f"image_shape is {tuple(image_shape)}; the side must be a multiple of 4 from 4 to 128.")
    if channels < 1:
        raise ValueError(f"image_shape is {tuple(image_shape)}; there must be a channel.")
    halvings = 2
    while side // 2**halvings > 8 and side // 2**halvings % 2 == 0:
        halvings += 1
    return side, channels, halvings
