"""Convolutional classifiers; with the defaults, the workshop's CNN on MNIST layer for layer."""

from collections.abc import Sequence
from typing import Any

import keras

from kerasgan.layers import MaxPooling2D
from kerasgan.networks.dcgan import ImageShape


def classifier(
    image_shape: ImageShape = (28, 28, 1),
    num_classes: int = 10,
    *,
    filters: Sequence[int] = (32, 64),
    convolutions: int = 1,
    units: Sequence[int] = (),
    activation: str = "relu",
    batch_normalization: bool = False,
    dropout: float = 0.2,
    padding: str = "valid",
) -> keras.Model:
    """Build a network of 3x3 convolutions and poolings that tells classes of images apart.

    Args:
        image_shape: `(height, width, channels)`.
        num_classes: Number of classes.
        filters: Width of the convolutions of each block; a block ends with a pooling that halves the image.
        convolutions: Convolutions in a block, at least 1.
        units: Width of each hidden dense layer after the blocks.
        activation: Name of what follows each convolution and each hidden dense layer.
        batch_normalization: Whether to normalize between each convolution and its activation.
        dropout: Share of activations dropped after the blocks and after each hidden dense layer, in [0, 1); 0 leaves
            the layers out.
        padding: `"valid"`, where each convolution takes two pixels off height and width, or `"same"`.

    Returns:
        A network from images `(batch, height, width, channels)` in [-1, 1] to probabilities
        `(batch, num_classes)`, float32.

    Raises:
        ValueError: The images are too small for so many blocks, or another argument is out of range.
    """
    _check(image_shape, filters, convolutions, padding)
    images = keras.Input(image_shape, name="images")
    # The workshop trained on [0, 1], and there a black border is the zeros that "same" pads with.
    x = keras.layers.Rescaling(0.5, 0.5)(images)
    for width in filters:
        for _ in range(convolutions):
            x = _convolution(x, width, activation, batch_normalization, padding)
        x = MaxPooling2D(2)(x)
    if dropout:
        x = keras.layers.Dropout(dropout)(x)
    x = keras.layers.Flatten()(x)  # (batch, 5 * 5 * 64) for 28x28
    for width in units:
        x = keras.layers.Dense(width, activation=activation)(x)
        if dropout:
            x = keras.layers.Dropout(dropout)(x)
    # Probabilities are float32 whatever the precision of the layers: small ones vanish in 16 bits.
    probabilities = keras.layers.Dense(num_classes, activation="softmax", dtype="float32")(x)
    return keras.Model(images, probabilities, name="convnet")


def _convolution(x: Any, width: int, activation: str, batch_normalization: bool, padding: str) -> Any:
    if not batch_normalization:
        return keras.layers.Conv2D(width, 3, padding=padding, activation=activation)(x)
    # No bias: the normalization would subtract it again.
    x = keras.layers.Conv2D(width, 3, padding=padding, use_bias=False)(x)
    x = keras.layers.BatchNormalization()(x)
    return keras.layers.Activation(activation)(x)


def _check(image_shape: ImageShape, filters: Sequence[int], convolutions: int, padding: str) -> None:
    if padding not in ("valid", "same"):
        raise ValueError(f"padding is {padding!r}; choose 'valid' or 'same'.")
    if convolutions < 1:
        raise ValueError(f"convolutions is {convolutions}; choose at least 1 a block.")
    if len(image_shape) != 3:
        raise ValueError(f"image_shape is {tuple(image_shape)}; give (height, width, channels), such as (28, 28, 1).")
    least = 1  # Backwards from one pixel: a pooling needs twice the side, a valid convolution two pixels more.
    for _ in filters:
        least = 2 * least + (2 * convolutions if padding == "valid" else 0)
    if min(image_shape[:2]) < least:
        remedy = (
            "fewer filters" if padding == "same" else f"fewer filters, or padding='same' ({2 ** len(filters)} pixels)"
        )
        raise ValueError(
            f"image_shape is {tuple(image_shape)}; {len(filters)} poolings with padding {padding!r} need sides of at "
            f"least {least} pixels. Choose larger images, {remedy}."
        )
