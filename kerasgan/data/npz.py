"""Arrays from an `.npz`, as `numpy.savez` and `keras.datasets` write them; never a pickle."""

import math
import tokenize
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy

from kerasgan.data.arrays import AnyArray, Arrays
from kerasgan.data.errors import DataError
from kerasgan.data.files import MAX_DEFLATE_RATIO, refuse_bomb, regular_file
from kerasgan.data.images import as_images
from kerasgan.data.labels import as_labels

_EXPECTED = "expected x_train[, y_train][, x_test, y_test], or images[, labels]"


def read_npz(path: Path) -> Arrays:
    """Read images and labels from an `.npz` file.

    Args:
        path: Holds `x_train` and perhaps `y_train`, `x_test`, `y_test`; or `images` and perhaps `labels`.

    Returns:
        The arrays; shapes are checked here, so that an error names the file.

    Raises:
        DataError: Not such a file, damaged, pickled, or of the wrong keys, shapes or types.
    """
    with opened(path) as archive:
        train_keys, test_keys = choose_keys(archive, path)
        images, labels = _read_split(archive, train_keys, path)
        if test_keys is None:
            return Arrays(images, labels)
        return Arrays(images, labels, *_read_split(archive, test_keys, path))


@contextmanager
def opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open an `.npz` file, and turn whatever goes wrong meanwhile into one line.

    Args:
        path: Where the file should be.

    Yields:
        The archive; its members are read when they are asked for.

    Raises:
        DataError: Not a regular file, not an archive, or damaged.
    """
    regular_file(path)
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except zipfile.BadZipFile as error:
        raise DataError(f"{path}: is not a sound .npz ({error}); write it with numpy.savez.") from error
    except (zlib.error, EOFError) as error:
        raise DataError(f"{path}: is damaged ({error}); copy or download it again.") from error
    except (RuntimeError, NotImplementedError) as error:  # How zipfile refuses passwords and exotic versions.
        raise DataError(f"{path}: cannot be unpacked ({error}); write it with numpy.savez.") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error}); check its permissions and the disk.") from error


def choose_keys(archive: zipfile.ZipFile, path: Path) -> tuple[tuple[str, str], tuple[str, str] | None]:
    """Find out under which names an archive keeps its arrays.

    Args:
        archive: As `opened` gives it.
        path: Its file, for errors.

    Returns:
        The keys of images and labels to train on, and those of a test split or None; there may be no labels.

    Raises:
        DataError: The names are none of those that `read_npz` knows.
    """
    keys = {name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")}
    found = ", ".join(sorted(keys)[:10]) or "nothing"
    if "x_train" in keys:
        if "y_test" in keys and "x_test" not in keys:
            raise DataError(f"{path}: holds y_test but not x_test (found: {found}); {_EXPECTED}.")
        return ("x_train", "y_train"), ("x_test", "y_test") if "x_test" in keys else None
    if "images" in keys:
        return ("images", "labels"), None
    raise DataError(f"{path}: holds neither x_train nor images (found: {found}); {_EXPECTED}.")


def _read_split(archive: zipfile.ZipFile, keys: tuple[str, str], path: Path) -> tuple[AnyArray, AnyArray | None]:
    images_key, labels_key = keys
    images = as_images(read_member(archive, images_key, path), f"{path} [{images_key}]")
    return images, read_labels(archive, labels_key, path, len(images))


def read_labels(archive: zipfile.ZipFile, key: str, path: Path, count: int) -> AnyArray | None:
    """Read the labels of an archive; see `kerasgan.data.labels.as_labels`. None where it has none of that name."""
    if f"{key}.npy" not in archive.namelist():
        return None
    return as_labels(read_member(archive, key, path), count, f"{path} [{key}]")


def read_member(archive: zipfile.ZipFile, key: str, path: Path) -> AnyArray:
    """Read one array of an archive.

    Args:
        archive: As `opened` gives it.
        key: Its name, which `choose_keys` has found.
        path: The file of the archive.

    Returns:
        The array.

    Raises:
        DataError: It is damaged, pickled, compressed by other means than deflate, or claims more than can be true.
    """
    with open_member(archive, key, path) as stream:
        read_header(stream, archive.getinfo(f"{key}.npy").file_size, f"{path} [{key}]")
        stream.seek(0)
        array: AnyArray = npy.read_array(stream, allow_pickle=False)
        return array


@contextmanager
def open_member(archive: zipfile.ZipFile, key: str, path: Path) -> Iterator[IO[bytes]]:
    """Open one array of an archive, and turn whatever NumPy raises meanwhile into one line; see `read_member`."""
    size, where = path.stat().st_size, f"{path} [{key}]"
    member = archive.getinfo(f"{key}.npy")
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise DataError(f"{where}: compression method {member.compress_type}; write it with numpy.savez_compressed.")
    # The sizes in a zip directory are claims too: no member unpacks to more than the whole file can hold.
    growth = MAX_DEFLATE_RATIO if member.compress_type == zipfile.ZIP_DEFLATED else 1
    if member.file_size > size * growth:
        raise DataError(f"{where}: claims {member.file_size:,} bytes in a file of {size:,}; write it again.")
    refuse_bomb(where, size, member.file_size)
    try:
        with archive.open(member) as stream, warnings.catch_warnings():
            # Of headers that Python 2 wrote, or that are odd: they are read all the same.
            warnings.simplefilter("ignore")
            yield stream
    except DataError:
        raise
    # NumPy lets all of these out of a header, whose shape is an expression of Python.
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError, tokenize.TokenError) as error:
        raise DataError(f"{where}: is not a sound array ({error}); write it with numpy.savez.") from error


def read_header(stream: IO[bytes], size: int, where: str) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Read and check the header of an array.

    Args:
        stream: As `open_member` gives it; it is left at the first value.
        size: Bytes that the stream holds.
        where: The file and array that an error names.

    Returns:
        Its shape, whether it lies in Fortran's order, and its dtype.

    Raises:
        DataError: Not numbers, or the header promises more or less than there is.
    """
    readers = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    version = npy.read_magic(stream)
    if version not in readers:  # Version 3 is for structured arrays with names beyond latin-1.
        raise DataError(f"{where}: .npy version {version} is not for plain arrays; save uint8 images.")
    shape, fortran_order, dtype = readers[version](stream)
    if dtype.kind not in "buif":
        what = "pickled objects" if dtype.hasobject else f"dtype {np.dtype(dtype)}"
        raise DataError(f"{where}: holds {what}, which is not numbers; save images as uint8 and labels as integers.")
    promised, held = math.prod(shape) * dtype.itemsize, size - stream.tell()
    if promised != held:
        raise DataError(f"{where}: its header promises {promised:,} bytes, {held:,} follow; write it again.")
    return shape, fortran_order, dtype
