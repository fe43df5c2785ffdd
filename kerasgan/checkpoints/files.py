"""Files and directories that are whole after a kill or a power cut, and errors of the disk that say what helps.

Whatever is unfinished or being deleted has a name that begins with `.tmp-`, and no reader looks at it.
"""

import errno
import os
import secrets
import shutil
from contextlib import suppress
from pathlib import Path

TEMPORARY = ".tmp-"

_FULL = "free some space or keep fewer checkpoints"
_CLOSED = "make the directory writable or choose another run directory"
_GONE = "the directory was removed or never made; create it or choose another run directory"
_REMEDIES = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EFBIG: _FULL,
    errno.EROFS: _CLOSED,
    errno.EACCES: _CLOSED,
    errno.EPERM: _CLOSED,
    errno.ENOENT: _GONE,
    errno.ENOTDIR: _GONE,
}


def write_atomically(path: str | os.PathLike[str], data: bytes) -> None:
    """Write or replace a single file so that a reader sees the old bytes or the new ones, never a mixture.

    A kill can leave a `.tmp-...` beside the file; `remove_temporaries` is for those.

    Args:
        path: The file; its directory must exist.
        data: All of its bytes.

    Raises:
        OSError: The disk refused; it names the file and what would help, and the old file is as it was.
    """
    path = Path(path)
    temporary = temporary_in(path.parent)
    try:
        write_new(temporary, data)
        os.replace(temporary, path)
        sync_directory(path.parent)
    except OSError as error:
        raise OSError(error.errno, f"not written: {explain(error)}", str(path)) from error
    finally:
        with suppress(OSError):
            temporary.unlink()


def remove_temporaries(directory: str | os.PathLike[str]) -> list[Path]:
    """Delete what killed processes left half written; for the directory's one owner, before it writes.

    Args:
        directory: Where to look, not below; it need not exist.

    Returns:
        What was deleted.

    Raises:
        OSError: The disk refused; it names the path and what would help.
    """
    directory = Path(directory)
    path = directory
    try:
        names = sorted(os.listdir(directory)) if directory.exists() else []
        leftovers = [directory / name for name in names if name.startswith(TEMPORARY)]
        for path in leftovers:
            delete(path)
    except OSError as error:
        raise OSError(error.errno, f"not cleaned up: {explain(error)}", str(path)) from error
    return leftovers


def make_directory(path: str | os.PathLike[str], *, parents: bool = True, exist_ok: bool = True) -> None:
    """Make a directory; the arguments are those of `Path.mkdir`.

    Raises:
        FileExistsError: Something of that name is there, and no directory or not `exist_ok`.
        OSError: The disk refused; it names the path and what would help.
    """
    try:
        Path(path).mkdir(parents=parents, exist_ok=exist_ok)
    except FileExistsError:
        raise
    except OSError as error:
        raise OSError(error.errno, f"not made: {explain(error)}", str(path)) from error


def temporary_in(directory: Path) -> Path:
    """Return a name for something unfinished in a directory, as no other process or call chooses it."""
    return directory / f"{TEMPORARY}{os.getpid()}-{secrets.token_hex(4)}"


def read_file(path: Path, limit: int) -> bytes:
    """Return all bytes of a file, which must be one and hold no more than `limit` of them."""
    # Asked first, because opening a pipe would wait for ever.
    if not path.is_file():
        raise ValueError("is missing" if not os.path.lexists(path) else "is not a file")
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size > limit:
            raise ValueError(f"has {size} bytes and at most {limit} were expected")
        return file.read()


def write_new(path: Path, data: bytes) -> None:
    """Write a file that is not there yet, and flush it."""
    with open(path, "xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def sync_directory(directory: Path) -> None:
    """Make renames in a directory survive a power cut."""
    if os.name == "nt":  # Windows opens no directories, and has no such call.
        return
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def delete(path: Path) -> None:
    """Delete a file, a link or a whole directory."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def explain(error: OSError) -> str:
    """Say what the disk had against it, and what would help."""
    return f"{error.strerror or error}; {_REMEDIES.get(error.errno or 0, 'check the disk')}."
