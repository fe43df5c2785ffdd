"""A split, seen in batches whose order depends on nothing but the seed, the epoch and how often it was dealt anew."""

import copy
from typing import Self

import keras
import numpy as np
import numpy.typing as npt

from kerasgan.data.arrays import Floats, Labels, Pixels
from kerasgan.data.errors import DataError
from kerasgan.data.images import as_images, as_uint8, normalize
from kerasgan.data.labels import as_labels
from kerasgan.data.options import whole_number
from kerasgan.data.stored import StoredImages


class Batches(keras.utils.PyDataset):
    """Seeded batches of images held in memory, for `model.fit`, `evaluate` and `predict` on every backend.

    Batch `i` of epoch `e` is always the same, so a resumed run needs two numbers and no shuffle buffer.
    Pass `shuffle=False` to `fit`: its default also shuffles the order in which batches are asked for, from
    Python's global generator. To see fewer batches an epoch use `limited` rather than `steps_per_epoch`,
    which lets one pass run on across epochs.

    Args:
        images: `(count, height, width[, channels])`; see `kerasgan.data.images.as_uint8` for the values.
        labels: `(count,)`, integers from 0; None for images alone.
        batch_size: Images a batch.
        seed: With the epoch, fixes the order.
        shuffle: Whether each epoch has its own order; otherwise it is that of `images`.
        one_hot: Whether labels come as rows of `num_classes` zeros and ones.
        num_classes: None to count from the largest label.
        drop_remainder: Whether to leave out a last batch smaller than the others.

    Attributes:
        epoch: Counted by Keras through `on_epoch_end`; set it to repeat or resume an epoch.
        reshuffles: Another number gives every epoch another order; 0 to begin with. Checkpoints of a `Trainer` keep it.

    Raises:
        DataError: An argument is malformed, or dropping the remainder would leave no batch.
    """

    def __init__(
        self,
        images: npt.ArrayLike | StoredImages,
        labels: npt.ArrayLike | None = None,
        batch_size: int = 128,
        seed: int = 0,
        shuffle: bool = False,
        one_hot: bool = False,
        num_classes: int | None = None,
        drop_remainder: bool = False,
    ) -> None:
        super().__init__()
        self._images: Pixels | StoredImages
        self._images = images if isinstance(images, StoredImages) else as_uint8(as_images(images, "images"), "images")
        self._labels: Labels | None = None
        if labels is not None:
            self._labels = as_labels(labels, len(self._images), "labels", num_classes=num_classes)
            num_classes = int(self._labels.max()) + 1 if num_classes is None else num_classes
        elif one_hot:
            raise DataError("one_hot is True but there are no labels; pass labels or leave one_hot out.")
        self.batch_size = whole_number(batch_size, "batch_size", least=1)
        self.seed = whole_number(seed, "seed", least=0)
        self.shuffle = shuffle
        self.one_hot = one_hot
        self.num_classes = num_classes
        self.drop_remainder = drop_remainder
        self.epoch = 0
        self.reshuffles = 0
        self._limit: int | None = None
        self._skipped = 0
        self._share = (0, 1)  # of every batch: which part, counted from 0, of how many
        self._evenly = True
        self._order: tuple[tuple[int, int], npt.NDArray[np.int64]] | None = None
        self._adapter_is_new = False
        if len(self) == 0:
            raise DataError(
                f"batch_size {self.batch_size} is larger than the {self.num_examples} images to train on; "
                f"choose a batch_size of at most {self.num_examples}, or drop_remainder=False."
            )

    @property
    def images(self) -> Pixels | StoredImages:
        """All images, `(num_examples, height, width, channels)`, uint8, in their own order; on the disk if streamed."""
        return self._images

    @property
    def labels(self) -> Labels | None:
        """The labels of the whole split, `(num_examples,)`, int32 (never one-hot), or None."""
        return self._labels

    @property
    def num_examples(self) -> int:
        """Images in the whole split, whatever a limit or a dropped remainder leaves out."""
        return len(self._images)

    @property
    def num_batches(self) -> int:
        """Batches in an epoch."""
        full, rest = divmod(self.num_examples, self.batch_size)
        count = full if self.drop_remainder or rest == 0 else full + 1
        return (count if self._limit is None else min(count, self._limit)) - self._skipped

    @property
    def order(self) -> npt.NDArray[np.int64]:
        """Places in `images` of what the present epoch shows, batch after batch, `(examples in the epoch,)`."""
        positions, first = self._positions(), self._skipped
        if self._share[1] == 1:
            return positions[first * self.batch_size : (first + len(self)) * self.batch_size]
        return np.concatenate([self._batch(positions, number) for number in range(first, first + len(self))])

    def __len__(self) -> int:
        return self.num_batches

    def __getitem__(self, index: int) -> tuple[Floats] | tuple[Floats, Labels | Floats]:
        """Make one batch of the present epoch.

        Args:
            index: From 0, or from -1 backwards.

        Returns:
            `(images,)` or `(images, labels)`: images `(batch, height, width, channels)`, float32 in [-1, 1];
            labels `(batch,)`, int32, or `(batch, num_classes)`, float32.

        Raises:
            IndexError: There is no such batch.
        """
        number = index + len(self) if index < 0 else index
        if not 0 <= number < len(self):
            raise IndexError(f"batch {index} of {len(self)}; choose an index from 0 to {len(self) - 1}.")
        number += self._skipped
        chosen = self._batch(self._positions(), number)
        images = normalize(self._pixels(number, chosen))
        if self._labels is None:
            return (images,)
        labels = self._labels[chosen]
        if self.one_hot:
            classes = np.arange(self.num_classes or 0)
            return images, (labels[:, np.newaxis] == classes).astype(np.float32)  # (batch, num_classes)
        return images, labels

    def limited(self, count: int) -> Self:
        """Make a view with fewer batches an epoch, of the same arrays and the same order.

        Args:
            count: The most batches an epoch may have, at least 1.

        Returns:
            A copy, at the same epoch; the two count epochs separately from then on.

        Raises:
            DataError: `count` is not a positive integer.
        """
        view = copy.copy(self)
        view._limit = whole_number(count, "count", least=1)
        return view

    def skipping(self, count: int) -> Self:
        """Make a view of the same epochs without their first batches, to resume one in the middle.

        Args:
            count: Batches to leave out, from 0 to one less than there are.

        Returns:
            A copy, at the same epoch.

        Raises:
            DataError: `count` is out of range.
        """
        if not 0 <= count < len(self):
            raise DataError(f"count is {count}; of {len(self)} batches 0 to {len(self) - 1} can be left out.")
        view = copy.copy(self)
        view._skipped = self._skipped + count
        return view

    def share(self, index: int, count: int, *, evenly: bool = True) -> Self:
        """Make a view of one part of every batch, for one of several processes: the parts together are the batches.

        Args:
            index: Which part, from 0.
            count: Into how many the rows of a batch go, in their order.
            evenly: Whether a last batch that cannot be divided evenly is the same in all parts, whole. Otherwise parts
                differ by one row at most, and may be empty.

        Returns:
            A copy, at the same epoch. Its `batch_size` is still that of the whole batches.

        Raises:
            DataError: `count` does not divide `batch_size` and it shall be divided evenly, or `index` is out of range.
        """
        if not 0 <= index < count:
            raise DataError(f"index is {index}; of {count} parts 0 to {count - 1} can be chosen.")
        view = copy.copy(self)
        view._share = (self._share[0] * count + index, self._share[1] * count)
        view._evenly = evenly
        if evenly and self.batch_size % view._share[1]:
            raise DataError(
                f"batch_size is {self.batch_size}, which does not go into {view._share[1]} equal parts; choose a "
                f"multiple of {view._share[1]}."
            )
        return view

    def unshuffled(self) -> Self:
        """Make a view of the same images in their own order, the same in every epoch."""
        view = copy.copy(self)
        view.shuffle, view._order = False, None
        return view

    @property
    def workers(self) -> int:
        """Threads that make batches; Keras reads it when it wraps this object for `fit`."""
        # `fit` calls `on_epoch_end` once before its first epoch. This read is the only sign of a new `fit`.
        self._adapter_is_new = True
        return int(super().workers)

    @workers.setter
    def workers(self, value: int) -> None:
        self._workers = value

    def on_epoch_end(self) -> None:
        """Go on to the next epoch's order."""
        if self._adapter_is_new:
            self._adapter_is_new = False
        else:
            self.epoch += 1

    def _pixels(self, number: int, chosen: npt.NDArray[np.int64]) -> Pixels:
        """Return the images of batch `number` of the whole epoch, which are those at `chosen`."""
        return self._images[chosen]

    def _batch(self, positions: npt.NDArray[np.int64], number: int) -> npt.NDArray[np.int64]:
        """Return of all positions those of batch `number` of the whole epoch, or of this view's share of it."""
        chosen = positions[number * self.batch_size : (number + 1) * self.batch_size]
        index, count = self._share
        if self._evenly and len(chosen) % count:
            return chosen
        return chosen[index * len(chosen) // count : (index + 1) * len(chosen) // count]

    def _positions(self) -> npt.NDArray[np.int64]:
        wanted, cached = (self.epoch, self.reshuffles), self._order
        if cached is not None and cached[0] == wanted:
            return cached[1]
        order = self._order_of(self.epoch)
        # One assignment of a pair: TensorFlow reads from another thread, which sees the old pair or the new.
        self._order = (wanted, order)
        return order

    def _order_of(self, epoch: int) -> npt.NDArray[np.int64]:
        if not self.shuffle:
            return np.arange(self.num_examples)
        # Without reshuffles the two numbers alone, as in runs of a time before there were any.
        entropy = [self.seed, epoch, self.reshuffles] if self.reshuffles else [self.seed, epoch]
        return np.random.default_rng(entropy).permutation(self.num_examples)
