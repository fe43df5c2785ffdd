"""Several processes on JAX, by `jax.distributed`: how they meet, talk, and take note of one that is gone."""

import contextlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils

from kerasgan.backends import relay, rendezvous
from kerasgan.backends.peers import PeerLost, may_abandon

HEARTBEAT_SECONDS = 40  # After so long without a sign of life JAX gives a machine up, and ends the processes of all.
# Who sets these: JAX's own guides and job sets; Keras's `keras.distribution.initialize`.
_VARIABLES = {
    "coordinator": ("JAX_COORDINATOR_ADDRESS", "KERAS_DISTRIBUTION_JOB_ADDRESSES"),
    "num_processes": ("JAX_NUM_PROCESSES", "KERAS_DISTRIBUTION_NUM_PROCESSES"),
    "process_id": ("JAX_PROCESS_ID", "KERAS_DISTRIBUTION_PROCESS_ID"),
}
# What the errors say in which a lost peer shows. The transports are gloo on CPUs, NCCL on GPUs.
_SIGNS = ("gloo", "nccl", "connection reset", "connection closed", "socket closed", "coordination service", "heartbeat")
_SHORT = 60  # Bytes of a message that goes without a second round.

_relays: list[subprocess.Popen[str]] = []

_Place = tuple[str | None, int | None, int | None, dict[str, Any]]  # coordinator, processes, process, options


def process_index() -> int:
    """Return the number of this process in the run, from 0."""
    return jax.process_index() if jax.distributed.is_initialized() else 0


def process_count() -> int:
    """Return how many processes train together."""
    return jax.process_count() if jax.distributed.is_initialized() else 1


def connect(
    coordinator: str | None = None,
    num_processes: int | None = None,
    process_id: int | None = None,
    timeout_seconds: int = 300,
) -> None:
    """Join the other processes of a run, before anything else touches a device; collective.

    Args:
        coordinator: `HOST:PORT` of process 0, which will listen there. All three None: what the environment says,
            which is `JAX_COORDINATOR_ADDRESS`, `JAX_NUM_PROCESSES` and `JAX_PROCESS_ID`, or what Slurm has set; or
            Open MPI, Kubernetes or a TPU, as `jax.distributed.initialize` reads it.
        num_processes: How many processes there are.
        process_id: Which one this is, from 0.
        timeout_seconds: How long to wait for the others.

    Raises:
        ValueError: An argument is malformed, or this comes too late.
        ConnectionError: The others did not come in time.
    """
    if jax.distributed.is_initialized():
        raise ValueError("connect() was called before; once is enough, at the start of the program.")
    address, options = coordinator, dict[str, Any]()
    if coordinator is None:
        coordinator, num_processes, process_id, options = _of_environment()
        address = coordinator
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    # It would take SIGTERM away from Python, to do what `Trainer` does.
    jax.config.update("jax_enable_preemption_service", False)
    # Process 0 listens itself, and whatever else the environment has named is found by JAX.
    if coordinator is not None and num_processes is not None and process_id is not None:
        rendezvous.meet(coordinator, num_processes, process_id, "", timeout_seconds)
        options["cluster_detection_method"] = "deactivate"
        if process_id == 0:
            host, port = rendezvous.bind_address(coordinator)
            options["coordinator_bind_address"] = coordinator if host else f"[::]:{port}"
        else:
            address = f"127.0.0.1:{_start_relay(coordinator)}"
    try:
        jax.distributed.initialize(
            address,
            num_processes,
            process_id,
            initialization_timeout=timeout_seconds,
            heartbeat_timeout_seconds=HEARTBEAT_SECONDS,
            **options,
        )
    except (RuntimeError, ValueError, OSError) as error:
        raise _not_connected(error, coordinator, timeout_seconds) from error
    may_abandon()
    with _gloo_withheld():
        exchange(b"")


def _of_environment() -> _Place:
    """Return what the environment says of this process, and further options of JAX for it."""
    found = {
        name: next((os.environ[variable] for variable in variables if os.environ.get(variable)), None)
        for name, variables in _VARIABLES.items()
    }
    if None in found.values():
        return _of_slurm()
    numbers = [found["num_processes"], found["process_id"]]
    try:
        total, own = (int(str(number)) for number in numbers)
    except ValueError:
        raise ValueError(
            f"the environment has {numbers} for the processes; set JAX_NUM_PROCESSES and such to whole numbers."
        ) from None
    return str(found["coordinator"]).split(",")[0], total, own, {}


def _of_slurm() -> _Place:
    """Return what Slurm says, as JAX's own detection does: the first node, and a port that depends on the job."""
    job, nodes, total, own = (
        os.environ.get(f"SLURM_{name}", "") for name in ("JOB_ID", "STEP_NODELIST", "NTASKS", "PROCID")
    )
    first = re.match(r"([^\[,]+)(?:\[(\d+))?", nodes)  # of `node7`, `node7,node9` or `node[007-012,15]`
    if first is None or not (job.isdecimal() and total.isdecimal() and own.isdecimal()):
        return None, None, None, {}
    port = os.environ.get("JAX_COORDINATOR_PORT") or int(job) % 2**12 + 2**16 - 2**12
    # A GPU for each process of a node, as JAX has it.
    local = {"local_device_ids": int(os.environ["SLURM_LOCALID"])} if "SLURM_LOCALID" in os.environ else {}
    return f"{first[1]}{first[2] or ''}:{port}", int(total), int(own), local


def _start_relay(coordinator: str) -> int:
    """Start a program that holds the line to the coordinator, and return the port it listens on."""
    host, port = rendezvous.address_of(coordinator)
    # Isolated: nothing of the environment or the user's directories is imported.
    command = [sys.executable, "-I", "-S", str(Path(relay.__file__)), host, str(port)]
    program = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    _relays.append(program)  # Its standard input, which ends with this process, must not end before.
    return int(program.stdout.readline()) if program.stdout else 0


def _not_connected(error: Exception, coordinator: str | None, timeout_seconds: int) -> Exception:
    """Return the error that says in one line why the processes have not found each other."""
    reason = " ".join(str(error).split())
    if "before any JAX calls" in reason:
        return ValueError("connect() comes too late: devices are in use already; call it before anything else.")
    if coordinator is None:
        return ValueError(
            f"the environment says nothing of other processes that JAX understands ({reason[:200]}); give coordinator, "
            "num_processes and process_id (--coordinator, --num-processes, --process-id)."
        )
    return ConnectionError(
        f"the processes have not found each other at {coordinator} within {timeout_seconds} s ({reason[:200]}); start "
        "all of them, and give an address of process 0 with a port that is free."
    )


@contextlib.contextmanager
def _gloo_withheld() -> Iterator[None]:
    """Keep off the standard output what gloo says there as it connects."""
    sys.stdout.flush()
    stdout, nowhere = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    try:
        yield
    finally:
        os.dup2(stdout, 1)
        os.close(stdout)
        os.close(nowhere)


def exchange(message: bytes) -> list[bytes]:
    """Return one message of every process, in the order of their numbers; collective. They may differ in length."""
    if process_count() == 1:
        return [message]
    with peer_errors():
        first = _gathered(len(message).to_bytes(8, "big") + message, 8 + _SHORT)
        lengths = [int.from_bytes(row[:8], "big") for row in first]
        if max(lengths) > _SHORT:
            return [row[:length] for row, length in zip(_gathered(message, max(lengths)), lengths, strict=True)]
        return [row[8 : 8 + length] for row, length in zip(first, lengths, strict=True)]


def _gathered(message: bytes, size: int) -> list[bytes]:
    padded = np.frombuffer(message[:size].ljust(size, b"\0"), np.uint8)
    return [row.tobytes() for row in np.asarray(multihost_utils.process_allgather(padded))]


@contextlib.contextmanager
def peer_errors() -> Iterator[None]:
    """Raise `PeerLost` for an error in which a lost process shows."""
    try:
        yield
    except Exception as error:
        if process_count() > 1 and not isinstance(error, PeerLost) and _is_of_a_peer(error):
            # What comes before is the file and line of the transport.
            raise PeerLost(process_count(), str(error).rsplit(".cc:", 1)[-1].split("] ", 1)[-1]) from error
        raise


def _is_of_a_peer(error: BaseException) -> bool:
    # JAX has no class for them: gloo's come as a ValueError or a RuntimeError, after a status such as "UNKNOWN: ".
    text = str(error)
    return re.match("[A-Z_]+: ", text) is not None and any(sign in text.lower() for sign in _SIGNS)
