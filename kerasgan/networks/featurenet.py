"""The small classifier whose inner values describe images: what distances between sets of images are measured in."""

import keras

from kerasgan.layers import MaxPooling2D
from kerasgan.networks.dcgan import ImageShape

FEATURES = "features"


def classifier(
    image_shape: ImageShape = (28, 28, 1),
    num_classes: int = 10,
    *,
    filters: tuple[int, ...] = (32, 64, 64),
    width: int = 128,
    dropout: float = 0.3,
) -> keras.Model:
    """Build a classifier with a layer called `features`, whose values have mean 0 and variance 1 on what it learned.

    Args:
        image_shape: `(height, width, channels)`.
        num_classes: Number of classes.
        filters: Width of the convolution of each block; a block ends with a pooling that halves the image.
        width: Number of features.
        dropout: Share of activations dropped after the features, in [0, 1).

    Returns:
        A network from images `(batch, height, width, channels)` in [-1, 1] to probabilities `(batch, num_classes)`.
        All of it is float32, whatever the precision in force: what it says shall depend on the images alone.

    Raises:
        ValueError: The images are too small for so many blocks.
    """
    least = 2 ** len(filters)
    if len(image_shape) != 3 or min(image_shape[:2]) < least:
        raise ValueError(
            f"image_shape is {tuple(image_shape)}; {len(filters)} poolings need (height, width, channels) with sides "
            f"of at least {least} pixels."
        )
    plain = {"dtype": "float32"}
    images = keras.Input(image_shape, name="images", dtype="float32")
    x = keras.layers.Rescaling(0.5, 0.5, **plain)(images)  # a black border is the zeros that "same" pads with
    for channels in filters:
        x = keras.layers.Conv2D(channels, 3, padding="same", use_bias=False, **plain)(x)
        x = keras.layers.BatchNormalization(**plain)(x)
        x = keras.layers.Activation("relu", **plain)(x)
        x = MaxPooling2D(2, **plain)(x)
    x = keras.layers.Flatten(**plain)(x)  # (batch, 3 * 3 * 64) for 28x28
    x = keras.layers.Dense(width, use_bias=False, **plain)(x)
    # Without scale and centre, so that a distance of 1 means the same in every feature of every such network.
    x = keras.layers.BatchNormalization(center=False, scale=False, name=FEATURES, **plain)(x)
    x = keras.layers.Activation("relu", **plain)(x)
    if dropout:
        x = keras.layers.Dropout(dropout, **plain)(x)
    probabilities = keras.layers.Dense(num_classes, activation="softmax", **plain)(x)
    return keras.Model(images, probabilities, name="featurenet")
