"""Fully connected classifiers; with the defaults, the workshop's first network on MNIST."""

from collections.abc import Sequence

import keras

from kerasgan.networks.dcgan import ImageShape


def classifier(
    image_shape: ImageShape = (28, 28, 1),
    num_classes: int = 10,
    *,
    units: Sequence[int] = (512,),
    activation: str = "relu",
    dropout: float = 0.0,
) -> keras.Model:
    """Build a network that tells classes of images apart without looking at which pixels are neighbours.

    Args:
        image_shape: `(height, width, channels)`.
        num_classes: Number of classes.
        units: Width of each hidden layer; none of them leaves a linear classifier.
        activation: Name of what follows each hidden layer.
        dropout: Share of activations dropped after each hidden layer, in [0, 1); 0 leaves the layers out.

    Returns:
        A network from images `(batch, height, width, channels)` in [-1, 1] to probabilities
        `(batch, num_classes)`, float32.
    """
    images = keras.Input(image_shape, name="images")
    # The workshop trained on [0, 1], and its initial weights suit that; kg.data hands out [-1, 1].
    x = keras.layers.Rescaling(0.5, 0.5)(images)
    x = keras.layers.Flatten()(x)
    for width in units:
        x = keras.layers.Dense(width, activation=activation)(x)
        if dropout:
            x = keras.layers.Dropout(dropout)(x)
    # Probabilities are float32 whatever the precision of the layers: small ones vanish in 16 bits.
    probabilities = keras.layers.Dense(num_classes, activation="softmax", dtype="float32")(x)
    return keras.Model(images, probabilities, name="dense")
