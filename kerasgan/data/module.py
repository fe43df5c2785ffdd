"""A data set in memory: its splits, its classes, and what they look like."""

import hashlib
import os
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from kerasgan.data.arrays import Labels, Pixels
from kerasgan.data.background import background_of
from kerasgan.data.batches import Batches
from kerasgan.data.errors import DataError
from kerasgan.data.figure import draw_examples
from kerasgan.data.images import as_images, as_uint8
from kerasgan.data.labels import MAX_CLASSES, as_labels
from kerasgan.data.options import hold_out, whole_number
from kerasgan.data.stored import StoredImages
from kerasgan.data.stream import StreamedBatches
from kerasgan.data.summary import summarize


class DataModule:
    """Images and labels, split and ready to train on.

    Images stay in memory as uint8, or on the disk as `StoredImages`, and become float32 in [-1, 1] batch by batch.

    Args:
        images: `(count, height, width[, channels])`, 1 or 3 channels. Integers in 0..255, or floats in
            [0, 1], [-1, 1] or [0, 255] (`kerasgan.data.images.as_uint8` says how it tells), kept to 8 bits.
            Not copied if uint8. Or `kerasgan.data.stored.StoredImages`, then all splits are streamed.
        labels: `(count,)`, integers from 0; None for images alone.
        test: `(images, labels)` of a test split, of the same image shape; labels None if `labels` is.
        name: For titles and errors.
        class_names: One a class; None for "0", "1", ... up to the largest label.
        batch_size: Images a batch.
        val_size: What to take from `images` for validation: a count, or a fraction below 1.
        seed: Fixes that choice and the order of every epoch.
        one_hot: Whether batches carry one-hot labels instead of integers.
        drop_remainder: Whether `train` leaves out the last, smaller batch: then XLA compiles one shape, and
            BatchNormalization never sees a batch of five. `validation` and `test` always keep it.

    Attributes:
        image_shape: `(height, width, channels)`.
        num_classes: None without labels.
        train: Shuffled `Batches`.
        validation: `Batches` in fixed order, or None.
        test: `Batches` in fixed order, or None.

    Raises:
        DataError: An array or an option will not do; one line that says what would.
    """

    def __init__(
        self,
        images: npt.ArrayLike | StoredImages,
        labels: npt.ArrayLike | None = None,
        *,
        test: tuple[npt.ArrayLike, npt.ArrayLike | None] | None = None,
        name: str = "images",
        class_names: Sequence[str] | None = None,
        batch_size: int = 128,
        val_size: int | float = 0,
        seed: int = 0,
        one_hot: bool = False,
        drop_remainder: bool = True,
    ) -> None:
        self.name = name
        self.batch_size = whole_number(batch_size, "batch_size", least=1)
        self.seed = whole_number(seed, "seed", least=0)
        pixels: Pixels | StoredImages
        if isinstance(images, StoredImages):
            if test is not None:
                raise DataError(f"{name}: a test split cannot be given to images on the disk; make a DataModule of it.")
            pixels, test_pixels = images, None
        else:
            pixels, test_pixels = _matching_images(images, None if test is None else test[0], name)
        given = {f"{name} train": (labels, len(pixels))}
        if test is not None and test_pixels is not None:
            given[f"{name} test"] = (test[1], len(test_pixels))
        checked, self.class_names = _matching_labels(given, class_names, name)
        self.image_shape: tuple[int, int, int] = pixels.shape[1:]
        self.num_classes = None if self.class_names is None else len(self.class_names)

        if one_hot and self.class_names is None:
            raise DataError(
                f"{name}: one_hot is True, but there are no labels; give some (to a folder of images, one sub-folder a "
                "class), or leave one_hot out."
            )

        def batches(images: Pixels | StoredImages, labels: Labels | None, *, training: bool) -> Batches:
            options: dict[str, Any] = {"batch_size": batch_size, "seed": seed, "shuffle": training, "one_hot": one_hot}
            options |= {"num_classes": self.num_classes, "drop_remainder": drop_remainder and training}
            if isinstance(images, StoredImages):
                return StreamedBatches(images, labels, **options)
            return Batches(images, labels, **options)

        self.validation: Batches | None = None
        train_labels = checked[0]
        if val_size:
            kept, held_out = hold_out(len(pixels), val_size, self.seed)
            held_out_labels = None if train_labels is None else train_labels[held_out]
            self.validation = batches(_part(pixels, held_out), held_out_labels, training=False)
            pixels, train_labels = _part(pixels, kept), None if train_labels is None else train_labels[kept]
        self.train = batches(pixels, train_labels, training=True)
        self.test = None if test_pixels is None else batches(test_pixels, checked[1], training=False)
        self._fingerprint: str | None = None

    @property
    def splits(self) -> dict[str, Batches]:
        """The splits there are, by name: `train`, then `validation` and `test`."""
        named = {"train": self.train, "validation": self.validation, "test": self.test}
        return {name: batches for name, batches in named.items() if batches is not None}

    @cached_property
    def background(self) -> str | None:
        """What the training images lie on, by their borders: `"dark"`, `"light"`, or None where they differ."""
        return background_of(self.train.images)

    def summary(self) -> str:
        """Describe the data for a terminal 80 columns wide.

        Returns:
            Shapes, value ranges, examples per class in each split, and how balanced the classes are.
        """
        return summarize(self.name, self.class_names, self.splits)

    def figure(self, path: str | os.PathLike[str]) -> Path:
        """Draw examples of every class, with their names and counts.

        Args:
            path: The PNG to write; its folder is made if need be.

        Returns:
            The path written.
        """
        return draw_examples(Path(path), self.name, self.class_names, self.train)

    def fingerprint(self) -> str:
        """Tell whether two runs see the same data in the same splits; counted once, then remembered.

        Returns:
            SHA-256 over the arrays of each split, as 64 hexadecimal digits. Of images on the disk the files
            count, as they are there: so it is not that of the same images in memory.
        """
        if self._fingerprint is None:
            digest = hashlib.sha256()
            for name, batches in self.splits.items():
                for array in (batches.images, batches.labels):
                    if isinstance(array, StoredImages):
                        digest.update(f"{name} files {array.shape};".encode() + array.digest())
                        continue
                    # Shapes count too: the same bytes may be 28x28 or 14x56.
                    digest.update(f"{name} {'none' if array is None else (array.shape, array.dtype.str)};".encode())
                    if array is not None:
                        digest.update(np.ascontiguousarray(array).data)
            self._fingerprint = digest.hexdigest()
        return self._fingerprint

    def __repr__(self) -> str:
        counts = ", ".join(f"{name}={batches.num_examples}" for name, batches in self.splits.items())
        shape = f"image_shape={self.image_shape}, num_classes={self.num_classes}"
        return f"DataModule({self.name!r}, {shape}, {counts})"


def _part(images: Pixels | StoredImages, positions: npt.NDArray[np.int64]) -> Pixels | StoredImages:
    return images.select(positions) if isinstance(images, StoredImages) else images[positions]


def _matching_images(
    images: npt.ArrayLike, test_images: npt.ArrayLike | None, name: str
) -> tuple[Pixels, Pixels | None]:
    train = as_images(images, f"{name} train")
    if test_images is None:
        return as_uint8(train, f"{name} train"), None
    test = as_images(test_images, f"{name} test")
    if test.shape[1:] != train.shape[1:]:
        raise DataError(
            f"{name} test: images are {test.shape[1:]}, those of train {train.shape[1:]}; they must have one shape."
        )
    return as_uint8(train, f"{name} train", also=test), as_uint8(test, f"{name} test", also=train)


def _matching_labels(
    given: dict[str, tuple[npt.ArrayLike | None, int]], class_names: Sequence[str] | None, name: str
) -> tuple[list[Labels | None], tuple[str, ...] | None]:
    labelled = [where for where, (labels, _) in given.items() if labels is not None]
    if not labelled:
        if class_names is not None:
            raise DataError(f"{name}: class_names are given but no labels; pass labels or leave class_names out.")
        return [None] * len(given), None
    for where in given:
        if where not in labelled:
            raise DataError(f"{where}: has no labels, but {labelled[0]} has; label every split or none.")
    limit = MAX_CLASSES if class_names is None else len(class_names)
    checked = [
        as_labels(labels, count, where, num_classes=limit)
        for where, (labels, count) in given.items()
        if labels is not None
    ]
    if class_names is None:
        class_names = [str(label) for label in range(1 + max(int(labels.max()) for labels in checked))]
    return [*checked], tuple(class_names)
