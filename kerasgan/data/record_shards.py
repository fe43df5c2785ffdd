"""A folder of ArrayRecord files, as `write_shards` makes them: one image a record, and an index beside them."""

import importlib.util
import threading
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from kerasgan.data.arrays import Arrays, Pixels
from kerasgan.data.errors import DataError
from kerasgan.data.files import folder_entries, regular_file
from kerasgan.data.shard_index import SUFFIX, ShardIndex, read_index
from kerasgan.data.stored import StoredImages

# For single records here and there: the defaults read 16 MiB ahead.
_OPTIONS = {"options": "readahead_buffer_size:0,max_parallelism:0", "file_reader_buffer_size": 2**15}
_MOST_OPEN = 256  # Files; a process may usually have 1,024.


class RecordShards(StoredImages):
    """Images in ArrayRecord files, read when they are asked for; every record carries a checksum.

    Args:
        folder: Where the files lie.
        index: What the index beside them says.

    Raises:
        DataError: A file that is missing, damaged, or of another number of records than the index says; a first image
            of another size.
    """

    def __init__(self, folder: Path, index: ShardIndex) -> None:
        self._paths = [folder / shard.file for shard in index.shards]
        self._counts = [shard.images for shard in index.shards]
        self._ends = np.cumsum(self._counts)
        self._readers = _Readers()
        for path, count in zip(self._paths, self._counts, strict=True):
            self._readers.open(path, count)
        # Only now: the number of images is true, and their size is that of the first at least.
        super().__init__(sum(self._counts), index.image_shape)
        self._records(0, np.array([0]))

    def _read(self, numbers: npt.NDArray[np.int64]) -> Pixels:
        pixels = np.empty((len(numbers), *self._image_shape), np.uint8)
        within = np.searchsorted(self._ends, numbers, side="right")
        for place in np.unique(within):
            first = self._ends[place] - self._counts[place]
            slots = np.flatnonzero(within == place)
            for slot, record in zip(slots, self._records(place, numbers[slots] - first), strict=True):
                pixels[slot] = np.frombuffer(record, np.uint8).reshape(self._image_shape)
        return pixels

    def _records(self, place: int, numbers: npt.NDArray[np.int64]) -> Sequence[bytes]:
        path, size = self._paths[place], int(np.prod(self._image_shape))
        try:
            records: Sequence[bytes] = self._readers.open(path, self._counts[place]).read(numbers.tolist())
        except (RuntimeError, ValueError, IndexError) as error:
            raise DataError(f"{path}: cannot be read ({error}); copy it or write it again.") from error
        for number, record in zip(numbers, records, strict=True):
            if len(record) != size:
                raise DataError(
                    f"{path}: record {number} has {len(record):,} bytes, an image {size:,}; write it again."
                )
        return records


def holds_records(folder: Path) -> bool:
    """Tell whether a folder holds ArrayRecord files, with an index or without."""
    return any(entry.suffix == SUFFIX for entry in folder_entries(folder))


def read_record_shards(folder: Path, *, stream: bool = False) -> Arrays:
    """Read a folder that `kerasgan.data.write_shards` has written, or, to stream it, its index.

    Args:
        folder: Holds the files, and an index of the form that `kerasgan.data.shard_index` tells.
        stream: Whether to leave the images on the disk.

    Returns:
        Images, uint8, or `RecordShards`; labels and names of classes where the index has them.

    Raises:
        DataError: The package `array_record` is missing, or the folder is not as `write_shards` left it.
    """
    require_array_record()
    index = read_index(folder)
    images = RecordShards(folder, index)
    return Arrays(images if stream else images.in_memory(folder), index.labels, class_names=index.class_names)


def require_array_record() -> None:
    """Say early what would fail late.

    Raises:
        DataError: `array_record` is not installed.
    """
    if importlib.util.find_spec("array_record") is None:
        raise DataError('shards of ArrayRecord need array_record, which is missing; pip install "kerasgan[stream]".')


class _Readers:
    """Open files, shared by all views of the same images; their reading is safe in several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: OrderedDict[Path, Any] = OrderedDict()

    def __reduce__(self) -> tuple[type["_Readers"], tuple[()]]:
        return _Readers, ()  # A copy elsewhere opens them itself.

    def open(self, path: Path, count: int) -> Any:
        from array_record.python.array_record_module import ArrayRecordReader

        with self._lock:
            if path in self._open:
                self._open.move_to_end(path)
                return self._open[path]
            regular_file(path)
            try:
                reader = ArrayRecordReader(str(path), **_OPTIONS)
                found = reader.num_records()
            except (RuntimeError, ValueError) as error:
                raise DataError(f"{path}: cannot be read ({error}); copy it or write it again.") from error
            if found != count:
                what = f"holds {found:,} images" if found else "holds no images, or is cut off or damaged"
                raise DataError(f"{path}: {what}, its index says {count:,}; copy it or write it again.")
            self._open[path] = reader
            if len(self._open) > _MOST_OPEN:
                self._open.popitem(last=False)  # Closed once no thread reads from it any more.
            return reader
