"""Images and labels in batches, by hand."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt


class BatchGenerator:
    """Hand out images and labels batch after batch, in their own order; the last batch may be smaller.

    Call `next()` `num_batches` times, or iterate, which starts anew each time.

    Args:
        images: `(count, height, width, channels)`, floats in [-1, 1].
        labels: `(count,)` integers, or `(count, num_classes)` one-hot.
        batch_size: Images a batch, at least 1.

    Raises:
        ValueError: The counts differ or are 0, the images are integers, or `batch_size` is below 1.
    """

    def __init__(self, images: npt.ArrayLike, labels: npt.ArrayLike, batch_size: int = 128) -> None:
        self.images, self.labels = np.asarray(images), np.asarray(labels)
        if len(self.images) != len(self.labels):
            raise ValueError(f"There are {len(self.images)} images but {len(self.labels)} labels; give one for each.")
        if len(self.images) == 0:
            raise ValueError("There are 0 images; give at least one.")
        if self.images.dtype.kind != "f":
            raise ValueError(f"The images are {self.images.dtype}; bring them to [-1, 1], as in images / 127.5 - 1.")
        if batch_size < 1:
            raise ValueError(f"batch_size is {batch_size}; choose at least 1.")
        self.batch_size = batch_size
        self.num_batches = math.ceil(len(self.images) / batch_size)
        self._index = 0

    def next(self) -> tuple[Any, Any]:
        """Return the next batch, `(images, labels)`.

        Raises:
            StopIteration: All batches were handed out.
        """
        if self._index >= len(self.images):
            raise StopIteration
        chosen = slice(self._index, self._index + self.batch_size)
        self._index += self.batch_size
        return self.images[chosen], self.labels[chosen]

    def __iter__(self) -> Iterator[tuple[Any, Any]]:
        self._index = 0
        return self

    __next__ = next
