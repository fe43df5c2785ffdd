"""The handwritten digits that scikit-learn ships: real images with no download."""

import numpy as np

from kerasgan.data.arrays import Arrays, Pixels

_TEST_COUNT = 297  # Leaves 1,500 to train on.
_INK_FLOOR, _INK_CEILING = 70, 255


def read_digits() -> Arrays:
    """Read scikit-learn's 1,797 digits, 28x28, split into 1,500 for training and 297 for testing.

    The split is the same on every call and has each class in proportion.

    Returns:
        Images `(count, 28, 28)`, uint8, white ink on black as in MNIST, and labels 0 to 9.
    """
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    images, labels = load_digits(return_X_y=True)
    enlarged = np.stack([_enlarge(image) for image in images.reshape(-1, 8, 8)])
    labels = labels.astype(np.int32)
    train, test = train_test_split(np.arange(len(labels)), test_size=_TEST_COUNT, stratify=labels, random_state=0)
    train.sort()
    test.sort()
    return Arrays(enlarged[train], labels[train], enlarged[test], labels[test], tuple("0123456789"))


def _enlarge(image: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> Pixels:
    """Turn 8x8 in 0..16 into 28x28 in 0..255."""
    from PIL import Image

    # A dark frame first: strokes touch the border of the 8x8 image and would end as if cut with scissors.
    framed = np.pad(image * (255 / 16), 1).astype(np.float32)  # (10, 10)
    smooth = np.asarray(Image.fromarray(framed).resize((28, 28), Image.Resampling.BICUBIC))
    # Interpolation blurs; more contrast gives back the edge of a pen stroke.
    sharp = (smooth - _INK_FLOOR) * (255 / (_INK_CEILING - _INK_FLOOR))
    return np.clip(np.rint(sharp), 0, 255).astype(np.uint8)
