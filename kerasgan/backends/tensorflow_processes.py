"""Several processes on TensorFlow, by `tf.distribute`: how they meet, talk, and take note of one that is gone."""

import contextlib
import functools
import os
import socket
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from kerasgan.backends import rendezvous
from kerasgan.backends.peers import PeerLost, may_abandon
from kerasgan.backends.tensorflow_replicas import get_strategy

# What errors say in which a lost peer shows.
_SIGNS = (
    "collective ops is aborted",
    "error received from peer",
    "connect to all addresses",
    "connection reset",
    "broken pipe",
    "socket closed",
    "heartbeat",
)

_of_all_processes: tf.distribute.Strategy | None = None  # made by `connect`, before anything touches a device


def of_all_processes() -> tf.distribute.Strategy | None:
    """Return the strategy that `connect` has made, or None."""
    return _of_all_processes


def process_index() -> int:
    """Return the number of this process in the run, from 0."""
    resolver = _resolver()
    if resolver is None:
        return 0
    jobs = resolver.cluster_spec().as_dict()
    return int(resolver.task_id) + (len(jobs.get("chief", ())) if resolver.task_type == "worker" else 0)


def process_count() -> int:
    """Return how many processes train together."""
    return processes_of(_of_all_processes or get_strategy())


def _resolver() -> Any:
    """Return what knows the processes, or None if there is only one."""
    strategy = _of_all_processes or get_strategy()
    return strategy.cluster_resolver if processes_of(strategy) > 1 else None


def processes_of(strategy: tf.distribute.Strategy) -> int:
    """Return how many processes a strategy trains in."""
    resolver = strategy.cluster_resolver
    if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy) or resolver is None:
        return 1
    jobs = resolver.cluster_spec().as_dict()
    return max(1, sum(len(jobs.get(job, ())) for job in ("chief", "worker")))


def connect(
    coordinator: str | None = None,
    num_processes: int | None = None,
    process_id: int | None = None,
    timeout_seconds: int = 300,
) -> None:
    """Join the other processes of a run, before anything else touches a device; collective.

    TensorFlow wants every process to know the addresses of all. Each takes a port that is free, and they tell each
    other at the coordinator's.

    Args:
        coordinator: `HOST:PORT` of process 0, which will listen there for a moment. All three None: what the
            environment says, which is `TF_CONFIG` or what Slurm has set, as `tf.distribute.cluster_resolver` reads it.
        num_processes: How many processes there are.
        process_id: Which one this is, from 0.
        timeout_seconds: How long to wait for the others.

    Raises:
        ValueError: An argument is malformed, or this comes too late.
        ConnectionError: The others did not come in time.
    """
    global _of_all_processes
    if _of_all_processes is not None:
        raise ValueError("connect() was called before; once is enough, at the start of the program.")
    if coordinator is None or num_processes is None or process_id is None:
        resolver = _of_environment()
    else:
        message = f"{_own_host(coordinator)}:{_free_port()}"
        addresses = rendezvous.meet(coordinator, num_processes, process_id, message, timeout_seconds)
        resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
            tf.train.ClusterSpec({"worker": addresses}), task_type="worker", task_id=process_id, rpc_layer="grpc"
        )
    try:
        _of_all_processes = tf.distribute.MultiWorkerMirroredStrategy(resolver)
    except (RuntimeError, ValueError) as error:
        if "program startup" not in str(error) and "initialized" not in str(error):
            raise
        raise ValueError(
            "connect() comes too late: devices are in use already; call it before anything else."
        ) from error
    may_abandon()


def _of_environment() -> Any:
    resolvers = tf.distribute.cluster_resolver
    if os.environ.get("TF_CONFIG"):
        return resolvers.TFConfigClusterResolver()
    if os.environ.get("SLURM_PROCID"):
        return resolvers.SlurmClusterResolver()
    raise ValueError(
        "the environment says nothing of other processes that TensorFlow understands, neither TF_CONFIG nor Slurm's "
        "variables; give coordinator, num_processes and process_id (--coordinator, --num-processes, --process-id)."
    )


def _own_host(coordinator: str) -> str:
    """Return the address under which the machine of the coordinator sees this one."""
    host, port = rendezvous.address_of(coordinator)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:  # It sends nothing.
        try:
            probe.connect((host, port))
        except OSError as error:
            raise ConnectionError(
                f"there is no way to the coordinator at {coordinator} ({error.strerror or error}); give HOST:PORT of "
                "process 0 as this machine knows it."
            ) from error
        own = str(probe.getsockname()[0])
    return f"[{own}]" if ":" in own else own


def _free_port() -> int:
    with socket.create_server(("", 0)) as listener:
        return int(listener.getsockname()[1])


def exchange(message: bytes) -> list[bytes]:
    """Return one message of every process, in the order of their numbers; collective. They may differ in length."""
    strategy = _of_all_processes or get_strategy()
    processes = processes_of(strategy)
    if processes == 1:
        return [message]

    with peer_errors():
        gathered = _gathering(strategy)
        # Float: TensorFlow keeps whole numbers off a GPU. With a last zero, since none may be empty.
        sent = [np.frombuffer(message + b"\0", np.uint8).astype("float32"), np.array([len(message) + 1], "float32")]
        texts, lengths = (strategy.experimental_local_results(gathered(part))[0].numpy().astype(int) for part in sent)
        local = len(lengths) // processes  # devices of a process, each of which has sent the same
        return [bytes(text[:-1].tolist()) for text in np.split(texts, lengths.cumsum()[:-1])[::local]]


@functools.cache
def _gathering(strategy: tf.distribute.Strategy) -> Callable[[Any], Any]:
    """Return a program that puts the vectors of all devices one after the other."""

    @tf.function(autograph=False, input_signature=[tf.TensorSpec([None])])
    def gathered(vector: Any) -> Any:
        return strategy.run(lambda: tf.distribute.get_replica_context().all_gather(tf.identity(vector), axis=0))

    return gathered


@contextlib.contextmanager
def peer_errors() -> Iterator[None]:
    """Raise `PeerLost` for an error in which a lost process shows."""
    try:
        yield
    except tf.errors.OpError as error:
        # Before it says what happened TensorFlow lists where in the program, which may take pages.
        lines = [line for line in error.message.splitlines() if any(sign in line.lower() for sign in _SIGNS)]
        # A program that computes asks nobody but the other processes for anything: none else is unavailable.
        if isinstance(error, tf.errors.UnavailableError):
            lines = lines or [error.message]
        if process_count() > 1 and lines:
            raise PeerLost(process_count(), lines[-1]) from error
        raise
