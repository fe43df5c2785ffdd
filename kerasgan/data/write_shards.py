"""Write images into a few large files that can be streamed, in any order, without decoding."""

import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from kerasgan.data.arrays import Labels, Pixels
from kerasgan.data.errors import DataError, is_utf8
from kerasgan.data.images import as_images
from kerasgan.data.labels import as_labels
from kerasgan.data.options import whole_number
from kerasgan.data.record_shards import require_array_record
from kerasgan.data.shard_index import SUFFIX, ShardFile, ShardIndex, write_index

_OPTIONS = "group_size:1,zstd:1"  # Each record by itself, for it is read by itself.
_BYTES = 2**28  # Of a file, before compression: 100 GB are some 400 files then, few enough to be open all at once.


def write_shards(
    folder: str | os.PathLike[str],
    images: Iterable[npt.ArrayLike],
    labels: npt.ArrayLike | None = None,
    *,
    class_names: Sequence[str] | None = None,
    images_per_shard: int | None = None,
) -> Path:
    """Write images as ArrayRecord files, for `kerasgan.data.load(folder, stream=True)`.

    Pixels are stored as they are, compressed without loss. The index, whose form `kerasgan.data.shard_index` tells,
    is written last: a folder that was cut short is not taken for data.

    Args:
        folder: Where to; it is made, and must be empty.
        images: One after the other, `(height, width)` or `(height, width, channels)`, uint8, of one shape: an array of
            them, `kerasgan.data.load(pictures, stream=True).train.images`, or anything that makes them, whose images
            then need never be in memory together.
        labels: `(count,)`, integers from 0; None for images alone.
        class_names: One a class; None for "0", "1", ...
        images_per_shard: Images of a file; None for 256 MiB of pixels.

    Returns:
        The folder.

    Raises:
        DataError: An image or a label will not do, the folder is not empty, the disk is full, or `array_record` is
            not installed. What was written is removed again.

    Example:
        ```python
        data = kg.data.load("photos", stream=True)
        kg.data.write_shards("shards", data.train.images, data.train.labels, class_names=data.class_names)
        ```
    """
    require_array_record()
    if images_per_shard is not None:
        whole_number(images_per_shard, "images_per_shard", least=1)
    _check_class_names(class_names, labels)
    if isinstance(images, Sized):  # Otherwise their number is known once they are written.
        _checked_labels(labels, len(images), class_names)
    path = Path(folder)
    _make_empty(path)
    try:
        image_shape, shards = _write_files(path, images, images_per_shard)
        checked = _checked_labels(labels, sum(shard.images for shard in shards), class_names)
        names = None if class_names is None else tuple(class_names)
        _told(path, write_index, path, ShardIndex(image_shape, shards, checked, names))
    except BaseException:
        for file in path.iterdir():  # It was empty, so all of them are ours.
            file.unlink()
        raise
    return path


def _make_empty(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise DataError(f"{folder}: is not empty; name a new folder for the shards.")
    except OSError as error:
        raise DataError(f"{folder}: cannot be made ({error.strerror}); name a folder that can be.") from error


def _write_files(
    folder: Path, images: Iterable[npt.ArrayLike], images_per_shard: int | None
) -> tuple[tuple[int, int, int], list[ShardFile]]:
    """Write all images; return their shape, and the files."""
    pixels = (_checked(image, number) for number, image in enumerate(images))
    first = next(pixels, None)
    if first is None:
        raise DataError("images: there are none; give at least one.")
    rest = itertools.chain([first], _of_one_shape(pixels, first.shape))
    most = images_per_shard or max(1, _BYTES // first.size)
    shards: list[ShardFile] = []
    while (ahead := next(rest, None)) is not None:
        name = f"images-{len(shards):05d}{SUFFIX}"
        block = itertools.chain([ahead], itertools.islice(rest, most - 1))
        shards.append(ShardFile(name, _write_file(folder / name, block)))
    height, width, channels = first.shape
    return (height, width, channels), shards


def _write_file(path: Path, images: Iterable[Pixels]) -> int:
    from array_record.python.array_record_module import ArrayRecordWriter

    written = 0
    writer = _told(path, ArrayRecordWriter, str(path), _OPTIONS)
    for image in images:
        _told(path, writer.write, image.tobytes())
        written += 1
    _told(path, writer.close)
    return written


def _told(path: Path, write: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return write(*arguments)
    except (OSError, RuntimeError, ValueError) as error:  # To the writer of ArrayRecord a full disk is a RuntimeError.
        raise DataError(f"{path}: cannot be written ({error}); check the folder and the disk.") from error


def _of_one_shape(images: Iterator[Pixels], shape: tuple[int, ...]) -> Iterator[Pixels]:
    for number, image in enumerate(images, 1):
        if image.shape != shape:
            raise DataError(f"images: image {number} is {image.shape}, the first {shape}; they must have one shape.")
        yield image


def _checked(image: npt.ArrayLike, number: int) -> Pixels:
    """Return an image as `(height, width, channels)`."""
    array = np.asarray(image)
    if array.dtype != np.uint8:
        raise DataError(f"images: image {number} has dtype {array.dtype}; give uint8, whose range needs no guess.")
    checked: Pixels = as_images(array[np.newaxis], f"images: image {number}")[0]
    return checked


def _checked_labels(labels: npt.ArrayLike | None, count: int, class_names: Sequence[str] | None) -> Labels | None:
    if labels is None:
        return None
    return as_labels(labels, count, "labels", num_classes=None if class_names is None else len(class_names))


def _check_class_names(class_names: Sequence[str] | None, labels: npt.ArrayLike | None) -> None:
    if class_names is None:
        return
    if labels is None:
        raise DataError("class_names are given but no labels; pass labels or leave class_names out.")
    for name in class_names:
        if not (isinstance(name, str) and is_utf8(name)):
            raise DataError(
                f"class_names: {name!r} is not text that can be written as UTF-8; name the class otherwise."
            )
