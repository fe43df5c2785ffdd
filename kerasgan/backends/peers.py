"""The other processes of a run, whatever engine connects them: what is said of them, and how to end without them."""

import atexit
import contextlib
import os
import sys

_exit_status: int | None = None


class PeerLost(RuntimeError):
    """Another process of the run is gone, or failed, so that this one cannot go on; one line with the remedy."""

    def __init__(self, processes: int, reason: str) -> None:
        which = "the other of the 2 processes" if processes == 2 else f"one of the {processes} processes"
        super().__init__(
            f"{which} of this run has failed or is gone ({' '.join(reason.split())[:200]}); see what it said, and "
            "start all of them again with resume (resume=True, --resume)."
        )


def abandon(status: int = 1) -> None:
    """End this process with `status` when it ends, without waiting for the others, as the engines would for minutes.

    They notice at their next step. Of a process that has joined no others nothing changes.
    """
    global _exit_status
    _exit_status = status


def may_abandon() -> None:
    """Let `abandon` take effect: to be called as a process has joined the others.

    After what others register from now on, and before what the engine has registered, which would wait for everybody.
    """
    atexit.register(_leave)


def _leave() -> None:
    if _exit_status is not None:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError, AttributeError):
                stream.flush()
        os._exit(_exit_status)
