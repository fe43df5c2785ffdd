"""The handwritten digits that scikit-learn ships: real images with no download."""

import base64
import importlib.util
from pathlib import Path

import numpy as np

from kerasgan.data.arrays import Arrays, Pixels

# The 297 that `train_test_split(..., test_size=297, stratify=labels, random_state=0)` of scikit-learn picks: a bit for
# each digit. The import of scikit-learn takes longer than all that is done here.
_TEST = np.unpackbits(
    np.frombuffer(
        base64.b64decode(
            "AAAEiDUkEEAABkEAk0IFABoACAEAIAAoBigSABAAlAoAgBESBAAYgAIBEKAACAqAIEQVBEgCQKAKIAAAQACYAACAACAASAXEABBAAKAQ"
            "AAVASAAwEAACDsAJAAAkBACDqAE8AKaYCgAAAAMIQAgEoBgIAgJAQUAAgAQARAQ2QgECFgBEAABAQKCAGApQAIQJgWGECBCACAAMAMAg"
            "AAaKAAAIggCBADgIA4AIGQAAEA4BAAAQoCEAMigpAEBEyIAoAgECAwACAAgiokAsJAQhCKhAgJDAIBQCghICEAE4BBUA"
        ),
        np.uint8,
    )
).astype(bool)
_FILE = "datasets/data/digits.csv.gz"
_INK_FLOOR, _INK_CEILING = 70, 255


def read_digits() -> Arrays:
    """Read scikit-learn's 1,797 digits, 28x28, split into 1,500 for training and 297 for testing.

    The split is the same on every call and has each class in proportion.

    Returns:
        Images `(count, 28, 28)`, uint8, white ink on black as in MNIST, and labels 0 to 9.
    """
    table = _read_table()  # (1797, 65): the pixels of an image, its label
    images = _enlarge(table[:, :-1].reshape(-1, 8, 8))
    labels, test = table[:, -1].astype(np.int32), _TEST[: len(table)]
    return Arrays(images[~test], labels[~test], images[test], labels[test], tuple("0123456789"))


def _read_table() -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    spec = importlib.util.find_spec("sklearn")
    for folder in (spec and spec.submodule_search_locations) or ():
        if (file := Path(folder, _FILE)).is_file():
            return np.loadtxt(file, delimiter=",")
    from sklearn.datasets import load_digits  # A release that keeps the file elsewhere.

    images, labels = load_digits(return_X_y=True)
    return np.column_stack([images, labels])


def _enlarge(images: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> Pixels:
    """Turn 8x8 in 0..16 into 28x28 in 0..255."""
    from PIL import Image

    # A dark frame first: strokes touch the border of the 8x8 image and would end as if cut with scissors.
    framed = np.pad(images * (255 / 16), ((0, 0), (1, 1), (1, 1))).astype(np.float32)  # (count, 10, 10)
    size, how = (28, 28), Image.Resampling.BICUBIC
    smooth = np.stack([np.asarray(Image.fromarray(image).resize(size, how)) for image in framed])
    # Interpolation blurs; more contrast gives back the edge of a pen stroke.
    sharp = (smooth - _INK_FLOOR) * (255 / (_INK_CEILING - _INK_FLOOR))
    return np.clip(np.rint(sharp), 0, 255).astype(np.uint8)
