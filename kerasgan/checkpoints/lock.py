"""One writer to a directory: a lock that the kernel takes back when its holder dies, however it dies."""

import errno
import os
import re
import socket
import warnings
from contextlib import suppress
from pathlib import Path

from kerasgan.checkpoints.files import explain

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

LOCK = ".lock"

# What file systems without locks answer: some mounts of NFS and Lustre, some network drives.
_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EINVAL}
_held: dict[Path, "DirectoryLock"] = {}


class DirectoryInUse(ValueError):
    """Another process writes into the directory; one line that names it and the remedy."""


class DirectoryLock:
    """Keeps a directory to one writer, by `flock` on a file `.lock` in it; any number may read meanwhile.

    The lock ends with its holder, killed or not. A `.lock` that a kill left behind locks nothing. Where there are no
    such locks (Windows, some network file systems) `acquire` warns, and nothing keeps a second writer out.

    Args:
        directory: What to lock.

    Example:
        >>> lock = DirectoryLock("runs/mnist/checkpoints")
        >>> lock.acquire()
        >>> lock.release()
    """

    def __init__(self, directory: str | os.PathLike[str]) -> None:
        self.directory = Path(directory)
        self.file = self.directory / LOCK
        self._descriptor: int | None = None
        self._place = self.directory

    def acquire(self, *, take_over: bool = False) -> None:
        """Take the lock, at once or not at all; the directory must exist.

        Args:
            take_over: Release it first where this very process holds it: a fit that raised may have left it behind.

        Raises:
            DirectoryInUse: Another process holds it.
            OSError: The disk refused; it names the directory and what would help.
        """
        if self._descriptor is not None:
            return
        if fcntl is None:
            self._do_without("Windows has no flock")
            return
        # Absolute now: a holder that changes its working directory must still find its own.
        self._place = self.directory.resolve()
        if take_over and self._place in _held:
            _held[self._place].release()
        while True:
            try:
                # Not inherited by what is started by exec. And no link: what it points to is not ours to write.
                descriptor = os.open(self.file, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
            except OSError as error:
                raise OSError(error.errno, f"not locked: {explain(error)}", str(self.directory)) from error
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                holder = _holder(descriptor)
                os.close(descriptor)
                raise DirectoryInUse(
                    f"{self.directory} is in use by {holder}; wait until that has ended, or choose another directory."
                ) from None
            except OSError as error:
                os.close(descriptor)
                if error.errno not in _NO_LOCKS:
                    raise OSError(error.errno, f"not locked: {explain(error)}", str(self.directory)) from error
                with suppress(OSError):
                    self.file.unlink()
                self._do_without(f"its file system says {error.strerror!r}")
                return
            if _is_named(descriptor, self.file):
                break
            os.close(descriptor)  # Its last holder deleted it between our two calls.
        self._descriptor = descriptor
        _held[self._place] = self
        # Only to name us to others: a full disk does not matter here.
        with suppress(OSError):
            os.ftruncate(descriptor, 0)
            os.write(descriptor, f"{os.getpid()} {socket.gethostname()}\n".encode())

    def release(self) -> None:
        """Give the lock back, and leave no trace of it; may be called twice."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is None:
            return
        if _held.get(self._place) is self:
            del _held[self._place]
        # Deleted while it is still locked, so that nobody can hold a lock on a file that has lost its name. If the
        # directory was removed and made anew, what lies there now is another's.
        file = self._place / LOCK
        with suppress(OSError):
            if _is_named(descriptor, file):
                file.unlink()
        os.close(descriptor)

    def _do_without(self, reason: str) -> None:
        warnings.warn(
            f"{self.directory} cannot be locked ({reason}), so nothing keeps a second training out of it: never start "
            "two in one directory.",
            stacklevel=3,
        )


def _is_named(descriptor: int, file: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(file, follow_symlinks=False))
    except FileNotFoundError:
        return False


def _holder(descriptor: int) -> str:
    with suppress(OSError, OverflowError):
        if found := re.fullmatch(rb"(\d+) ([\w.-]+)\n", os.pread(descriptor, 300, 0)):
            process, host = int(found[1]), found[2].decode()
            if host != socket.gethostname():
                return f"process {process} on {host}"
            with suppress(PermissionError):  # It is there, and another user's.
                os.kill(process, 0)  # Raises if a killed holder is named: the new one has not written its name yet.
            return f"process {process}"
    return "another process"


def _let_go_in_child() -> None:
    """Close what a fork has copied: a worker that outlives a killed trainer must not keep its lock."""
    for lock in _held.values():
        if lock._descriptor is not None:
            os.close(lock._descriptor)
            lock._descriptor = None
    _held.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go_in_child)
