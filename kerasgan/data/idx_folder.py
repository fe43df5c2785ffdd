"""The four IDX files of an MNIST-like data set."""

import re
from pathlib import Path

from kerasgan.data.arrays import Arrays, Pixels
from kerasgan.data.errors import DataError
from kerasgan.data.files import folder_entries
from kerasgan.data.idx import read_idx

_FILE_NAME = re.compile(r"(train|t10k)-(images|labels)[-.]idx[13]-ubyte(\.gz)?")


def read_idx_folder(folder: Path) -> Arrays:
    """Read the four files of an MNIST-like data set; the two of the test split may be missing together.

    Args:
        folder: Holds `train-images-idx3-ubyte`, `train-labels-idx1-ubyte` and perhaps `t10k-...`, each plain
            or `.gz`; plain goes first where both are there.

    Returns:
        Train and test arrays, uint8.

    Raises:
        DataError: A file is missing or malformed, or images and labels differ in number.
    """
    test_files = [_find(folder, "t10k-images", 3), _find(folder, "t10k-labels", 1)]
    images, labels = _read_pair(folder, "train")
    if test_files == [None, None]:
        return Arrays(images, labels)
    return Arrays(images, labels, *_read_pair(folder, "t10k"))


def holds_idx(folder: Path) -> bool:
    """Tell whether a folder holds at least one file named like those of MNIST.

    Args:
        folder: An existing folder.

    Returns:
        True if `read_idx_folder` is the reader for it.
    """
    return any(_FILE_NAME.fullmatch(entry.name) for entry in folder_entries(folder))


def _find(folder: Path, stem: str, rank: int) -> Path | None:
    # Some tools unpack `train-images-idx3-ubyte` as `train-images.idx3-ubyte`.
    names = [f"{stem}{separator}idx{rank}-ubyte{ending}" for ending in ("", ".gz") for separator in "-."]
    present = {entry.name for entry in folder_entries(folder)}
    return next((folder / name for name in names if name in present), None)


def _read_pair(folder: Path, split: str) -> tuple[Pixels, Pixels]:
    paths = []
    for kind, rank in (("images", 3), ("labels", 1)):
        path = _find(folder, f"{split}-{kind}", rank)
        if path is None:
            raise DataError(f"{folder}: {split}-{kind}-idx{rank}-ubyte[.gz] is missing; put it next to the others.")
        paths.append(path)
    images, labels = read_idx(paths[0], 3), read_idx(paths[1], 1)
    if len(images) != len(labels):
        raise DataError(
            f"{paths[1]}: {len(labels):,} labels for the {len(images):,} images of {paths[0].name}; "
            "both must come from the same data set."
        )
    return images, labels
