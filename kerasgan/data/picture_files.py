"""A folder's image files as images that stay on the disk."""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from kerasgan.data.arrays import Pixels
from kerasgan.data.errors import DataError
from kerasgan.data.files import regular_file
from kerasgan.data.pictures import check_headers, decode, quieten_pillow
from kerasgan.data.stored import StoredImages


class PictureFiles(StoredImages):
    """Image files of one size, decoded when they are asked for.

    Nothing is kept in memory but the names of the files. There is 1 channel if all are grey, else 3.

    Args:
        paths: PNG, JPEG, BMP or WebP files, at least one; all headers are read now.

    Raises:
        DataError: A header will not do (see `kerasgan.data.pictures.check_headers`); later, a file that
            `kerasgan.data.pictures.decode` refuses.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        super().__init__(len(paths), check_headers(paths))
        # Of a million files, strings take a third of the memory that paths do.
        self._names = [os.fspath(path) for path in paths]

    def _read(self, numbers: npt.NDArray[np.int64]) -> Pixels:
        quieten_pillow()
        pixels = np.empty((len(numbers), *self._image_shape), np.uint8)
        for slot, number in zip(pixels, numbers, strict=True):
            slot[:] = decode(Path(self._names[number]), self._image_shape)
        return pixels

    def _digests(self, numbers: npt.NDArray[np.int64]) -> list[bytes]:
        return [_digest(Path(self._names[number])) for number in numbers]


def _digest(path: Path) -> bytes:
    regular_file(path)
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); check its permissions and the disk.") from error
