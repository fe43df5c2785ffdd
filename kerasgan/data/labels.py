"""Labels as arrays: whole numbers from 0, one an image."""

import numpy as np
import numpy.typing as npt

from kerasgan.data.arrays import Labels
from kerasgan.data.errors import DataError

# A stray label such as 2**31 would otherwise ask for as many class names and one-hot columns.
MAX_CLASSES = 100_000


def as_labels(labels: npt.ArrayLike, count: int, where: str, *, num_classes: int | None = None) -> Labels:
    """Check labels and bring them to int32.

    Args:
        labels: `(count,)` or, as Keras ships CIFAR, `(count, 1)`; integers.
        count: Number of images they belong to.
        where: The file or argument that an error names.
        num_classes: Labels must lie below it; None where the labels themselves say how many there are.

    Returns:
        `(count,)`, int32.

    Raises:
        DataError: Not integers, not one an image, negative, or beyond the classes.
    """
    array = np.asarray(labels)
    if array.dtype.kind not in "ui":
        raise DataError(f"{where}: labels have dtype {array.dtype}; save them as integers from 0.")
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise DataError(
            f"{where}: labels have shape {array.shape}; expected ({count},), "
            "so take the argmax of one-hot labels over their last axis."
        )
    if len(array) != count:
        raise DataError(f"{where}: {len(array):,} labels for {count:,} images; there must be one an image.")
    limit = MAX_CLASSES if num_classes is None else num_classes
    low, high = int(array.min()), int(array.max())
    if low < 0 or high >= limit:
        raise DataError(
            f"{where}: label {low if low < 0 else high} lies outside 0..{limit - 1}; number classes from 0."
        )
    return array.astype(np.int32)
