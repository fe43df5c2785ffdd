"""The index of a folder of ArrayRecord files: what images they hold, in what order, and of which classes.

`index.json` is one object: `kerasgan_shards`, the version of this form, 1; `image_shape`, `[height, width,
channels]`; `class_names`, a list of strings or null; `shards`, a list of objects in the order of the images, each
with `file`, a name in the same folder, `images`, how many records it has, and `labels`, a whole number for each of
them, or null. A record is one image: its pixels, a byte each, row by row, channels last.
"""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from kerasgan.data.arrays import Labels
from kerasgan.data.errors import DataError, is_utf8
from kerasgan.data.files import regular_file
from kerasgan.data.labels import as_labels

NAME = "index.json"
SUFFIX = ".array_record"
_VERSION = 1
_MOST = 2**40  # Pixels of an image, or images of a file: what is more is a mistake, and would not fit into any integer.


class ShardFile(NamedTuple):
    """One file of a folder: its name, and how many images it has."""

    file: str
    images: int


class ShardIndex(NamedTuple):
    """What an index says.

    Attributes:
        image_shape: `(height, width, channels)`.
        shards: The files, in the order of the images.
        labels: `(count,)`, int32, of all files; None without labels.
        class_names: One a class, or None.
    """

    image_shape: tuple[int, int, int]
    shards: Sequence[ShardFile]
    labels: Labels | None
    class_names: tuple[str, ...] | None


def write_index(folder: Path, index: ShardIndex) -> None:
    """Write an index whole or not at all; without one, a folder is not taken for data."""
    ends = np.cumsum([shard.images for shard in index.shards])[:-1]
    parts = [None] * len(index.shards) if index.labels is None else np.split(index.labels, ends)
    shards = [
        {**shard._asdict(), "labels": None if part is None else part.tolist()}
        for shard, part in zip(index.shards, parts, strict=True)
    ]
    content = {"kerasgan_shards": _VERSION, "image_shape": index.image_shape, "class_names": index.class_names}
    unfinished = folder / f"{NAME}.unfinished"
    unfinished.write_text(json.dumps({**content, "shards": shards}), encoding="utf-8")
    os.replace(unfinished, folder / NAME)


def read_index(folder: Path) -> ShardIndex:
    """Read the index of a folder.

    Args:
        folder: Holds `index.json`.

    Returns:
        What it says, checked but for the files themselves.

    Raises:
        DataError: There is none, or it is not of the form above.
    """
    path = folder / NAME
    if not os.path.lexists(path):
        raise DataError(
            f"{folder}: holds {SUFFIX} files but no {NAME}; if writing them was cut short, write them again with "
            "kerasgan.data.write_shards."
        )
    regular_file(path)
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); check its permissions and the disk.") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: is not sound JSON ({error}); write the shards again.") from error
    if not isinstance(content, dict) or content.get("kerasgan_shards") != _VERSION:
        raise _malformed(path, f"is no index of shards of version {_VERSION}")
    shape = content.get("image_shape")
    if not (isinstance(shape, list) and len(shape) == 3 and all(map(_is_count, shape)) and shape[2] in (1, 3)):
        raise _malformed(path, "image_shape is not [height, width, 1 or 3]")
    if shape[0] * shape[1] * shape[2] > _MOST:
        raise _malformed(path, f"image_shape is {shape}, larger than any image")
    entries = content.get("shards")
    if not (isinstance(entries, list) and entries):
        raise _malformed(path, "shards is not a list of files")
    shards = [_shard(entry, path) for entry in entries]
    names = [shard.file for shard in shards]
    if len({*names}) < len(names):
        raise _malformed(path, "a file is named twice")
    class_names = _class_names(content.get("class_names"), path)
    labels = _labels([entry.get("labels") for entry in entries], shards, class_names, path)
    return ShardIndex((shape[0], shape[1], shape[2]), shards, labels, class_names)


def _shard(entry: Any, path: Path) -> ShardFile:
    if not (isinstance(entry, dict) and isinstance(entry.get("file"), str) and _is_count(entry.get("images"))):
        raise _malformed(path, "an entry of shards has no name of a file, or no number of images")
    name: str = entry["file"]
    # The index may come from somebody else: no file outside the folder is opened.
    if Path(name).name != name or "\0" in name or not is_utf8(name) or not name.endswith(SUFFIX):
        raise _malformed(path, f"{name[:80]!r} is not the name of a file beside it that ends in {SUFFIX}")
    return ShardFile(name, entry["images"])


def _class_names(names: Any, path: Path) -> tuple[str, ...] | None:
    if names is None:
        return None
    if not (isinstance(names, list) and names and all(isinstance(name, str) and is_utf8(name) for name in names)):
        raise _malformed(path, "class_names is not a list of names")
    return tuple(names)


def _labels(
    parts: list[Any], shards: Sequence[ShardFile], class_names: tuple[str, ...] | None, path: Path
) -> Labels | None:
    for part, shard in zip(parts, shards, strict=True):
        if (part is None) != (parts[0] is None):
            raise _malformed(path, f"some files have labels, but not {shard.file if part is None else shards[0].file}")
        if part is None:
            continue
        if not (isinstance(part, list) and all(type(label) is int for label in part) and len(part) == shard.images):
            raise _malformed(path, f"the labels of {shard.file} are not {shard.images:,} whole numbers")
    if parts[0] is None:
        if class_names is not None:
            raise _malformed(path, "has class_names but no labels")
        return None
    every = [label for part in parts for label in part]
    # Of numbers beyond 64 bits NumPy makes objects, which are refused as such.
    return as_labels(every, len(every), f"{path}", num_classes=None if class_names is None else len(class_names))


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 < value <= _MOST


def _malformed(path: Path, what: str) -> DataError:
    return DataError(f"{path}: {what}; write the shards again with kerasgan.data.write_shards.")
