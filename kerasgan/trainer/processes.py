"""Several processes that train one module together: how they meet, who writes, and how they end."""

import contextlib
import functools
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn, ParamSpec, TypeVar

from kerasgan import backends
from kerasgan.backends.rendezvous import address_of
from kerasgan.trainer.run_directory import RunDirectory
from kerasgan.trainer.signals import Interrupted

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


def connect(
    coordinator: str | None = None,
    num_processes: int | None = None,
    process_id: int | None = None,
    *,
    timeout_seconds: int = 300,
) -> None:
    """Join the other processes of a run; call this before anything else, in every process.

    A `Trainer` made afterwards trains one module in all of them: each computes its part of every batch. Process 0
    writes the run directory, and all read it to resume.

    Args:
        coordinator: `HOST:PORT` of the machine of process 0, which listens there. With all three None the environment
            says it: `JAX_COORDINATOR_ADDRESS`, `JAX_NUM_PROCESSES` and `JAX_PROCESS_ID`, or what Slurm, Open MPI and
            Kubernetes set, on JAX; `TF_CONFIG` on TensorFlow.
        num_processes: How many processes there are.
        process_id: Which one this is, from 0.
        timeout_seconds: How long to wait for the others.

    Raises:
        ValueError: An argument is malformed, two processes have one number, or devices are in use already.
        ConnectionError: The others did not come in time.

    Example:
        >>> kg.connect("10.0.0.1:23456", num_processes=2, process_id=0)  # and with process_id=1 on the other machine
        >>> trainer = kg.Trainer("runs/mnist", max_epochs=50)
    """
    given = {"coordinator": coordinator, "num_processes": num_processes, "process_id": process_id}
    missing = [name for name, value in given.items() if value is None]
    if 0 < len(missing) < len(given):
        raise ValueError(f"{', '.join(missing)} is missing; give coordinator, num_processes and process_id together.")
    if coordinator is not None and num_processes is not None and process_id is not None:
        address_of(coordinator)
        if num_processes < 1:
            raise ValueError(f"num_processes is {num_processes}; there is at least 1.")
        if not 0 <= process_id < num_processes:
            raise ValueError(
                f"process_id is {process_id}; of {num_processes} processes the last is {num_processes - 1}."
            )
    backends.connect(coordinator, num_processes, process_id, timeout_seconds)
    sys.excepthook = functools.partial(_abandoning, sys.excepthook)


def _abandoning(show: Callable[..., Any], *exception: Any) -> None:
    """Show an exception that ends this process, and let it end without waiting for the others."""
    backends.abandon()
    show(*exception)


def leave(status: int) -> NoReturn:
    """Exit with `status`, as `sys.exit`; if it is no success, without waiting for the other processes."""
    if status:
        backends.abandon(status)
    sys.exit(status)


def is_first() -> bool:
    """Whether this process writes: the only one, or number 0 of several."""
    return backends.process_index() == 0


@contextlib.contextmanager
def open_run(run_dir: Path, *, resume: bool, rehearsal: bool) -> Iterator[tuple[RunDirectory, RunDirectory]]:
    """Open a run for the time of a `with` block; that of a rehearsal is another, which is deleted afterwards.

    Yields:
        The run, to read from, and what this process may write into. For all but the first that is a directory which is
        deleted afterwards: they run the very same callbacks, since a network that is asked for images takes all of
        them, and one writes.
    """
    run = RunDirectory(run_dir)
    if is_first() and not rehearsal:
        with run.opened(resume):
            yield run, run
        return
    with tempfile.TemporaryDirectory(prefix="kerasgan-dev-run-" if rehearsal else "kerasgan-process-") as directory:
        own = RunDirectory(Path(directory) / "run")
        with own.opened(resume=False):
            yield own if is_first() else run, own


def together(function: Callable[_Arguments, _Result]) -> Callable[_Arguments, _Result]:
    """Wrap what all processes do together, such as the main function of a program.

    One of them prints. If one fails no one waits for another: it ends at once when it ends, and the others, which would
    wait for it in the middle of a step, raise `PeerLost`. Of a single process nothing changes.

    Args:
        function: Any; `Trainer.fit` and its like are wrapped already.

    Raises:
        PeerLost: Another process is gone, or has failed.

    Example:
        >>> kg.connect("10.0.0.1:23456", num_processes=2, process_id=0)
        >>> kg.together(main)()
    """

    @functools.wraps(function)
    def wrapped(*arguments: _Arguments.args, **options: _Arguments.kwargs) -> _Result:
        if backends.process_count() == 1:
            return function(*arguments, **options)
        try:
            with _silence(), backends.peer_errors():
                return function(*arguments, **options)
        except Interrupted:
            raise  # All of them stop.
        except BaseException:
            backends.abandon()
            raise

    return wrapped


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Let only the first process print."""
    if is_first():
        yield
        return
    with open(os.devnull, "w", encoding="utf-8") as nowhere, contextlib.redirect_stdout(nowhere):
        yield
