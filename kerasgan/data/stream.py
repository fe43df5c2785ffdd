"""Batches of images that stay on the disk, decoded by threads a little ahead of the training."""

import copy
import functools
import importlib.util
import logging
import math
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from kerasgan.data.arrays import Pixels
from kerasgan.data.batches import Batches
from kerasgan.data.errors import DataError
from kerasgan.data.stored import StoredImages
from kerasgan.data.threads import usable_cores

_MEMORY = 2**27  # Bytes of decoded images that wait for their turn, unless two batches take more.
_ENDLESS = 2**62  # An epoch has an end, the row of epochs has none.


class StreamedBatches(Batches):
    """`Batches` of `StoredImages`: the same batches, bit for bit, without all images in memory.

    `grain` decodes ahead of what is asked for, in threads of this process, across the ends of epochs too. A
    batch that is asked for out of turn, as on resuming, is begun with; what lies before it is not decoded.
    Waiting and just handed out are at most 256 MiB of decoded images, or four batches where these are larger.

    Attributes:
        failures: Errors that were raised here or in a view of this. TensorFlow hands them on as text only.

    Raises:
        DataError: As of `Batches`; or `grain` is not installed.
    """

    def __init__(self, images: StoredImages, labels: npt.ArrayLike | None = None, **options: Any) -> None:
        require_grain()
        super().__init__(images, labels, **options)
        self.failures: list[DataError] = []
        self._reader = _Reader()

    def _pixels(self, number: int, chosen: npt.NDArray[np.int64]) -> Pixels:
        lap = self.epoch if self.shuffle else 0  # Without an order of its own, an epoch is like all others.
        try:
            return self._reader.read(self, lap * len(self) + number - self._skipped)
        except DataError as error:
            self.failures.append(error)
            raise

    def __getstate__(self) -> dict[str, Any]:
        # A view has another row of batches: `copy.copy` must not let it share this reader.
        return {**self.__dict__, "_reader": _Reader()}


class _Row:
    """The batches of one epoch after the other in one endless row, decoded when asked for: what grain reads from."""

    def __init__(self, batches: Batches, first: int) -> None:
        self._batches = copy.copy(batches)  # Whose options stay as they are now.
        self._first = first
        self._order_of = functools.lru_cache(maxsize=2)(self._batches._order_of)  # Two, for where epochs meet.

    def __len__(self) -> int:
        return _ENDLESS

    def __getitem__(self, index: int) -> Pixels | DataError:
        epoch, number = divmod(self._first + index, len(self._batches))
        chosen = self._batches._batch(self._order_of(epoch), number + self._batches._skipped)
        try:
            return self._batches.images[chosen]
        except DataError as error:
            return error  # Raised in its turn. Of one that is raised here, grain would make several lines.


class _Reader:
    """Reads along a row of batches, and begins anew where one is asked for out of turn."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # Keras asks from another thread on TensorFlow, and from several with `workers`.
        self._iterator: Iterator[Pixels | DataError] | None = None
        self._options: tuple[Any, ...] = ()
        self._next = 0
        self._recent: dict[int, Pixels] = {}  # Keras looks at the first batches before it trains on them.
        self._close: Callable[[], Any] | None = None

    def __reduce__(self) -> tuple[type["_Reader"], tuple[()]]:
        return _Reader, ()  # A copy elsewhere begins anew.

    def read(self, batches: Batches, wanted: int) -> Pixels:
        order = (batches.seed, batches.reshuffles, batches.shuffle)
        options = (*order, batches.batch_size, len(batches), batches._skipped, batches._share, batches._evenly)
        with self._lock:
            if options != self._options:
                self.close()
                self._options = options
            if wanted in self._recent:
                return self._recent[wanted]
            ahead = _batches_ahead(batches)
            turns = len(batches) if not batches.shuffle else _ENDLESS  # After so many, the row repeats itself.
            if self._iterator is None or (wanted - self._next) % turns >= ahead:
                self._open(batches, wanted, ahead)
            while True:
                number, pixels = self._next, self._decoded()
                self._next = (number + 1) % turns
                self._recent[number] = pixels
                if len(self._recent) > ahead:
                    del self._recent[next(iter(self._recent))]
                if number == wanted:
                    return pixels

    def close(self) -> None:
        """Forget what was read ahead, and end the threads."""
        if self._close is not None:
            self._close()
        self._iterator, self._close = None, None
        self._recent.clear()

    def _open(self, batches: Batches, first: int, ahead: int) -> None:
        self.close()
        grain = import_grain()
        reading = grain.ReadOptions(num_threads=min(usable_cores(), ahead), prefetch_buffer_size=ahead)
        iterator = iter(grain.MapDataset.source(_Row(batches, first)).to_iter_dataset(reading))
        self._iterator, self._next = iterator, first
        self._close = weakref.finalize(self, iterator.close)

    def _decoded(self) -> Pixels:
        assert self._iterator is not None
        try:
            pixels = next(self._iterator)
            if isinstance(pixels, DataError):
                raise pixels
            return pixels
        except BaseException:  # Also KeyboardInterrupt: grain has lost its place then.
            self.close()
            raise


def _batches_ahead(batches: Batches) -> int:
    """Return how many batches to decode ahead: enough for all threads to have work, and no more than fit."""
    return max(2, min(2 * usable_cores(), _MEMORY // (batches.batch_size * math.prod(batches.images.shape[1:]))))


def require_grain() -> None:
    """Say early what would fail late.

    Raises:
        DataError: `grain` is not installed.
    """
    if importlib.util.find_spec("grain") is None:
        raise DataError('stream=True needs grain, which is not installed; pip install "kerasgan[stream]".')


def import_grain() -> Any:
    """Import grain, which is slow to import, without its warning that JAX is missing beside TensorFlow."""
    log = logging.getLogger("absl")
    was_disabled, log.disabled = log.disabled, True
    try:
        import grain
    finally:
        log.disabled = was_disabled
    return grain
