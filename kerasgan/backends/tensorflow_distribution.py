"""Several devices on TensorFlow, by `tf.distribute` alone.

`jax_distribution` says what the names promise. `tensorflow_processes` has what concerns several processes, and
`tensorflow_replicas` what the replicas of a strategy do together within a step.
"""

import contextlib
import functools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import keras
import tensorflow as tf
from tensorflow.python.data.ops import multi_device_iterator_ops

from kerasgan.backends.tensorflow_processes import of_all_processes, process_count, process_index, processes_of
from kerasgan.backends.tensorflow_replicas import current_part, get_strategy

WORDS = ("auto", "data_parallel")


def distribute(wanted: Any) -> None:
    """See `jax_distribution.distribute`."""
    if wanted == "auto" and of_all_processes() is None and len(_devices()) == 1:
        wanted = None
    if isinstance(wanted, str) and wanted in WORDS:
        wanted = of_all_processes() or _mirrored()
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
        _end_iterators_at_once()
        wanted.reduce = functools.partial(_reduce, wanted)
        wanted.experimental_distribute_dataset = functools.partial(_distribute_dataset, wanted)
        if processes_of(wanted) > 1:
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


@functools.cache
def _end_iterators_at_once() -> None:
    """Let the iterators that hand devices their batches end as soon as an epoch does.

    A thread looks whether they could be tuned, ever more seldom, up to once a minute. TensorFlow 2.21 ends it by waking
    it a moment before it sets the flag that the thread then looks at: most fall asleep again, and the next epoch waits.
    There is nothing to tune, but these data sets are made within an iterator, where no option of the caller's arrives.
    """
    stock = getattr(multi_device_iterator_ops, "_create_device_dataset", None)
    if stock is None:  # Another TensorFlow: test_what_hands_devices_their_batches_is_not_tuned fails, and users wait.
        return

    @functools.wraps(stock)
    def create(*arguments: Any, **options: Any) -> tf.data.Dataset:
        return _untuned(stock(*arguments, **options))

    multi_device_iterator_ops._create_device_dataset = create


def _untuned(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Have AUTOTUNE stand for TensorFlow's first guess, for good."""
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options)


def _distribute_dataset(strategy: tf.distribute.Strategy, dataset: tf.data.Dataset, options: Any = None) -> Any:
    """Hand a data set to the devices; one of this process's parts in as many parts again as there are of these."""
    dataset = _untuned(dataset)
    if processes_of(strategy) == 1:
        return type(strategy).experimental_distribute_dataset(strategy, dataset, options)
    local = strategy.num_replicas_in_sync // processes_of(strategy)
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
    local = strategy.num_replicas_in_sync // processes_of(strategy)
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
    return (process_index(), process_count()) if processes_of(get_strategy()) > 1 else (0, 1)


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
