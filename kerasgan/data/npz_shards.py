"""A folder of `.npz` files as images that stay on the disk, each read at its place in its file."""

import os
import struct
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from kerasgan.data.arrays import AnyArray, Arrays, Pixels
from kerasgan.data.errors import DataError
from kerasgan.data.files import folder_entries, regular_file
from kerasgan.data.images import as_images
from kerasgan.data.npz import choose_keys, open_member, opened, read_header, read_labels
from kerasgan.data.pictures import SUFFIXES
from kerasgan.data.stored import StoredImages

_LOCAL_HEADER = struct.Struct("<4s22xHH")  # Of a member of a zip: signature, ..., bytes of its name and of its extras.


class _Shard(NamedTuple):
    name: str
    images: int
    image_shape: tuple[int, int, int]
    start: int  # Where its first pixel stands in the file.
    state: tuple[int, int]  # Of the file: its size and when it was written, to know it again.


class NpzShards(StoredImages):
    """Images in `.npz` files that `numpy.savez` wrote, read from where they stand when they are asked for.

    Read and not mapped: pages that are mapped count as memory of the process until the machine wants them back,
    and a mapping holds its file open, of which a process may have about a thousand.

    Args:
        shards: What `read_npz_shards` found in the files, at least one.
    """

    def __init__(self, shards: Sequence[_Shard]) -> None:
        self._shards = tuple(shards)
        self._ends = np.cumsum([shard.images for shard in shards])
        super().__init__(int(self._ends[-1]), shards[0].image_shape)

    def _read(self, numbers: npt.NDArray[np.int64]) -> Pixels:
        pixels = np.empty((len(numbers), *self._image_shape), np.uint8)
        within = np.searchsorted(self._ends, numbers, side="right")
        for place in np.unique(within):
            first = self._ends[place] - self._shards[place].images
            slots = np.flatnonzero(within == place)
            _read_images(self._shards[place], numbers[slots] - first, pixels, slots)
        return pixels


def npz_shards_in(folder: Path) -> list[Path]:
    """List the `.npz` files of a folder; none where images or folders lie beside them, which are the data then."""
    entries = folder_entries(folder)
    if any(entry.is_dir() or entry.suffix.lower() in SUFFIXES for entry in entries):
        return []
    return [entry for entry in entries if entry.suffix == ".npz"]


def read_npz_shards(folder: Path, paths: Sequence[Path], *, stream: bool = False) -> Arrays:
    """Read the labels of `.npz` files, and their images or only where these stand.

    The data are the files one after the other in the order of their names; each holds `images` and perhaps `labels`,
    or `x_train` and perhaps `y_train`, uncompressed. Pixels are not held against the checksums of the archives.

    Args:
        folder: Where they lie, for errors.
        paths: The files, at least one.
        stream: Whether to leave the pixels on the disk.

    Returns:
        Images, uint8, or `NpzShards`; labels where the files have them.

    Raises:
        DataError: A file that `read_npz` would refuse, compressed images, images of other types or another shape,
            labels in some files only, a test split.
    """
    shards, labels = zip(*(_look_at(path) for path in paths), strict=True)
    for path, shard, found in zip(paths, shards, labels, strict=True):
        if shard.image_shape != shards[0].image_shape:
            raise DataError(
                f"{path}: its images are {shard.image_shape}, those of {paths[0].name} {shards[0].image_shape}; they "
                "must have one shape."
            )
        if (found is None) != (labels[0] is None):
            has, lacks = (paths[0].name, path) if found is None else (path.name, paths[0])
            raise DataError(f"{lacks}: has no labels, but {has} has; label every shard or none.")
    images = NpzShards(shards)
    every_label = None if labels[0] is None else np.concatenate(labels)
    return Arrays(images if stream else images.in_memory(folder), every_label)


def _look_at(path: Path) -> tuple[_Shard, AnyArray | None]:
    with opened(path) as archive:
        found = os.stat(path)
        (images_key, labels_key), test_keys = choose_keys(archive, path)
        if test_keys is not None:
            raise DataError(
                f"{path}: holds {test_keys[0]}, but a shard is of one split; leave it out, or use val_size."
            )
        shape, start = _find_images(archive, images_key, path)
        labels = read_labels(archive, labels_key, path, shape[0])
        return _Shard(os.fspath(path), shape[0], shape[1:], start, (found.st_size, found.st_mtime_ns)), labels


def _find_images(archive: zipfile.ZipFile, key: str, path: Path) -> tuple[tuple[int, int, int, int], int]:
    """Return the shape of all images of a file, and where the first one stands."""
    where, member = f"{path} [{key}]", archive.getinfo(f"{key}.npy")
    if member.compress_type != zipfile.ZIP_STORED or member.compress_size != member.file_size:
        raise DataError(
            f"{where}: is compressed, so that no image can be read without all before it; write shards with "
            "numpy.savez, or with kerasgan.data.write_shards."
        )
    with open_member(archive, key, path) as stream:
        shape, fortran_order, dtype = read_header(stream, member.file_size, where)
        if dtype != np.uint8:
            raise DataError(f"{where}: has dtype {dtype}; of shards uint8 only, for the range of others is not known.")
        if fortran_order:
            raise DataError(f"{where}: lies in Fortran's order; save numpy.ascontiguousarray(images).")
        # A view of a single byte: shapes of arrays are looked at, and no array is made.
        count, *image_shape = as_images(np.broadcast_to(np.uint8(0), shape), where).shape
        header = stream.tell()
    with open(path, "rb") as file:
        file.seek(member.header_offset)
        local = file.read(_LOCAL_HEADER.size)
        _, name, extras = _LOCAL_HEADER.unpack(local)
        start = member.header_offset + _LOCAL_HEADER.size + name + extras + header
        if start + count * int(np.prod(image_shape)) > os.fstat(file.fileno()).st_size:
            raise DataError(f"{where}: ends before its last image; copy or download it again.")
    return (count, *image_shape), start


def _read_images(shard: _Shard, numbers: npt.NDArray[np.int64], pixels: Pixels, slots: npt.NDArray[np.int64]) -> None:
    """Put images of a file, by their numbers within it, into slots of an array."""
    path = Path(shard.name)
    regular_file(path)
    size = pixels[0].size
    try:
        with open(path, "rb", buffering=0) as file:
            found = os.fstat(file.fileno())
            if (found.st_size, found.st_mtime_ns) != shard.state:
                raise DataError(f"{path}: has changed since the data were loaded; load them again.")
            for number, slot in zip(numbers, slots, strict=True):
                file.seek(shard.start + int(number) * size)
                if file.readinto(pixels[slot]) != size:
                    raise DataError(f"{path}: ends before image {number}; copy or download it again.")
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); check its permissions and the disk.") from error
