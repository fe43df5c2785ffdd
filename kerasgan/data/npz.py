"""Arrays from an `.npz`, as `numpy.savez` and `keras.datasets` write them; never a pickle."""

import math
import tokenize
import warnings
import zipfile
import zlib
from pathlib import Path
from typing import IO

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
    size = regular_file(path)
    try:
        with zipfile.ZipFile(path) as archive:
            train_keys, test_keys = _choose_keys(archive, path)
            images, labels = _read_split(archive, train_keys, path, size)
            if test_keys is None:
                return Arrays(images, labels)
            return Arrays(images, labels, *_read_split(archive, test_keys, path, size))
    except zipfile.BadZipFile as error:
        raise DataError(f"{path}: is not a sound .npz ({error}); write it with numpy.savez.") from error
    except (zlib.error, EOFError) as error:
        raise DataError(f"{path}: is damaged ({error}); copy or download it again.") from error
    except (RuntimeError, NotImplementedError) as error:  # How zipfile refuses passwords and exotic versions.
        raise DataError(f"{path}: cannot be unpacked ({error}); write it with numpy.savez.") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error}); check its permissions and the disk.") from error


def _choose_keys(archive: zipfile.ZipFile, path: Path) -> tuple[tuple[str, str], tuple[str, str] | None]:
    keys = {name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")}
    found = ", ".join(sorted(keys)[:10]) or "nothing"
    if "x_train" in keys:
        if "y_test" in keys and "x_test" not in keys:
            raise DataError(f"{path}: holds y_test but not x_test (found: {found}); {_EXPECTED}.")
        return ("x_train", "y_train"), ("x_test", "y_test") if "x_test" in keys else None
    if "images" in keys:
        return ("images", "labels"), None
    raise DataError(f"{path}: holds neither x_train nor images (found: {found}); {_EXPECTED}.")


def _read_split(
    archive: zipfile.ZipFile, keys: tuple[str, str], path: Path, size: int
) -> tuple[AnyArray, AnyArray | None]:
    images_key, labels_key = keys
    images = as_images(_read_member(archive, images_key, path, size), f"{path} [{images_key}]")
    if f"{labels_key}.npy" not in archive.namelist():
        return images, None
    labels = _read_member(archive, labels_key, path, size)
    return images, as_labels(labels, len(images), f"{path} [{labels_key}]")


def _read_member(archive: zipfile.ZipFile, key: str, path: Path, size: int) -> AnyArray:
    where = f"{path} [{key}]"
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
            warnings.simplefilter(
                "ignore"
            )  # Of headers that Python 2 wrote, or that are odd: they are read all the same.
            _check_header(stream, member.file_size, where)
            stream.seek(0)
            array: AnyArray = npy.read_array(stream, allow_pickle=False)
            return array
    except DataError:
        raise
    # NumPy lets all of these out of a header, whose shape is an expression of Python.
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError, tokenize.TokenError) as error:
        raise DataError(f"{where}: is not a sound array ({error}); write it with numpy.savez.") from error


def _check_header(stream: IO[bytes], size: int, where: str) -> None:
    readers = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    version = npy.read_magic(stream)
    if version not in readers:  # Version 3 is for structured arrays with names beyond latin-1.
        raise DataError(f"{where}: .npy version {version} is not for plain arrays; save uint8 images.")
    shape, _, dtype = readers[version](stream)
    if dtype.kind not in "buif":
        what = "pickled objects" if dtype.hasobject else f"dtype {np.dtype(dtype)}"
        raise DataError(f"{where}: holds {what}, which is not numbers; save images as uint8 and labels as integers.")
    promised, held = math.prod(shape) * dtype.itemsize, size - stream.tell()
    if promised != held:
        raise DataError(f"{where}: its header promises {promised:,} bytes, {held:,} follow; write it again.")
