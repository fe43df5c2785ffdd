"""From what a user names to a `DataModule`: known names, files and folders."""

import os
from pathlib import Path

from kerasgan.data.arrays import Arrays
from kerasgan.data.digits import read_digits
from kerasgan.data.download import download
from kerasgan.data.errors import DataError, is_utf8
from kerasgan.data.folder import read_image_folder
from kerasgan.data.idx_folder import holds_idx, read_idx_folder
from kerasgan.data.module import DataModule
from kerasgan.data.npz import read_npz
from kerasgan.data.npz_shards import npz_shards_in, read_npz_shards
from kerasgan.data.record_shards import holds_records, read_record_shards
from kerasgan.data.stacked import stack
from kerasgan.data.stream import require_grain

DATA_DIR_VARIABLE = "KERASGAN_DATA_DIR"
_CLASS_NAMES = {
    "mnist": tuple("0123456789"),
    "fashion_mnist": (
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ),
}
KNOWN_NAMES = ("digits", *_CLASS_NAMES, "stacked_mnist")


def load(
    name_or_path: str | os.PathLike[str],
    *,
    data_dir: str | os.PathLike[str] | None = None,
    batch_size: int = 128,
    val_size: int | float = 0,
    seed: int = 0,
    one_hot: bool = False,
    drop_remainder: bool = True,
    stream: bool = False,
) -> DataModule:
    """Load images, split them and make them ready to train on.

    Args:
        name_or_path: `"digits"`, `"mnist"`, `"fashion_mnist"`, or `"stacked_mnist"`, 128,000 triples of digits in the
            channels of an image, made of the files of `mnist`; or the path of an `.npz` file, of a folder of
            IDX files, of a folder of images, or of a folder of shards: files that `write_shards` made, or several
            `.npz` that follow each other. A string that is a known name is that name, so write
            `"./mnist"` for a folder called so.
        data_dir: Where the IDX files of `mnist` and `fashion_mnist` lie: in this folder, or in its sub-folder
            of that name, which goes first. Without it `KERASGAN_DATA_DIR` is looked at in the same way; with
            neither, Keras downloads.
        batch_size: Images a batch.
        val_size: What to take from the training split for validation: a count, or a fraction in 0..1.
        seed: Fixes that choice and the order of every epoch.
        one_hot: Whether batches carry one-hot labels instead of integers.
        drop_remainder: Whether training leaves out the last, smaller batch, so that shapes never change.
        stream: Whether to leave a folder of images or shards on the disk and read each batch just before its turn: the
            same batches, bit for bit, in a few batches' memory. Needs `grain`.

    Returns:
        The data, in memory or streamed.

    Raises:
        DataError: Nothing is known under that name, or what is there is malformed; one line says what to do.
    """
    if stream:
        require_grain()
    name, arrays = _read(name_or_path, data_dir, stream)
    test = None if arrays.test_images is None else (arrays.test_images, arrays.test_labels)
    return DataModule(
        arrays.images,
        arrays.labels,
        test=test,
        name=name,
        class_names=arrays.class_names,
        batch_size=batch_size,
        val_size=val_size,
        seed=seed,
        one_hot=one_hot,
        drop_remainder=drop_remainder,
    )


def _read(
    name_or_path: str | os.PathLike[str], data_dir: str | os.PathLike[str] | None, stream: bool
) -> tuple[str, Arrays]:
    known = name_or_path.replace("-", "_") if isinstance(name_or_path, str) else None
    if stream and (known in KNOWN_NAMES or not _can_be_streamed(_located(name_or_path))):
        raise DataError(
            f"{os.fspath(name_or_path) or 'an empty name'}: cannot be streamed, as it is no folder of images or "
            "shards; leave stream (--stream) out, and it is read into memory."
        )
    if known == "digits":
        return known, read_digits()
    if known in _CLASS_NAMES:
        return known, _read_named(known, data_dir)._replace(class_names=_CLASS_NAMES[known])
    if known == "stacked_mnist":
        return known, stack(_read_named("mnist", data_dir))
    # The path a user names may be a link; what lies inside a folder may not (see files.py).
    shown = os.fspath(name_or_path)
    path = _located(shown).resolve()
    exists, is_folder = path.exists(), path.is_dir()
    if not is_utf8(path.name):
        raise DataError(f"{shown}: its name is not UTF-8; rename it, for it is the name of the data.")
    if is_folder and shown:
        return path.name, _read_folder(path, stream)
    if exists and path.suffix == ".npz":
        return path.stem, read_npz(path)
    what = "is not an .npz file or a folder" if exists else "is neither a known name nor a path"
    raise DataError(
        f"{shown or 'an empty name'}: {what}; known names: {', '.join(KNOWN_NAMES)}; "
        "paths: an .npz file, a folder of IDX files, of images or of shards."
    )


def _can_be_streamed(path: Path) -> bool:
    return path.is_dir() and not holds_idx(path)


def _read_folder(folder: Path, stream: bool) -> Arrays:
    if holds_idx(folder):
        return read_idx_folder(folder)
    if holds_records(folder):
        return read_record_shards(folder, stream=stream)
    if shards := npz_shards_in(folder):
        return read_npz_shards(folder, shards, stream=stream)
    return read_image_folder(folder, stream=stream)


def _read_named(name: str, data_dir: str | os.PathLike[str] | None) -> Arrays:
    root, origin = data_dir, "data_dir"
    if root is None:
        root, origin = os.environ.get(DATA_DIR_VARIABLE) or None, DATA_DIR_VARIABLE
    if root is None:
        return download(name)
    return read_idx_folder(_find_idx_folder(name, _located(root), origin))


def _located(shown: str | os.PathLike[str]) -> Path:
    """Return a path that can be looked at, whether anything is there or not."""
    try:
        path = Path(shown).expanduser()
        path.resolve().exists()
    except (OSError, RuntimeError, ValueError) as error:  # Too long, a loop of links, no such user, a null byte.
        raise DataError(f"{shown}: cannot be looked at ({error}); give a name or a path that exists.") from error
    return path


def _find_idx_folder(name: str, root: Path, origin: str) -> Path:
    if not root.is_dir():
        raise DataError(f"{root}: {origin} names no folder; it must hold the IDX files of {name}.")
    # The sub-folder first: next to it, files directly in `root` may well be those of another data set.
    spellings = (name, name.replace("_", "-"))
    for folder in [*(root / spelling for spelling in dict.fromkeys(spellings)), root]:
        if folder.is_dir() and holds_idx(folder):
            other = folder.resolve().name.replace("-", "_")
            if other in KNOWN_NAMES and other != name:
                raise DataError(f"{folder}: {origin} holds {other}, but {name} was asked for; name one of the two.")
            return folder
    raise DataError(
        f"{root}: {origin} holds no IDX files of {name}; put train-images-idx3-ubyte[.gz] and the others "
        f"there or in {name}/, or leave {origin} unset to let Keras download them."
    )
