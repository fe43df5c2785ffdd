"""Images that stay on the disk, and can be indexed like an array of them."""

import copy
import hashlib
import math
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Self, overload

import numpy as np
import numpy.typing as npt

from kerasgan.data.arrays import Pixels
from kerasgan.data.files import refuse_more_than_memory
from kerasgan.data.threads import BLOCK, in_threads

_AT_ONCE = 2**24  # Bytes that one thread reads, unless one image takes more.


class StoredImages(ABC):
    """Images of one shape in files, read when they are asked for.

    As of a NumPy array, a slice is a view, which reads nothing, and an array of positions makes a copy, which
    reads what it names. A subclass says how in `_read`, which several threads may call at once.

    Args:
        count: Images there are.
        image_shape: `(height, width, channels)`.

    Attributes:
        shape: `(count, height, width, channels)`.
        dtype: uint8.
    """

    dtype = np.dtype(np.uint8)
    ndim = 4

    def __init__(self, count: int, image_shape: tuple[int, int, int]) -> None:
        self._image_shape = image_shape
        self._chosen: npt.NDArray[np.int64] = np.arange(count)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """The shape of the array that all of them would be."""
        return len(self._chosen), *self._image_shape

    def __len__(self) -> int:
        return len(self._chosen)

    @overload
    def __getitem__(self, which: slice) -> Self: ...
    @overload
    def __getitem__(self, which: int | np.integer | npt.NDArray[np.int64]) -> Pixels: ...
    def __getitem__(self, which: slice | int | np.integer | npt.NDArray[np.int64]) -> Self | Pixels:
        """Read images, or, of a slice, make a view.

        Args:
            which: A position, an array of positions, or a slice.

        Returns:
            `(height, width, channels)`, `(count, height, width, channels)`, or a view.

        Raises:
            DataError: A file has become another since the data were loaded, or is damaged.
            IndexError: There is no such position.
        """
        if isinstance(which, slice):
            return self.select(np.arange(len(self))[which])
        chosen = self._chosen[which]
        return self._read(chosen[np.newaxis])[0] if chosen.ndim == 0 else self._read(chosen)

    def select(self, positions: npt.NDArray[np.int64]) -> Self:
        """Make a view of some of the images, in the order given; nothing is read."""
        view = copy.copy(self)
        view._chosen = self._chosen[positions]
        return view

    def in_memory(self, where: Path) -> Pixels:
        """Read all of them.

        Args:
            where: The file or folder that an error names.

        Returns:
            `(count, height, width, channels)`.

        Raises:
            DataError: They take more than the memory of this machine; or as of one that is read.
        """
        refuse_more_than_memory(where, self.shape)
        pixels = np.empty(self.shape, np.uint8)

        def read(block: npt.NDArray[np.int64]) -> None:
            pixels[block] = self[block]

        in_threads(read, len(self), self._block())
        return pixels

    def digest(self) -> bytes:
        """Tell these images from others: SHA-256 of what is stored, in their order. Reads every byte once."""
        whole = hashlib.sha256()
        for part in in_threads(lambda block: self._digests(self._chosen[block]), len(self), self._block()):
            whole.update(b"".join(part))
        return whole.digest()

    @abstractmethod
    def _read(self, numbers: npt.NDArray[np.int64]) -> Pixels:
        """Return `(count, height, width, channels)`; numbers count all images of the files, chosen or not."""

    def _block(self) -> int:
        return min(BLOCK, max(1, _AT_ONCE // math.prod(self._image_shape)))

    def _digests(self, numbers: npt.NDArray[np.int64]) -> list[bytes]:
        return [hashlib.sha256(image).digest() for image in self._read(numbers)]
