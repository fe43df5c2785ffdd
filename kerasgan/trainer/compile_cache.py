"""Where compiled steps are kept from one process to the next, so that the second need not compile."""

import os
import sys
import tempfile
from pathlib import Path

from kerasgan import backends
from kerasgan.trainer import presentation

VARIABLE = "KERASGAN_COMPILE_CACHE"


def use_compile_cache(choice: str | Path | bool | None) -> None:
    """Keep what is compiled from now on, and take from there what an earlier process has compiled.

    What lies in the directory is machine code that will be run: nobody else should be able to write there, and a
    directory made here is its owner's alone. It grows with every new network and shape, and may be deleted at any time.

    Args:
        choice: A directory; True for one in the user's cache; None for what `KERASGAN_COMPILE_CACHE` names, if it does;
            False for none.

    Raises:
        ValueError: The directory cannot be written.
    """
    place = os.environ.get(VARIABLE) if choice is None else choice
    if not place:
        return
    directory = (user_cache() if place is True else Path(place).expanduser()).absolute()
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=directory):
            pass
    except OSError as error:
        name = VARIABLE if choice is None else "compile_cache"
        raise ValueError(
            f"{name} is {directory}, which cannot be written ({error.strerror}); choose another directory or none."
        ) from error
    if note := backends.use_compile_cache(directory):
        presentation.warn(note)


def user_cache() -> Path:
    """Return the directory for compiled steps among the user's other caches, as the platform has it."""
    home = Path.home()
    if sys.platform == "darwin":
        caches = home / "Library" / "Caches"
    elif sys.platform == "win32":
        caches = Path(os.environ.get("LOCALAPPDATA", home / "AppData" / "Local"))
    else:
        given = Path(os.environ.get("XDG_CACHE_HOME", ""))
        caches = given if given.is_absolute() else home / ".cache"  # the convention has relative ones ignored
    return caches / "kerasgan" / "compiled"
