"""Several devices and several processes on TensorFlow, by `tf.distribute` alone.

`jax_distribution` says what the names promise. What the replicas of a strategy do together within a step stands in
`tensorflow_replicas`.
"""

import contextlib
import functools
import os
import socket
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kerasgan.backends import rendezvous
from kerasgan.backends.peers import PeerLost, may_abandon
from kerasgan.backends.tensorflow_replicas import current_part, get_strategy

WORDS = ("auto", "data_parallel")
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


def distribute(wanted: Any) -> None:
    """See `jax_distribution.distribute`."""
    if wanted == "auto" and _of_all_processes is None and len(_devices()) == 1:
        wanted = None
    if isinstance(wanted, str) and wanted in WORDS:
        wanted = _of_all_processes or _mirrored()
    if wanted is not None and not isinstance(wanted, tf.distribute.Strategy):
        raise ValueError(
            f'distribution is {_kind(wanted)}; on TensorFlow choose "auto", "data_parallel" or a '
            "tf.distribute.Strategy."
        )
    if isinstance(wanted, tf.distribute.ParameterServerStrategy | tf.distribute.experimental.CentralStorageStrategy):
        raise ValueError(
            f"distribution is a {type(wanted).__name__}, whose devices do not hold all variables; choose a "
            "MirroredStrategy or a MultiWorkerMirroredStrategy."
        )
    if wanted is not None:
        wanted.reduce = functools.partial(_reduce, wanted)
        if _processes_of(wanted) > 1:
            wanted.experimental_distribute_dataset = functools.partial(_distribute_dataset, wanted)
            wanted.gather = functools.partial(_gather, wanted)
    try:
        tf.distribute.experimental_set_strategy(wanted)
    except RuntimeError as error:
        raise ValueError(
            "distribution cannot be set inside of `with strategy.scope()`; leave it out there, or make the Trainer "
            "outside."
        ) from error


def _kind(value: Any) -> str:
    if hasattr(value, "get_variable_layout"):
        return f"a keras.distribution {type(value).__name__}, of which Keras makes nothing on TensorFlow"
    return repr(value)


def _devices() -> list[str]:
    found = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    return [device.name for device in found]


@functools.cache  # A module that one trainer has trained, the next one of the same devices may go on with.
def _mirrored() -> tf.distribute.Strategy:
    # Said outright for CPUs, where TensorFlow would warn that it is not NCCL.
    reduction = None if tf.config.list_logical_devices("GPU") else tf.distribute.ReductionToOneDevice()
    return tf.distribute.MirroredStrategy(_devices(), cross_device_ops=reduction)


def _distribute_dataset(strategy: tf.distribute.Strategy, dataset: tf.data.Dataset, options: Any = None) -> Any:
    """Hand a data set of this process's parts to its devices, in as many parts again as there are of these."""
    local = strategy.num_replicas_in_sync // _processes_of(strategy)
    parts = dataset if local == 1 else dataset.flat_map(functools.partial(_parts, local))
    return strategy.distribute_datasets_from_function(lambda context: parts, options)


def _reduce(strategy: tf.distribute.Strategy, operation: Any, value: Any, axis: int | None = None) -> Any:
    """Reduce as the strategy does, but for two things that Keras asks for and strategies cannot do.

    Keras reduces a first batch for its shapes, in parts that may differ; and, in several processes, over an axis that
    they have not, the means that a step returns. Those are to be shown within an epoch, and would be a message between
    all processes each. This process's own do.
    """
    own = tf.nest.map_structure(lambda part: strategy.experimental_local_results(part)[0], value)
    rank = tf.nest.flatten(own)[0].shape.rank
    if operation == "MEAN" and (rank == 0 if axis == 0 else axis is None and rank != 0):
        return own
    return type(strategy).reduce(strategy, operation, value, axis)


def _gather(strategy: tf.distribute.Strategy, value: Any, axis: int) -> Any:
    """Gather from the devices of this process: it predicts by itself, and has all that it asks for.

    Keras gathers outputs, and then as int32 how many rows each device of all processes has of them.
    """
    own = tf.concat(strategy.experimental_local_results(value), axis=axis)
    local = strategy.num_replicas_in_sync // _processes_of(strategy)
    if own.dtype == tf.int32 and own.shape == (local,):
        return tf.pad(own, [[0, strategy.num_replicas_in_sync - local]])
    return own


def _parts(count: int, *batch: Any) -> tf.data.Dataset:
    """Divide a batch into `count` parts, which differ by one example at most."""
    batch = batch[0] if len(batch) == 1 else batch
    examples = tf.shape(tf.nest.flatten(batch)[0])[0]

    def part(number: Any) -> Any:
        number = tf.cast(number, "int32")
        first, end = number * examples // count, (number + 1) * examples // count
        return tf.nest.map_structure(lambda array: array[first:end], batch)

    return tf.data.Dataset.range(count).map(part)


def divide_batches(divides: bool) -> None:
    """Do nothing: parts may differ in size, so there is no batch that cannot be divided."""


def divides_unevenly() -> bool:
    """Whether parts of a batch may differ in size, or hold nothing."""
    return True


def distribution() -> Any:
    """Return the strategy in force, or None."""
    return get_strategy() if tf.distribute.has_strategy() else None


def replicas() -> int:
    """Return into how many parts the devices divide a batch; 1 without a strategy."""
    return int(get_strategy().num_replicas_in_sync)


def data_part() -> tuple[int, int]:
    """Return which part of every batch this process has to be fed, counted from 0, and into how many they go."""
    return (process_index(), process_count()) if _processes_of(get_strategy()) > 1 else (0, 1)


def built_outside(variables: Iterable[Any]) -> Any:
    """Return the first variable that was made before the strategy was set, or None."""
    strategy = distribution()
    if strategy is None:
        return None
    return next((v for v in variables if not strategy.extended.variable_created_in_scope(v.value)), None)


@contextlib.contextmanager
def undistributed() -> Iterator[None]:
    """Change nothing: what is built under a strategy can be read everywhere."""
    yield


def whole(variable: Any) -> Any:
    """Return the full value of a variable as an array; collective for running means, which are sums over all parts."""
    return keras.ops.convert_to_numpy(variable)


def global_draw(draw: Callable[[Any], Any], count: Any) -> Any:
    """See `jax_distribution.global_draw`; `keras.random` needs no help within a step."""
    part = current_part()
    return draw(count) if part is None else part.rows(draw, count)


def beside_batch(values: Any) -> Any:
    """See `jax_distribution.beside_batch`; a replica draws nothing but the rows of its own examples."""
    return values


def process_index() -> int:
    """Return the number of this process in the run, from 0."""
    resolver = _resolver()
    if resolver is None:
        return 0
    jobs = resolver.cluster_spec().as_dict()
    return int(resolver.task_id) + (len(jobs.get("chief", ())) if resolver.task_type == "worker" else 0)


def process_count() -> int:
    """Return how many processes train together."""
    return _processes_of(_of_all_processes or get_strategy())


def _resolver() -> Any:
    """Return what knows the processes, or None if there is only one."""
    strategy = _of_all_processes or get_strategy()
    return strategy.cluster_resolver if _processes_of(strategy) > 1 else None


def _processes_of(strategy: tf.distribute.Strategy) -> int:
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
    processes = _processes_of(strategy)
    if processes == 1:
        return [message]

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
