"""Penalties on the slope of a discriminator: where its gradient is taken, and how long it should be there."""

from collections.abc import Callable
from typing import Any, NamedTuple

import keras
from keras import ops

from kerasgan.losses.shapes import require_same_shape

Gradient = Callable[[Callable[[Any], Any], Any], Any]


def zero_centered_penalty(gradients: Any) -> Any:
    """Half the mean squared length: R1 for gradients at dataset images, R2 for those at generated ones.

    Args:
        gradients: Of the logits by the images, `(batch, ...)`, as `kg.grad` returns them; not float16.

    Returns:
        Float32 scalar, to be multiplied by `gamma`.

    Raises:
        ValueError: The gradients are float16.

    Reference:
        Mescheder et al., Which Training Methods for GANs do actually Converge? (arXiv:1801.04406), eq. 9 and 10.
    """
    return 0.5 * ops.mean(_squared_lengths(gradients))


def one_centered_penalty(gradients: Any) -> Any:
    """Mean squared distance of the lengths from one: WGAN-GP at interpolates, DRAGAN beside dataset images.

    Args:
        gradients: As in `zero_centered_penalty`.

    Returns:
        Float32 scalar, to be multiplied by `lambda`, 10 in both papers.

    Raises:
        ValueError: The gradients are float16.

    Reference:
        Gulrajani et al., Improved Training of Wasserstein GANs (arXiv:1704.00028), eq. 3; Kodali et al., On Convergence
        and Stability of GANs (arXiv:1705.07215).
    """
    # The root has no slope at zero, where a discriminator that ignores its input begins: without the term, NaN.
    return ops.mean(ops.square(ops.sqrt(_squared_lengths(gradients) + 1e-12) - 1.0))


def interpolates(images: Any, fakes: Any, shares: Any) -> Any:
    """Return points on the lines from images to fakes.

    Args:
        images: Of the data set, `(batch, height, width, channels)`.
        fakes: Generated ones, same shape; row `i` is joined with row `i`.
        shares: `(batch, 1, 1, 1)` in [0, 1]: 0 is the image, 1 the fake.

    Returns:
        The points, of the shape of the images.

    Raises:
        ValueError: The shapes differ.
    """
    require_same_shape(images=images, fakes=fakes)
    return images + ops.cast(shares, images.dtype) * (fakes - images)


def noisy_neighbours(images: Any, noise: Any, shares: Any) -> Any:
    """Return points beside images: a share of the way to the image plus half a standard deviation of noise.

    Args:
        images: Of the data set, `(batch, height, width, channels)`.
        noise: Uniform in [0, 1], same shape.
        shares: `(batch, 1, 1, 1)` in [0, 1]: 0 is the image itself.

    Returns:
        The points, of the shape of the images.

    Raises:
        ValueError: The shapes differ.
    """
    require_same_shape(images=images, noise=noise)
    reach = 0.5 * ops.std(ops.cast(images, "float32"))  # over all pixels of the batch
    return images + ops.cast(shares * reach * noise, images.dtype)


class GradientPenalty(NamedTuple):
    """One way to hold the slope of a discriminator in check."""

    points: Callable[[Any, Any, Any], Any]  # (images, fakes, seed) -> where the gradient is taken
    of_gradients: Callable[[Any], Any]
    weight: float  # as published: gamma, or lambda

    def __call__(self, grad: Gradient, score: Callable[[Any], Any], images: Any, fakes: Any, seed: Any) -> Any:
        """Return the penalty, a float32 scalar that is still to be multiplied by a weight.

        Args:
            grad: `kg.grad`.
            score: Function from images to logits, such as `lambda x: discriminator(x, training=True)`. What changes
                images before the discriminator sees them, such as `DiffAugment`, belongs in it.
            images: Of the data set, `(batch, height, width, channels)`.
            fakes: Generated ones, same shape.
            seed: `keras.random.SeedGenerator` of the points, for those that are random.

        Raises:
            ValueError: The shapes differ, or the gradients are float16.
        """
        # Detached: the points may come from the generator, which no penalty on the discriminator shall train.
        return self.of_gradients(grad(score, ops.stop_gradient(self.points(images, fakes, seed))))


def _random_interpolates(images: Any, fakes: Any, seed: Any) -> Any:
    return interpolates(images, fakes, _random_shares(images, seed))


def _random_neighbours(images: Any, fakes: Any, seed: Any) -> Any:
    noise = keras.random.uniform(ops.shape(images), dtype="float32", seed=seed)
    return noisy_neighbours(images, noise, _random_shares(images, seed))


GRADIENT_PENALTIES = {
    "r1": GradientPenalty(lambda images, fakes, seed: images, zero_centered_penalty, 10.0),
    "r2": GradientPenalty(lambda images, fakes, seed: fakes, zero_centered_penalty, 10.0),
    "wgan_gp": GradientPenalty(_random_interpolates, one_centered_penalty, 10.0),
    "dragan": GradientPenalty(_random_neighbours, one_centered_penalty, 10.0),
}


def gradient_penalty(name: str) -> GradientPenalty:
    """Return the penalty called `name`.

    Example:
        >>> r1 = kg.losses.gradient_penalty("r1")
        >>> loss + 10 * r1(kg.grad, lambda x: discriminator(x, training=True), images, fakes, seed_generator)

    Raises:
        ValueError: There is no such penalty.
    """
    if name not in GRADIENT_PENALTIES:
        raise ValueError(f"penalty {name!r} is unknown; choose one of {', '.join(GRADIENT_PENALTIES)}.")
    return GRADIENT_PENALTIES[name]


def refuse_float16(network: keras.Layer) -> None:
    """Stop before a gradient penalty is taken through float16 layers, whose second derivatives overflow.

    Raises:
        ValueError: The network, or a network or layer inside, computes in float16.
    """
    name = _float16_in(network)
    if name:
        raise ValueError(
            f"{name} of {network.name} computes in float16, which a gradient penalty overflows; train with "
            "mixed_bfloat16 or float32."
        )


def _float16_in(layer: keras.Layer) -> str | None:
    """Return the name of the first layer inside that computes in float16, or None."""
    found = (_float16_in(inner) for inner in getattr(layer, "layers", ()))
    return next(filter(None, found), layer.name if layer.compute_dtype == "float16" else None)


def _squared_lengths(gradients: Any) -> Any:
    """Return float32 `(batch,)`; sums of half precision would stop growing at 256 equal terms."""
    gradients = ops.convert_to_tensor(gradients)
    if keras.backend.standardize_dtype(gradients.dtype) == "float16":
        raise ValueError(
            "the gradients are float16, in which the square of 256 is infinite; take them with kg.grad, and train with "
            "mixed_bfloat16 or float32."
        )
    gradients = ops.cast(gradients, "float32")
    return ops.sum(ops.square(gradients), axis=tuple(range(1, len(gradients.shape))))


def _random_shares(images: Any, seed: Any) -> Any:
    ones = [1] * (len(images.shape) - 1)
    return keras.random.uniform((ops.shape(images)[0], *ones), dtype="float32", seed=seed)
