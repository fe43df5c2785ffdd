"""How the directory of a checkpoint takes its name and loses it, so that a kill at any moment tears nothing.

    checkpoints/step-000001234/            complete, or not there at all
    checkpoints/step-000001234.replaced/   its previous version, while a new one takes its place
    checkpoints/.tmp-...                   unfinished or being deleted; never read

A directory is written under a temporary name, flushed, and renamed. A directory cannot be renamed onto
another, so replacing a step takes three moves: the old one becomes `.replaced`, the new one takes the name,
`.replaced` goes. A crash after the first leaves only `.replaced`, which then stands for the step; a crash
after the second leaves both, and the plain name wins. Deleting renames to `.tmp-...` first. A kill at any
moment therefore leaves whole checkpoints, and temporaries for `collect_garbage`. One process owns (writes)
a store; any number may read it.
"""

import os
import re
from contextlib import suppress
from pathlib import Path

from kerasgan.checkpoints.files import TEMPORARY, delete, sync_directory, temporary_in

_STEP_NAME = re.compile(r"step-([0-9]{9,})(?:\.replaced)?")


def name_of(step: int) -> str:
    """Return the name of the directory of a step."""
    return f"step-{step:09d}"


def step_of(name: str) -> int | None:
    """Return the step that a directory stands for, under its plain name or as `.replaced`; None for any other."""
    match = _STEP_NAME.fullmatch(name)
    # `step-0000000001`, a zero too long, is nobody's: it would be a second name for step 1.
    return int(match[1]) if match and match[1] == f"{int(match[1]):09d}" else None


def replaced(path: Path) -> Path:
    """Return the name of a checkpoint's previous version."""
    return path.with_name(f"{path.name}.replaced")


def is_leftover(name: str) -> bool:
    """Tell whether only a kill, or a process still at work, leaves this name."""
    return name.startswith(TEMPORARY) or (name.endswith(".replaced") and step_of(name) is not None)


def move_in(temporary: Path, path: Path) -> None:
    """Give a finished directory its name, in the order described at the top of this file."""
    if os.path.lexists(path):
        discard(replaced(path))
        os.rename(path, replaced(path))
    try:
        os.rename(temporary, path)
    except BaseException:
        with suppress(OSError):
            os.rename(replaced(path), path)
        raise
    sync_directory(path.parent)
    # The new version is safe by now; a leftover is no reason to call the save failed.
    with suppress(OSError):
        discard(replaced(path))


def discard(path: Path) -> None:
    """Delete a checkpoint so that no half of it can pass for one; it need not exist."""
    if os.path.lexists(path):
        doomed = temporary_in(path.parent)
        os.rename(path, doomed)
        sync_directory(path.parent)
        delete(doomed)


def settle(leftover: Path) -> None:
    """Finish or undo the move that a kill cut short."""
    if leftover.name.startswith(TEMPORARY):
        delete(leftover)
    elif os.path.lexists(leftover.with_suffix("")):
        discard(leftover)
    else:
        os.rename(leftover, leftover.with_suffix(""))
        sync_directory(leftover.parent)
