"""What is wrong, or probably wrong, with the two networks of a GAN and the images it is given."""

import warnings
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

_LOOKED_AT = 256  # Images are scaled alike: a few tell how.
_FARTHEST = 4.0  # Where there is no tanh, or images are standardized, few pixels lie further out; of 0..255 many.

Array = np.ndarray[Any, np.dtype[Any]]


def check_fit(generator: keras.Model, discriminator: keras.Model) -> None:
    """Refuse networks that cannot play against each other.

    Raises:
        ValueError: One of them is neither functional nor sequential, or not built; or the discriminator does not take
            the images that the generator makes.
    """
    for player, network in {"generator": generator, "discriminator": discriminator}.items():
        if not getattr(network, "inputs", None):
            raise ValueError(
                f"The {player} {network.name!r} does not say what it takes; give a functional or sequential network "
                "that begins with keras.Input."
            )
    made, taken = generator.output_shape[1:], tuple(discriminator.inputs[0].shape[1:])
    if not _is_of_shape(made, taken):
        raise ValueError(
            f"The generator makes images of shape {made}, but the discriminator takes {taken}; build both for one "
            "image shape."
        )


def warn_of_misuse(discriminator: keras.Model, loss: str, *, bounded: bool) -> None:
    """Warn of what trains without an error, and badly.

    Args:
        discriminator: Functional or sequential.
        loss: Name of the adversarial loss.
        bounded: Whether a penalty or a limit of the weights holds the discriminator's slopes.

    Warns:
        UserWarning: The scores are probabilities, where losses expect logits; nothing bounds a Wasserstein critic; or
            a layer is normalized by Keras's own SpectralNormalization.
    """
    for name in sorted(set(filter(None, map(_probabilities, _last_layers(discriminator))))):
        warnings.warn(
            f"{discriminator.name} ends in a {name}, and the losses expect logits; leave the activation out.",
            stacklevel=4,
        )
    normalized = [layer for layer in layers_of(discriminator) if isinstance(layer, keras.layers.SpectralNormalization)]
    bounded = bounded or any(variable.constraint is not None for variable in discriminator.trainable_variables)
    if loss == "wasserstein" and not bounded and not normalized:
        warnings.warn(
            f"nothing bounds the slopes of {discriminator.name}, without which a Wasserstein loss grows without end; "
            'give penalties={"wgan_gp": 10.0}, a weight_clip, or kerasgan.layers.SpectralNormalization.',
            stacklevel=4,
        )
    # Keras's class itself: ours is a subclass.
    if any(type(layer) is keras.layers.SpectralNormalization for layer in normalized):
        warnings.warn(
            f"{discriminator.name} holds keras.layers.SpectralNormalization, which learns other weights on JAX than on "
            "TensorFlow; take kerasgan.layers.SpectralNormalization.",
            stacklevel=4,
        )


def check_shape(images: Any, fakes: Any) -> None:
    """Refuse images of another shape than a generator makes; Keras adds a missing channel axis without a word.

    Args:
        images: Of a batch, as they are to be judged.
        fakes: What the generator has made.

    Raises:
        ValueError: They differ beyond the batch axis.
    """
    given, made = tuple(images.shape[1:]), tuple(fakes.shape[1:])
    if not _is_of_shape(given, made):
        mend = (
            "images[..., None]" if _is_of_shape((*given, 1), made) else "such images, or build both networks for these"
        )
        raise ValueError(f"the images have shape {given}, and the generator makes {made}; give {mend}.")


def check_scale(images: Any) -> None:
    """Look at the first images of an array, whether they are scaled as a generator makes them.

    Args:
        images: What was given to `fit`; anything but an array of floats with axes for a picture is left to others.

    Raises:
        ValueError: Pixels lie far beyond [-1, 1].

    Warns:
        UserWarning: All lie in [0, 1], which is how others scale images.
    """
    if not hasattr(images, "__array__") or len(images) == 0:
        return
    some = np.asarray(images[:_LOOKED_AT])
    if some.dtype.kind != "f" or some.ndim not in (3, 4):
        return
    if far_out(some):
        raise ValueError(
            f"the images are floats up to {np.abs(some).max():.4g}, and a generator makes floats in [-1, 1]; give "
            "kg.data, or images / 127.5 - 1."
        )
    if from_zero_to_one(some):
        warnings.warn(
            "the images lie in [0, 1], and a generator that ends in tanh makes floats in [-1, 1]; if that is their "
            "scale, give 2 * images - 1.",
            stacklevel=3,
        )


def _is_of_shape(given: tuple[int | None, ...], expected: tuple[int | None, ...]) -> bool:
    """Compare shapes, of which None is any size."""
    pairs = zip(given, expected, strict=False)
    return len(given) == len(expected) and all(None in pair or pair[0] == pair[1] for pair in pairs)


def is_count(value: Any) -> bool:
    """Whether it is a whole number of at least one."""
    return isinstance(value, int | np.integer) and bool(value >= 1)


def far_out(images: Array) -> bool:
    """Whether floats have another scale than [-1, 1]: over one in 100 pixels lies far beyond it."""
    return bool((np.abs(images) > _FARTHEST).mean() > 0.01)


def from_zero_to_one(images: Array) -> bool:
    """Whether all pixels lie in [0, 1], which is how others scale images."""
    return bool(images.min() >= 0 and images.max() <= 1)


def layers_of(network: keras.Layer) -> Iterator[keras.Layer]:
    """Yield all layers of a network, those of networks within it included."""
    for layer in getattr(network, "layers", ()):
        yield layer
        yield from layers_of(layer)


def _last_layers(network: keras.Model) -> list[keras.Layer]:
    """Return the layers that the outputs come from, those of networks within it included."""
    made = [
        layer for layer in network.layers if any(getattr(layer, "output", None) is output for output in network.outputs)
    ]
    last = made or network.layers[-1:]
    return [inner for layer in last for inner in (_last_layers(layer) if isinstance(layer, keras.Model) else [layer])]


def _probabilities(layer: keras.Layer) -> str | None:
    """Return the name of what makes a layer's outputs probabilities, or None."""
    if isinstance(layer, keras.layers.Softmax):
        return "softmax"
    activation = getattr(layer, "activation", None)
    return activation.__name__ if activation in (keras.activations.sigmoid, keras.activations.softmax) else None
