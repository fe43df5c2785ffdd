"""Images that stay on the disk, and can be indexed like an array of them."""

import hashlib
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar, overload

import numpy as np
import numpy.typing as npt

from kerasgan.data.arrays import Pixels
from kerasgan.data.errors import DataError
from kerasgan.data.files import regular_file
from kerasgan.data.pictures import check_headers, decode, quieten_pillow

_BLOCK = 256  # Files that one thread works through before it asks for more.
_Result = TypeVar("_Result")


class PictureFiles:
    """Image files of one size, decoded when they are asked for.

    As of a NumPy array, a slice is a view, which decodes nothing, and an array of positions makes a copy,
    which decodes what it names. Nothing is kept in memory but the names of the files.

    Args:
        paths: PNG, JPEG, BMP or WebP files, at least one; all headers are read now.

    Attributes:
        shape: `(count, height, width, channels)`; 1 channel if all are grey, else 3.
        dtype: uint8.

    Raises:
        DataError: A header will not do (see `kerasgan.data.pictures.check_headers`).
    """

    dtype = np.dtype(np.uint8)
    ndim = 4

    def __init__(self, paths: Sequence[Path]) -> None:
        self._image_shape = check_headers(paths)
        # Of a million files, strings take a third of the memory that paths do.
        self._names = [os.fspath(path) for path in paths]
        self._chosen: npt.NDArray[np.int64] = np.arange(len(paths))

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """The shape of the array that all of them would be."""
        return len(self._chosen), *self._image_shape

    def __len__(self) -> int:
        return len(self._chosen)

    @overload
    def __getitem__(self, which: slice) -> "PictureFiles": ...
    @overload
    def __getitem__(self, which: int | np.integer | npt.NDArray[np.int64]) -> Pixels: ...
    def __getitem__(self, which: slice | int | np.integer | npt.NDArray[np.int64]) -> "PictureFiles | Pixels":
        """Decode images, or, of a slice, make a view.

        Args:
            which: A position, an array of positions, or a slice.

        Returns:
            `(height, width, channels)`, `(count, height, width, channels)`, or a view.

        Raises:
            DataError: A file has become another or cannot be decoded; see `kerasgan.data.pictures.decode`.
            IndexError: There is no such position.
        """
        if isinstance(which, slice):
            return self.select(np.arange(len(self))[which])
        chosen = self._chosen[which]
        quieten_pillow()
        if chosen.ndim == 0:
            return decode(Path(self._names[chosen]), self._image_shape)
        pixels = np.empty((len(chosen), *self._image_shape), np.uint8)
        for slot, number in zip(pixels, chosen, strict=True):
            slot[:] = decode(Path(self._names[number]), self._image_shape)
        return pixels

    def select(self, positions: npt.NDArray[np.int64]) -> "PictureFiles":
        """Make a view of some of the images, in the order given; nothing is decoded."""
        view = object.__new__(PictureFiles)
        view._image_shape, view._names, view._chosen = self._image_shape, self._names, self._chosen[positions]
        return view

    def digest(self) -> bytes:
        """Tell these files from others: SHA-256 of what is in them, in their order. Reads every byte once."""
        whole = hashlib.sha256()
        for part in in_threads(lambda block: [_digest(Path(self._names[n])) for n in self._chosen[block]], len(self)):
            whole.update(b"".join(part))
        return whole.digest()


def in_threads(work: Callable[[npt.NDArray[np.int64]], _Result], count: int) -> list[_Result]:
    """Work through positions, several blocks of them at a time; files are read, decoded and hashed without the GIL.

    Args:
        work: Takes the positions of a block.
        count: Positions there are.

    Returns:
        What `work` returned, in order.
    """
    blocks = np.split(np.arange(count), range(_BLOCK, count, _BLOCK))
    with ThreadPoolExecutor(usable_cores()) as pool:
        return list(pool.map(work, blocks))


def usable_cores() -> int:
    """Count the processor's cores that this process may use; no more than 8, where Python's GIL is the limit."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(allowed, 8)


def _digest(path: Path) -> bytes:
    regular_file(path)
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); check its permissions and the disk.") from error
