"""Stacked MNIST: three digits in the three channels of an image, a thousand modes that can be told apart."""

import numpy as np
import numpy.typing as npt

from kerasgan.data.arrays import AnyArray, Arrays, Labels, Pixels
from kerasgan.data.errors import DataError
from kerasgan.data.options import whole_number

TRIPLES, TEST_TRIPLES = 128_000, 26_000
_STREAM = 0x57AC  # Keeps these draws apart from all others of the same seed.


def stack(arrays: Arrays, count: int = TRIPLES, test_count: int = TEST_TRIPLES, seed: int = 0) -> Arrays:
    """Make stacked images of grey ones.

    Args:
        arrays: A data set of ten classes, such as MNIST; its test split, if any, is stacked by itself.
        count: Triples for training; the classic number is 128,000.
        test_count: Triples of the test split; as many as are usually judged.
        seed: Fixes which three images each triple is made of.

    Returns:
        Images `(count, height, width, 3)`, uint8, 300 MB for MNIST; the label is 100 times that of the first channel,
        plus 10 times that of the second, plus that of the third. Both splits may show an image of theirs many times.

    Raises:
        DataError: The images are not grey, have no labels, or others than 0 to 9.
    """
    images, labels = _triples(arrays.images, arrays.labels, whole_number(count, "count", least=1), [seed, 0])
    names = tuple(f"{label:03}" for label in range(1000))
    if arrays.test_images is None:
        return Arrays(images, labels, class_names=names)
    test = _triples(arrays.test_images, arrays.test_labels, whole_number(test_count, "test_count", least=1), [seed, 1])
    return Arrays(images, labels, *test, names)


def _triples(images: AnyArray, labels: AnyArray | None, count: int, seeds: list[int]) -> tuple[Pixels, Labels]:
    if labels is None or len(labels) != len(images):
        raise DataError("stacked_mnist: needs a label for every image; stack a data set such as mnist.")
    if images.ndim == 4 and images.shape[-1] == 1:
        images = images[..., 0]
    if images.ndim != 3 or images.dtype != np.uint8:
        raise DataError(f"stacked_mnist: images are {images.dtype} {images.shape}; stack grey uint8 ones, as of mnist.")
    if labels.min() < 0 or labels.max() > 9:
        raise DataError(f"stacked_mnist: labels span {labels.min()} to {labels.max()}; stack ten classes, 0 to 9.")
    chosen = np.random.default_rng([*seeds, _STREAM]).integers(0, len(images), (count, 3))
    stacked = np.empty((count, *images.shape[1:], 3), np.uint8)
    for channel in range(3):  # one after the other: all at once would take the memory twice
        stacked[..., channel] = images[chosen[:, channel]]
    numbers: npt.NDArray[np.int32] = labels.astype(np.int32)[chosen] @ np.array([100, 10, 1], np.int32)
    return stacked, numbers
