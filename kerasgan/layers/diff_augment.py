"""Differentiable augmentation: random changes that real and generated images undergo before they are judged.

A generator learns through them, so they are differentiable by the images, any number of times: no gather, whose
gradient XLA computes pixel after pixel on a CPU.
"""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

# (low, high, dtype) -> a tensor (batch, 1, 1, 1) of numbers in [low, high).
Draw = Callable[[Any, Any, str], Any]


def brighten(images: Any, amounts: Any) -> Any:
    """Add a constant to every pixel of each image.

    Args:
        images: `(batch, height, width, channels)` in [-1, 1].
        amounts: `(batch, 1, 1, 1)`; 0 changes nothing.

    Returns:
        The images, same shape; they may leave [-1, 1].
    """
    return images + amounts


def saturate(images: Any, factors: Any) -> Any:
    """Scale each pixel's channels about their mean; images of one channel stay as they are.

    Args:
        images: `(batch, height, width, channels)`.
        factors: `(batch, 1, 1, 1)`; 0 makes grey, 1 changes nothing.

    Returns:
        The images, same shape; they may leave [-1, 1].
    """
    if images.shape[-1] == 1:
        return images
    mean = ops.mean(images, axis=-1, keepdims=True)
    return mean + factors * (images - mean)


def scale_contrast(images: Any, factors: Any) -> Any:
    """Scale each image's pixels about their mean.

    Args:
        images: `(batch, height, width, channels)`.
        factors: `(batch, 1, 1, 1)`; 0 makes the image uniform, 1 changes nothing.

    Returns:
        The images, same shape; they may leave [-1, 1].
    """
    mean = ops.mean(images, axis=(1, 2, 3), keepdims=True)
    return mean + factors * (images - mean)


def translate(images: Any, rows: Any, columns: Any) -> Any:
    """Move each image by whole pixels; what comes in from beyond the edge is 0, the middle of the range.

    Args:
        images: `(batch, height, width, channels)`.
        rows: Integers `(batch, 1, 1, 1)`: how far down.
        columns: Integers `(batch, 1, 1, 1)`: how far to the right.

    Returns:
        The images, same shape.
    """
    # Products with matrices of zeros and ones, which are exact in float32 on a CPU, and fast in all derivatives.
    down, across = (
        ops.cast(_places(size)[:, None] - _places(size) == shifts[:, 0], images.dtype)  # (batch, to, from)
        for size, shifts in zip(images.shape[1:3], (rows, columns), strict=True)
    )
    moved = ops.einsum("bij,bjwc->biwc", down, images)
    return ops.einsum("bij,bhjc->bhic", across, moved)


def cut_out(images: Any, rows: Any, columns: Any, size: tuple[int, int]) -> Any:
    """Set a rectangle of each image to 0, the middle of the range.

    Args:
        images: `(batch, height, width, channels)`.
        rows: Integers `(batch, 1, 1, 1)`: the first row of the rectangle, which may lie beyond the edge.
        columns: Integers `(batch, 1, 1, 1)`: its first column.
        size: Height and width of the rectangle in pixels; 0 changes nothing.

    Returns:
        The images, same shape.
    """
    row, column = _places(images.shape[1])[:, None, None], _places(images.shape[2])[:, None]
    inside = (row >= rows) & (row < rows + size[0]) & (column >= columns) & (column < columns + size[1])
    return ops.where(inside, ops.zeros_like(images), images)


def _color(images: Any, draw: Draw) -> Any:
    images = brighten(images, draw(-0.5, 0.5, images.dtype))
    images = saturate(images, draw(0.0, 2.0, images.dtype))
    return scale_contrast(images, draw(0.5, 1.5, images.dtype))


def _translation(images: Any, draw: Draw) -> Any:
    height, width = (_rounded(side / 8) for side in images.shape[1:3])
    return translate(images, draw(-height, height + 1, "int32"), draw(-width, width + 1, "int32"))


def _cutout(images: Any, draw: Draw) -> Any:
    size = _rounded(images.shape[1] / 2), _rounded(images.shape[2] / 2)
    # The middle lies anywhere in the image, so that a rectangle may reach beyond the edge.
    rows, columns = (
        draw(-(part // 2), side + 1 - part % 2 - part // 2, "int32")
        for part, side in zip(size, images.shape[1:3], strict=True)
    )
    return cut_out(images, rows, columns, size)


POLICIES: dict[str, Callable[[Any, Draw], Any]] = {"color": _color, "translation": _translation, "cutout": _cutout}


@keras.saving.register_keras_serializable("kerasgan")
class DiffAugment(keras.layers.Layer):
    """Change images at random, each in its own way, so that a discriminator cannot learn few of them by heart.

    Apply it to dataset images and to generated ones alike, in the updates of both players. The changes are of the same
    distribution for both, and drawn anew for every image of every call, as in the paper. They are grouped as

    - `color`: brightness by up to 0.5 up or down, saturation by 0 to 2, contrast by 0.5 to 1.5;
    - `translation`: by up to an eighth of the side, rounded to whole pixels: 4 of 28;
    - `cutout`: a rectangle of half the height and half the width, rounded likewise.

    Results may leave [-1, 1]. Pixels that are uncovered or cut out become 0.

    Args:
        policy: Groups in the order in which they act, with commas between them.
        seed: Seed of the draws; a random one if None.
        options: As in `keras.layers.Layer`, such as `name`.

    Raises:
        ValueError: The policy names no group, or an unknown one.

    Example:
        >>> augment = kg.layers.DiffAugment("translation,cutout", seed=0)
        >>> real_logits = discriminator(augment(images, training=True))
        >>> fake_logits = discriminator(augment(generator(latents), training=True))

    Reference:
        Zhao et al., Differentiable Augmentation for Data-Efficient GAN Training (arXiv:2006.10738), section 3.
    """

    def __init__(self, policy: str = "color,translation,cutout", seed: int | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.groups = [name.strip() for name in policy.split(",")]
        unknown = [name for name in self.groups if name not in POLICIES]
        if unknown:
            raise ValueError(f"policy {policy!r} names {unknown[0]!r}; choose from {', '.join(POLICIES)}.")
        self.policy = policy
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.built = True  # It has no weights; a module that holds an unbuilt layer, Keras would try to build.

    def call(self, images: Any, training: bool = False) -> Any:
        """Change images `(batch, height, width, channels)`, of known height and width; in training only."""
        if not training:
            return images
        shape = ops.shape(images)[0], 1, 1, 1

        def draw(low: Any, high: Any, dtype: str) -> Any:
            random = keras.random.randint if dtype == "int32" else keras.random.uniform
            return random(shape, low, high, dtype, seed=self.seed_generator)

        for name in self.groups:
            images = POLICIES[name](images, draw)
        return images

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the images: it stays."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Return the configuration."""
        return {**super().get_config(), "policy": self.policy, "seed": self.seed}


def _rounded(pixels: float) -> int:
    """Round as the published code does: halves up."""
    return int(pixels + 0.5)


def _places(size: int) -> Any:
    return ops.arange(size, dtype="int32")
