"""A split that lives on the device once, as uint8, and is gathered and normalized within the training step."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from keras import ops

from kerasgan.data.batches import Batches
from kerasgan.data.images import normalize

Arrays = tuple[Any, ...]

_NORMALIZED = normalize(np.arange(256, dtype=np.uint8))


@dataclass(frozen=True)
class Gather:
    """Reads a batch out of the arrays of a `Resident`, within a compiled step: the same bits as `Batches` gives.

    Attributes:
        batch_size: Images from one batch to the next.
        size: Images in this batch: less than `batch_size` in a last, smaller one.
        one_hot: Number of classes of one-hot labels; None for class numbers, or where there are no labels.
    """

    batch_size: int
    size: int
    one_hot: int | None

    def __call__(self, arrays: Arrays, index: Any) -> tuple[Any, ...]:
        """Return `(images,)` or `(images, labels)` of batch `index` of the epoch, as `Batches.__getitem__` does."""
        order, images, *labels = arrays
        # Not a slice, whose beginning TensorFlow's XLA takes for a constant: it would compile anew for every batch.
        chosen = ops.take(order, index * self.batch_size + ops.arange(self.size), axis=0)
        # Looked up, not computed: XLA would multiply by a reciprocal, which gives other last bits.
        normalized = ops.take(
            ops.convert_to_tensor(_NORMALIZED), ops.cast(ops.take(images, chosen, axis=0), "int32"), axis=0
        )
        if not labels:
            return (normalized,)
        numbers = ops.take(labels[0], chosen, axis=0)
        if self.one_hot is None:
            return normalized, numbers
        return normalized, ops.cast(ops.expand_dims(numbers, 1) == ops.arange(self.one_hot), "float32")


class Resident:
    """The images and labels of a split on the default device, for `Gather` to read batches from.

    Args:
        batches: The split, or any view of it; all views share the same images.
    """

    def __init__(self, batches: Batches) -> None:
        labels = [] if batches.labels is None else [batches.labels]
        self._arrays = [ops.convert_to_tensor(array) for array in (batches.images, *labels)]
        self._one_hot = batches.num_classes if batches.one_hot else None

    def arrays(self, batches: Batches) -> Arrays:
        """Return what `Gather` reads: the order of the present epoch of `batches`, the images, and any labels."""
        return ops.convert_to_tensor(batches.order.astype("int32")), *self._arrays

    def gather(self, batches: Batches, size: int) -> Gather:
        """Return what reads batches of `size` images."""
        return Gather(batches.batch_size, size, self._one_hot)
