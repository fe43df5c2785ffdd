"""What every reader returns: the arrays of a data set, before any split or batch."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

AnyArray = npt.NDArray[Any]
Labels = npt.NDArray[np.int32]
Pixels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]


class Arrays(NamedTuple):
    """Images and labels as a source holds them.

    Attributes:
        images: `(count, height, width[, channels])`; an array, or `StoredImages`.
        labels: `(count,)`, or None when the source has none.
        test_images: A test split that the source ships, or None.
        test_labels: Its labels, or None.
        class_names: One name a class, or None to number them.
    """

    images: Any
    labels: AnyArray | None = None
    test_images: AnyArray | None = None
    test_labels: AnyArray | None = None
    class_names: tuple[str, ...] | None = None
