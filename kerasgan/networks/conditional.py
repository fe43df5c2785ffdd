"""Class-conditional networks built from unconditional ones.

Each function takes a network and returns one that also takes labels, or tells them: integers `(batch,)` from 0 to
`num_classes - 1`. The layers of what is given become part of what is returned, which holds stock layers only beside
them. A label out of range is encoded as all zeros or raises, depending on the backend: `check_labels` refuses it in
advance.
"""

from typing import Any

import keras
import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


def generator(network: keras.Model, num_classes: int) -> keras.Model:
    """Condition a generator on the label, a one-hot vector that follows the latents.

    Args:
        network: From latents `(batch, latent_dim + num_classes)` to images.
        num_classes: Number of classes, at least 2.

    Returns:
        A network from `[latents, labels]`, `(batch, latent_dim)` and `(batch,)`, to images.

    Raises:
        ValueError: The network's input is not longer than `num_classes`.

    Reference:
        Mirza and Osindero, Conditional Generative Adversarial Nets (arXiv:1411.1784), section 3.2.
    """
    _check(num_classes)
    if len(network.inputs) != 1 or len(network.input_shape) != 2 or network.input_shape[1] <= num_classes:
        raise ValueError(
            f"The generator takes {_shapes(network)}; build it for latents of latent_dim + num_classes numbers, such "
            f"as {100 + num_classes} for {num_classes} classes."
        )
    latents = keras.Input((network.input_shape[1] - num_classes,), name="latents")
    labels = _labels()
    told = keras.layers.Concatenate()([latents, _one_hot(num_classes)(labels)])
    return keras.Model([latents, labels], network(told), name=network.name)


def discriminator(network: keras.Model, num_classes: int) -> keras.Model:
    """Condition a discriminator on the label, a plane of ones among planes of zeros.

    Args:
        network: From images of `channels + num_classes` channels to logits.
        num_classes: Number of classes, at least 2.

    Returns:
        A network from `[images, labels]`, `(batch, height, width, channels)` and `(batch,)`, to logits `(batch, 1)`.

    Raises:
        ValueError: The network does not take images of more than `num_classes` channels.

    Reference:
        Mirza and Osindero, Conditional Generative Adversarial Nets (arXiv:1411.1784), section 3.2.
    """
    _check(num_classes)
    if len(network.inputs) != 1 or len(network.input_shape) != 4 or network.input_shape[3] <= num_classes:
        raise ValueError(
            f"The discriminator takes {_shapes(network)}; build it for images of channels + num_classes channels, such "
            f"as {1 + num_classes} for {num_classes} classes of grey ones."
        )
    _, height, width, channels = network.input_shape
    images = keras.Input((height, width, channels - num_classes), name="images")
    labels = _labels()
    planes = keras.layers.Reshape((1, 1, num_classes))(_one_hot(num_classes)(labels))
    planes = keras.layers.UpSampling2D((height, width))(planes)  # (batch, height, width, num_classes)
    told = keras.layers.Concatenate()([images, planes])
    return keras.Model([images, labels], network(told), name=network.name)


def auxiliary_classifier(network: keras.Model, num_classes: int) -> keras.Model:
    """Add an auxiliary classifier head to a discriminator: it also says which class it sees.

    Args:
        network: A functional or sequential network from images to logits, whose last layer is dense.
        num_classes: Number of classes, at least 2.

    Returns:
        A network from images to `[logits, class_logits]`, `(batch, 1)` and `(batch, num_classes)`, float32.

    Raises:
        ValueError: The last layer of the network is not dense with one output.

    Reference:
        Odena et al., Conditional Image Synthesis with Auxiliary Classifier GANs (arXiv:1610.09585), section 3.
    """
    _check(num_classes)
    features = _features(network)
    last = keras.layers.Dense(num_classes, dtype="float32", name="class_logits")
    class_logits = _like(network.layers[-1], last)(features)
    return keras.Model(network.inputs[0], [network.outputs[0], class_logits], name=network.name)


def projection_discriminator(network: keras.Model, num_classes: int) -> keras.Model:
    """Add a projection head to a discriminator: an inner product of the label's embedding and the features.

    `logits = dense(features) + <embedding[label], features>`, the features being what goes into the last layer. If that
    is spectrally normalized, so is the embedding.

    Args:
        network: A functional or sequential network from images to logits, whose last layer is dense.
        num_classes: Number of classes, at least 2.

    Returns:
        A network from `[images, labels]`, `(batch, height, width, channels)` and `(batch,)`, to logits `(batch, 1)`.

    Raises:
        ValueError: The last layer of the network is not dense with one output.

    Reference:
        Miyato and Koyama, cGANs with Projection Discriminator (arXiv:1802.05637), section 3.
    """
    _check(num_classes)
    features = _features(network)
    labels = _labels()
    # The product starts as large as the dense layer's output does, however many features there are.
    initializer = keras.initializers.RandomNormal(stddev=features.shape[-1] ** -0.5)
    vectors = keras.layers.Embedding(
        num_classes, features.shape[-1], embeddings_initializer=initializer, dtype="float32", name="embedding"
    )
    vector = _like(network.layers[-1], vectors)(labels)
    fit = keras.layers.Dot(axes=-1, dtype="float32")([vector, features])
    logits = keras.layers.Add(dtype="float32")([network.outputs[0], fit])
    return keras.Model([network.inputs[0], labels], logits, name=network.name)


def check_labels(labels: Any, num_classes: int, count: int | None = None) -> Array:
    """Return labels as an array, if they are labels.

    Args:
        labels: Integers `(count,)`, or `(count, 1)`.
        num_classes: Number of classes.
        count: How many there must be; any number if None.

    Returns:
        Int32 array `(count,)`.

    Raises:
        ValueError: They are not whole numbers, too many or too few, or one is no class.
    """
    array = np.asarray(labels)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1 or count not in (None, len(array)):
        raise ValueError(f"labels have shape {array.shape}; give one integer for each of {count or 'the'} images.")
    if array.dtype.kind not in "iu" and not (array.dtype.kind == "f" and np.all(array == np.floor(array))):
        raise ValueError(f"labels are {array.dtype}; give integers from 0 to {num_classes - 1}.")
    wrong = array[(array < 0) | (array >= num_classes)]
    if wrong.size:
        raise ValueError(f"labels hold {wrong[0]}; the classes of this network go from 0 to {num_classes - 1}.")
    return array.astype("int32")


def _labels() -> Any:
    return keras.Input((), dtype="int32", name="labels")


def _one_hot(num_classes: int) -> keras.Layer:
    return keras.layers.CategoryEncoding(num_classes, output_mode="one_hot")


def _features(network: keras.Model) -> Any:
    """Return what goes into the last layer, `(batch, features)`."""
    last: Any = network.layers[-1] if getattr(network, "layers", None) else None
    dense = last.layer if isinstance(last, keras.layers.SpectralNormalization) else last
    if not isinstance(dense, keras.layers.Dense) or dense.units != 1 or len(last.input.shape) != 2:
        kind = type(dense).__name__ if dense is not None else type(network).__name__
        raise ValueError(
            f"The discriminator ends in {kind}; give a functional network whose last layer is Dense(1) of features "
            "(batch, features)."
        )
    return last.input


def _like(last: keras.Layer, layer: keras.Layer) -> keras.Layer:
    """Normalize a layer beside the last one if that is normalized."""
    if not isinstance(last, keras.layers.SpectralNormalization):
        return layer
    return type(last)(layer, last.power_iterations, dtype="float32")


def _check(num_classes: int) -> None:
    if num_classes < 2:
        raise ValueError(f"num_classes is {num_classes}; choose at least 2.")


def _shapes(network: keras.Model) -> str:
    return " and ".join(str(tuple(part.shape)) for part in network.inputs)
