"""Look at a path before opening it: only regular files, only folders that can be read."""

import math
import os
import stat
from pathlib import Path

from kerasgan.data.errors import DataError

# One byte of gzip or zip content stands for no more bytes than this, so a larger claim is false.
MAX_DEFLATE_RATIO = 1032
# A smaller one may be true of zeros; images mostly black, such as dSprites, come to 115.
_MAX_IMAGE_RATIO = 300
_HARMLESS = 64 * 2**20  # Bytes that any machine has.


def regular_file(path: Path) -> int:
    """Refuse everything that is not a regular file with something in it.

    A link may lead out of a folder that was unpacked from an archive, and opening a FIFO waits for ever.

    Args:
        path: Where the file should be.

    Returns:
        Its size in bytes, at least 1.

    Raises:
        DataError: Missing, a link, a FIFO or other special file, empty, or not permitted to look at.
    """
    try:
        found = path.lstat()
    except OSError as error:
        raise DataError(
            f"{path}: cannot be looked at ({error.strerror}); check the path and its permissions."
        ) from error
    if stat.S_ISLNK(found.st_mode):
        raise DataError(f"{path}: is a symbolic link; put the regular file itself there.")
    if not stat.S_ISREG(found.st_mode):
        raise DataError(f"{path}: is not a regular file; put a regular file there.")
    if found.st_size == 0:
        raise DataError(f"{path}: is empty (0 bytes); copy or download it again.")
    return found.st_size


def refuse_bomb(where: Path | str, packed: int, unpacked: int) -> None:
    """Refuse what takes next to nothing on the disk and would take all of the memory.

    Args:
        where: The file, or its part, that an error names.
        packed: Bytes of compressed content.
        unpacked: Bytes that it claims to become.

    Raises:
        DataError: It grows as no images do, and beyond what is harmless.
    """
    if unpacked > max(_HARMLESS, packed * _MAX_IMAGE_RATIO):
        raise DataError(
            f"{where}: would unpack to {unpacked:,} bytes, {unpacked // packed:,} times what is there, as no images "
            "do; if they are sound, save them uncompressed."
        )


def refuse_more_than_memory(where: Path, shape: tuple[int, ...]) -> None:
    """Refuse what this machine could only read by swapping.

    Args:
        where: The file or folder that an error names.
        shape: Of all images as one array, the number of them first; a value takes a byte.

    Raises:
        DataError: They take more than the whole memory of this machine.
    """
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    needed = math.prod(shape)
    if needed > memory:
        raise DataError(
            f"{where}: its {shape[0]:,} images take {needed / 2**30:,.0f} GiB once decoded, and this "
            f"machine has {memory / 2**30:,.0f}; leave them on the disk with stream=True (--stream)."
        )


def folder_entries(folder: Path) -> list[Path]:
    """List a folder in the order of names, which is the same on every machine.

    Args:
        folder: An existing folder.

    Returns:
        Its entries; names that start with a dot are left out, as `ls` does.

    Raises:
        DataError: The folder cannot be read.
    """
    try:
        names = sorted(os.listdir(folder))
    except OSError as error:
        raise DataError(f"{folder}: cannot be listed ({error.strerror}); it must be a folder you may read.") from error
    return [folder / name for name in names if not name.startswith(".")]
