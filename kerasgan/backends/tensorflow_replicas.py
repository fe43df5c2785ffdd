"""A step that several replicas take together, so that it is the step one device would have taken.

A strategy of TensorFlow's runs the step once on each device, in a *replica* with a part of the batch. What the step
means of the batch, it would get of the part. Nothing of a module has to know: for the time of a step

- losses and gradients become means over all parts, each weighed by its examples; parts may differ in size;
- statistics over the batch axis, those of BatchNormalization, are of all parts;
- random numbers are drawn for the whole batch, of which each replica takes its rows; what has no batch axis, or one of
  length 1, is the same everywhere. Masks of Dropout differ from replica to replica;
- Keras's losses stay what they are: it would divide them by the number of replicas.

TensorFlow and Keras offer no places for this, so functions of `tf` are replaced, once and for all. In a thread that is
not in a replica's step they do what they did.
"""

import functools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

# Whose first argument is a shape, beside which there may be parameters that are broadcast to it.
_DRAWS = ("stateless_normal", "stateless_truncated_normal", "stateless_uniform")

get_strategy = tf.distribute.get_strategy  # the real one, also within a step
_thread = threading.local()


@dataclass(frozen=True)
class Part:
    """What a replica has of a batch.

    Attributes:
        context: TensorFlow's.
        count: Examples of this part, an int32 scalar; perhaps none of a last small batch.
        first: Examples of the parts before it; 0 if it has none itself.
        total: Examples of the batch.
    """

    context: Any
    count: Any
    first: Any
    total: Any

    def weighed(self, value: Any) -> Any:
        """Return what a mean over this part is of the mean over the whole batch."""
        return value * tf.cast(self.count / self.total, value.dtype)

    def sums(self, values: Any) -> Any:
        """Return a structure of the sums over all parts; the same bits for all, and differentiable any number of times.

        What a replica differentiates is thereby the sum of what all of them do.
        """
        dense = [tf.convert_to_tensor(value) for value in keras.tree.flatten(values)]  # gradients of embeddings are not
        return keras.tree.pack_sequence_as(values, self.context.all_reduce(tf.distribute.ReduceOp.SUM, dense))

    def rows(self, draw: Callable[[Any], Any], count: Any) -> Any:
        """Return the rows that belong to this part of `draw(number)`, which makes those of the whole batch.

        Args:
            draw: Takes a number, returns so many rows; the same ones on all replicas.
            count: Rows of this part: its examples, or a multiple.
        """
        own = tf.maximum(self.count, 1)
        first = count * self.first // own
        return draw(count * self.total // own)[first : first + count]


def current_part() -> Part | None:
    """Return the part that this thread's step is about; None outside of a step, or where there is one replica only."""
    return getattr(_thread, "part", None)


def take_step(step: Callable[[Any], Any], data: Any, running_means: Callable[[], list[Any]]) -> Any:
    """Return `step(data)`, which is a step on a part of a batch if this is a replica among others.

    Args:
        step: Takes the data of a batch, returns the logs.
        data: Tensors, each with the examples along its first axis.
        running_means: Returns the variables of the metrics, of which each replica has its own.
    """
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return step(data)
    _replace_functions()
    own, replicas = context.replica_id_in_sync_group, context.num_replicas_in_sync
    count = tf.shape(next(leaf for leaf in tf.nest.flatten(data) if leaf is not None))[0]
    # Float: TensorFlow keeps int32 off a GPU.
    place = tf.one_hot(own, replicas) * tf.cast(count, "float32")
    counts = tf.cast(context.all_reduce(tf.distribute.ReduceOp.SUM, place), "int32")
    first = tf.where(count > 0, tf.cumsum(counts, exclusive=True)[own], 0)
    before = [(variable, tf.identity(variable.value)) for variable in running_means()]
    _thread.part = Part(context, count, first, tf.reduce_sum(counts))
    try:
        logs = step(tf.nest.map_structure(_not_empty, data))
    finally:
        _thread.part = None
    for variable, value in before:
        variable.assign(tf.where(count > 0, variable.value, value))
    return logs


def _not_empty(array: Any) -> Any:
    """Return an array with a row of zeros in place of none: TensorFlow's convolutions on a CPU fail at empty ones."""
    if array is None:
        return None

    def zeros() -> Any:
        return tf.zeros(tf.concat([[1], tf.shape(array)[1:]], axis=0), array.dtype)

    filled = tf.cond(tf.shape(array)[0] > 0, lambda: tf.identity(array), zeros)
    filled.set_shape([None, *array.shape[1:]])
    return filled


def apply_together(optimizer: keras.optimizers.Optimizer, gradients: list[Any], variables: list[Any]) -> None:
    """Let `optimizer` take one step for all replicas, with gradients that are the same on all of them.

    Outside of the replicas: within one, Keras would clip and accumulate what are parts of the gradients to it, and
    cannot accumulate at all.
    """

    def apply(strategy: Any, gradients: list[Any]) -> None:
        local = [strategy.experimental_local_results(gradient)[0] for gradient in gradients]
        with _optimizers_outside():
            optimizer.apply(local, variables)

    current = current_part()
    assert current is not None
    current.context.merge_call(apply, args=(gradients,))


@contextmanager
def _optimizers_outside() -> Iterator[None]:
    """Let Keras's optimizers be applied outside of replicas, where all they would do about replicas is done.

    There is one thread here at a time: the replicas wait.
    """
    internal = tf.__internal__.distribute
    replaced = [
        (tf.distribute, "in_cross_replica_context", lambda: False),  # LossScaleOptimizer refuses it
        (internal, "strategy_supports_no_merge_call", lambda: True),
        (internal.interim, "maybe_merge_call", lambda function, strategy, *values: function(strategy, *values)),
    ]
    originals = [(module, name, getattr(module, name)) for module, name, _ in replaced]
    for module, name, replacement in replaced:
        setattr(module, name, replacement)
    try:
        yield
    finally:
        for module, name, original in originals:
            setattr(module, name, original)


@functools.cache
def _replace_functions() -> None:
    tf.nn.moments = _moments_of_all(tf.nn.moments)
    tf.math.reduce_variance = _variance_of_all(tf.math.reduce_variance, root=False)
    tf.math.reduce_std = _variance_of_all(tf.math.reduce_std, root=True)
    for name in _DRAWS:
        setattr(tf.random, name, _drawn_for_all(getattr(tf.random, name)))
    dropout, categorical = tf.nn.experimental.stateless_dropout, tf.random.stateless_categorical
    tf.nn.experimental.stateless_dropout = _drawn_apart(dropout)
    tf.random.stateless_categorical = _drawn_apart(categorical)
    tf.random.stateless_gamma = _drawn_apart(tf.random.stateless_gamma)
    tf.random.stateless_binomial = _drawn_apart(tf.random.stateless_binomial)
    tf.distribute.get_strategy = lambda: get_strategy() if current_part() is None else _OneReplica(get_strategy())


class _OneReplica:
    """A strategy that says it has one replica, which is the number that Keras divides its losses by."""

    num_replicas_in_sync = 1

    def __init__(self, strategy: Any) -> None:
        self._strategy = strategy

    def __getattr__(self, name: str) -> Any:
        return getattr(self._strategy, name)


def _moments_of_all(original: Callable[..., Any]) -> Callable[..., Any]:
    def moments(x: Any, axes: Any, shift: Any = None, keepdims: bool = False, name: Any = None) -> tuple[Any, Any]:
        part = current_part()
        if part is None:
            return original(x, axes, shift=shift, keepdims=keepdims, name=name)
        # TensorFlow's own detaches the mean in the variance: see `_moments_for_second_order` in tensorflow.py.
        mean = tf.reduce_mean(x, axes, keepdims=True)
        over_batch = axes is None or any(axis in (0, -len(x.shape)) for axis in tf.nest.flatten(axes))
        if over_batch:
            mean = part.sums(part.weighed(mean))
        variance = tf.reduce_mean(tf.math.squared_difference(x, mean), axes, keepdims=keepdims)
        if over_batch:
            variance = part.sums(part.weighed(variance))
        return (mean if keepdims else tf.squeeze(mean, axes)), variance

    return moments


def _variance_of_all(original: Callable[..., Any], root: bool) -> Callable[..., Any]:
    def reduce(input_tensor: Any, axis: Any = None, keepdims: bool = False, name: Any = None) -> Any:
        if current_part() is None:
            return original(input_tensor, axis, keepdims=keepdims, name=name)
        _, variance = tf.nn.moments(input_tensor, axis, keepdims=keepdims)
        return tf.sqrt(variance) if root else variance

    return reduce


def _drawn_for_all(original: Callable[..., Any]) -> Callable[..., Any]:
    apart = _drawn_apart(original)

    def draw(*arguments: Any, **options: Any) -> Any:
        part = current_part()
        if part is None or arguments:  # Keras names all of them.
            return original(*arguments, **options)
        shape = options.pop("shape")
        static = tf.zeros(shape).shape
        if static.rank == 0 or static[0] == 1:
            return original(shape, **options)
        if any(len(getattr(option, "shape", ())) > 0 for name, option in options.items() if name != "seed"):
            return apart(shape, **options)
        shape = tf.convert_to_tensor(shape, "int32")

        def rows(count: Any) -> Any:
            return original(tf.concat([[count], shape[1:]], axis=0), **options)

        own = part.rows(rows, shape[0])
        own.set_shape(static)
        return own

    return draw


def _drawn_apart(original: Callable[..., Any]) -> Callable[..., Any]:
    """Fold the number of the replica into the seed, which is named in the call."""

    def draw(*arguments: Any, **options: Any) -> Any:
        part = current_part()
        if part is not None and "seed" in options:
            own = tf.cast(part.context.replica_id_in_sync_group, "int32")
            options["seed"] = tf.random.experimental.stateless_fold_in(options["seed"], own)
        return original(*arguments, **options)

    return draw
