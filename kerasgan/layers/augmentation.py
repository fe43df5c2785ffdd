"""Random changes of training images, by name: Keras's own layers, set up for small pictures in [-1, 1]."""

from collections.abc import Callable, Sequence
from typing import Any

import keras

# Each takes what is to be seen beyond the edge of an image.
AUGMENTATIONS: dict[str, Callable[[dict[str, Any]], keras.Layer]] = {
    # Nearest pixels: a shift by whole pixels must not blur.
    "shift": lambda edge: keras.layers.RandomTranslation(0.08, 0.08, interpolation="nearest", **edge),
    "rotate": lambda edge: keras.layers.RandomRotation(0.03, **edge),
    "zoom": lambda edge: keras.layers.RandomZoom((-0.1, 0.1), (-0.1, 0.1), **edge),
    "flip": lambda edge: keras.layers.RandomFlip("horizontal"),
    "erase": lambda edge: keras.layers.RandomErasing(
        scale=(0.02, 0.2), fill_value=edge["fill_value"], value_range=(-1.0, 1.0)
    ),
}


def augmentation(names: Sequence[str], background: str | None = None) -> keras.Layer:
    """Build one layer that changes images in several random ways, one after the other.

    Args:
        names: Of `"shift"` (up to 8% of the side), `"rotate"` (up to 11 degrees), `"zoom"` (up to 10%), `"flip"` (left
            and right; not for digits or letters) and `"erase"` (a rectangle of up to 20% of the picture), at least one.
        background: What the images lie on (`DataModule.background`): what a shift or an erasure uncovers is white for
            `"light"`, else black.

    Returns:
        A layer from images `(batch, height, width, channels)` in [-1, 1] to images of the same shape. Each image of a
        batch is changed in its own way; with `training=False` none is.

    Raises:
        ValueError: A name is unknown, or there is none.
    """
    names = [names] if isinstance(names, str) else names
    unknown = [name for name in names if name not in AUGMENTATIONS]
    if unknown or not names:
        raise ValueError(
            f"augmentation {unknown[0]!r} is unknown; choose from {', '.join(AUGMENTATIONS)}."
            if unknown
            else f"no augmentation is named; choose from {', '.join(AUGMENTATIONS)}."
        )
    edge = {"fill_mode": "constant", "fill_value": 1.0 if background == "light" else -1.0}
    return keras.layers.Pipeline([AUGMENTATIONS[name](edge) for name in names])
