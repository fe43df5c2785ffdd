"""What is wrong, or probably wrong, with the two networks of a GAN."""

import warnings
from collections.abc import Iterator

import keras


def check_fit(generator: keras.Model, discriminator: keras.Model) -> None:
    """Refuse networks that cannot play against each other.

    Raises:
        ValueError: The discriminator does not take the images that the generator makes.
    """
    made, taken = generator.output_shape[1:], tuple(discriminator.inputs[0].shape[1:])
    fits = len(made) == len(taken) and all(None in pair or pair[0] == pair[1] for pair in zip(made, taken, strict=True))
    if not fits:
        raise ValueError(
            f"The generator makes images of shape {made}, but the discriminator takes {taken}; build both for one "
            "image shape."
        )


def warn_of_misuse(discriminator: keras.Model, loss: str, *, bounded: bool) -> None:
    """Warn of what trains without an error, and badly.

    Args:
        discriminator: Functional or sequential; nothing is known of others.
        loss: Name of the adversarial loss.
        bounded: Whether a penalty or a limit of the weights holds the discriminator's slopes.

    Warns:
        UserWarning: The scores are probabilities, where losses expect logits; or nothing bounds a Wasserstein critic.
    """
    layers = list(layers_of(discriminator))
    activation = getattr(layers[-1], "activation", None) if layers else None
    if activation is keras.activations.sigmoid:
        warnings.warn(
            f"{discriminator.name} ends in a sigmoid, and the losses expect logits; leave the activation out.",
            stacklevel=4,
        )
    normalized = any(isinstance(layer, keras.layers.SpectralNormalization) for layer in layers)
    if loss == "wasserstein" and not bounded and not normalized:
        warnings.warn(
            f"nothing bounds the slopes of {discriminator.name}, without which a Wasserstein loss grows without end; "
            'give penalties={"wgan_gp": 10.0}, a weight_clip, or a discriminator with SpectralNormalization.',
            stacklevel=4,
        )


def layers_of(network: keras.Layer) -> Iterator[keras.Layer]:
    """Yield all layers of a network, those of networks within it included."""
    for layer in getattr(network, "layers", ()):
        yield layer
        yield from layers_of(layer)
