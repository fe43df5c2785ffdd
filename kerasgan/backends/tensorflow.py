"""The TensorFlow engine: variables change in place, and tapes record what is to be differentiated.

Each function is documented where it differs from its namesake in the JAX engine, `kerasgan/backends/jax.py`.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import reduce
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf
from keras import ops
from tensorflow.python.ops import gen_math_ops

from kerasgan.backends.cores import cores_or, free_host_bytes
from kerasgan.backends.tensorflow_replicas import apply_together, current_part, take_step
from kerasgan.backends.unconnected import unconnected

# What TensorFlow does to plain graphs before it runs them, less what makes equal runs give different bits.
tf.config.optimizer.set_experimental_options(
    {
        # Drops the order of reading a variable and updating it, where a step updates its networks by turns: now and
        # then a gradient is taken of weights half of which are the next ones.
        "dependency_optimization": False,
        # Makes sums of three or more in one operation out of sums of two: see `_sums_in_order`.
        "arithmetic_optimization": False,
    }
)


_add_n = gen_math_ops.add_n
_users_of_order = 0  # how many `_sums_in_order` are open


def run_step(step: Callable[[Any], Any], arguments: tuple[Any, ...], variables: Callable[[], Any]) -> Any:
    """Run `step(data)`; Keras's TensorFlow trainer passes the data alone and keeps no explicit state."""
    (data,) = arguments
    return take_step(step, data, lambda: variables()[-1])


def program(
    step: Callable[[Any], Any], read: Callable[[Any, Any], Any], *, several: bool, jit_compile: bool
) -> Callable[..., Any]:
    """Compile the reading of a batch and a training step into one graph; `run(arrays, first, count)` returns logs."""

    @tf.function(autograph=False, jit_compile=jit_compile)
    def one(arrays: Any, first: Any, count: Any) -> Any:
        return step(read(arrays, first))

    # Compiled as a whole, or every turn would hand all variables to XLA and back.
    @tf.function(autograph=False, jit_compile=jit_compile)
    def many(arrays: Any, first: Any, count: Any) -> Any:
        logs = one.get_concrete_function(arrays, first, count).structured_outputs
        nothing = tf.nest.map_structure(lambda log: tf.zeros(log.shape, log.dtype), logs)
        _, logs = tf.while_loop(
            lambda index, _: index < first + count,
            lambda index, _: (index + 1, one(arrays, index, count)),  # traced already, by asking for its outputs
            (first, nothing),
        )
        return logs

    compiled = many if several else one
    return lambda arrays, first, count: compiled(arrays, tf.constant(first), tf.constant(count))


def state_of(groups: Any) -> tuple[()]:
    """Return no arguments: programs read and change the variables themselves."""
    return ()


def has_fast_convolutions() -> bool:
    """Whether convolutions run faster one by one than compiled by XLA: on a CPU they do."""
    return not tf.config.list_physical_devices("GPU")


def build_metrics(compute: Callable[[], Any]) -> None:
    """Create the variables that `compute` makes when it is called for the first time, by calling it."""
    compute()


def keep_weights(function: Callable[..., Any], variables: Callable[[], Any]) -> Callable[..., Any]:
    """Return `function`: TensorFlow keeps the values on the variables, so a step that raises takes none away."""
    return function


def sync_variables(model: Any) -> None:
    """Do nothing: variables always hold their values."""


def player_gradients(
    forward: Callable[[], tuple[dict[str, Any], dict[str, Any]]], variables: dict[str, list[Any]]
) -> tuple[dict[str, Any], dict[str, list[Any]]]:
    """Run one forward pass under one persistent tape and differentiate each player's loss by its own variables.

    Raises:
        ValueError: None of a player's variables was read for its loss.
    """
    part = current_part()
    with _sums_in_order():
        with tf.GradientTape(persistent=True) as tape:
            scaled, losses = forward()
            if part is not None:
                scaled = {player: part.weighed(loss) for player, loss in scaled.items()}
        # Of a replica the variables that the tape has watched are parts of those known here.
        read = None if part is not None else {id(variable) for variable in tape.watched_variables()}
        gradients = {}
        for player, loss in scaled.items():
            values = [variable.value for variable in variables[player]]  # tf.Variables: zeros need their dtype objects
            if values and read is not None and read.isdisjoint(map(id, values)):
                raise unconnected(player)
            # JAX knows no missing gradient, only zeros; the same variables must move on both engines.
            gradients[player] = tape.gradient(loss, values, unconnected_gradients=tf.UnconnectedGradients.ZERO)
        if part is not None:
            losses = {player: part.weighed(loss) for player, loss in losses.items()}
            losses, gradients = part.sums((losses, gradients))
    return losses, gradients


def apply_gradients(optimizer: keras.optimizers.Optimizer, gradients: list[Any], variables: list[Any]) -> None:
    """Let `optimizer` take one step; `variables` are those it was built with."""
    if current_part() is None:
        optimizer.apply(gradients, variables)
    else:
        apply_together(optimizer, gradients, variables)


def grad(function: Callable[[Any], Any], x: Any) -> Any:
    """See `kerasgan.grad`."""
    x = tf.convert_to_tensor(x)
    # Within a replica they are already: see `tensorflow_replicas`.
    moments = _moments_for_second_order() if current_part() is None else nullcontext()
    with tf.GradientTape() as tape, moments:
        tape.watch(x)
        value = ops.sum(ops.cast(function(x), "float32"))
    with _sums_in_order():
        return tape.gradient(value, x, unconnected_gradients=tf.UnconnectedGradients.ZERO)


def when(predicate: Any, function: Callable[[], Any]) -> Any:
    """See the JAX engine; here the function changes variables in place."""
    try:
        return tf.cond(predicate, function, lambda: tf.zeros(()))
    except RuntimeError as error:
        if current_part() is None or "merge_call" not in str(error):
            raise
        raise ValueError(
            "what is computed in some steps only looks at the whole batch, as DRAGAN and BatchNormalization do, for "
            "which the replicas of a strategy have to meet in every step; compute it in each (penalty_every=1)."
        ) from error


@contextmanager
def _sums_in_order() -> Iterator[None]:
    """Let gradients that meet in one place be added two by two, so that equal runs give equal bits.

    TensorFlow adds all of them in one AddN, which begins with the first one whose memory nothing else reads any
    longer. Of three or more, which one that is, and so the last bits, depends on the order of threads, on
    `deterministic=True` as well. Tapes offer no other place to mend it.
    """
    global _users_of_order
    # The replicas of a strategy come here by turns, each in a thread of its own.
    _users_of_order += 1
    gen_math_ops.add_n = _add_two_by_two
    try:
        yield
    finally:
        _users_of_order -= 1
        if _users_of_order == 0:
            gen_math_ops.add_n = _add_n


def _add_two_by_two(inputs: Any, name: Any = None) -> Any:
    return reduce(lambda total, term: _add_n([total, term]), inputs)


@contextmanager
def _moments_for_second_order() -> Iterator[None]:
    """Let `tf.nn.moments` be differentiable twice while a pass is traced whose gradient is differentiated again.

    TensorFlow's own detaches the mean in the variance. The first derivative does not see that, since the
    deviations from a mean sum to zero; the second comes out wrong, without a word, in every BatchNormalization
    and GroupNormalization of a gradient penalty. Keras offers no other place to mend it.
    """
    original = tf.nn.moments

    def moments(x: Any, axes: Any, shift: Any = None, keepdims: bool = False, name: Any = None) -> tuple[Any, Any]:
        mean = tf.reduce_mean(x, axes, keepdims=True)
        variance = tf.reduce_mean(tf.math.squared_difference(x, mean), axes, keepdims=keepdims)
        return (mean if keepdims else tf.squeeze(mean, axes)), variance

    tf.nn.moments = moments
    try:
        yield
    finally:
        tf.nn.moments = original


def conv(inputs: Any, kernel: Any, **options: Any) -> Any:
    """`keras.ops.conv`: TensorFlow's own kernels are fast in both directions."""
    return ops.conv(inputs, kernel, **options)


def conv_transpose(inputs: Any, kernel: Any, **options: Any) -> Any:
    """`keras.ops.conv_transpose`: TensorFlow's own kernels are fast in both directions."""
    return ops.conv_transpose(inputs, kernel, **options)


def dropout(inputs: Any, rate: float, noise_shape: Sequence[int | None] | None, seed: Any) -> Any:
    """`keras.random.dropout`: TensorFlow's own random bits are cheap."""
    return keras.random.dropout(inputs, rate, noise_shape=noise_shape, seed=seed)


def max_pool(inputs: Any, size: tuple[int, int]) -> Any:
    """`keras.ops.max_pool`: TensorFlow's own kernels are fast in both directions."""
    return ops.max_pool(inputs, size, strides=size, data_format="channels_last")


def make_deterministic() -> None:
    """Make equal runs give equal bits."""
    tf.config.experimental.enable_op_determinism()


def use_compile_cache(directory: Path) -> str:
    """Keep what XLA compiles in a directory; plain graphs, which TensorFlow traces in every process, cannot be kept.

    TensorFlow reads this flag when XLA compiles for the first time, which must be still to come.

    Returns:
        What that means to the user, in one line.
    """
    flag = f'--tf_xla_persistent_cache_directory="{directory}"'
    flags = os.environ.get("TF_XLA_FLAGS", "")
    if flag not in flags:
        os.environ["TF_XLA_FLAGS"] = f"{flags} {flag}".strip()
    return (
        "on tensorflow the compile cache serves only what XLA compiles, compile(jit_compile=True); plain graphs are "
        "traced anew in every process."
    )


def devices() -> list[str]:
    """Return the names of the devices that compute, such as `["cpu:0"]` or `["gpu:0", "gpu:1"]`."""
    physical = tf.config.list_physical_devices("GPU") or tf.config.list_physical_devices("CPU")
    return [f"{device.device_type.lower()}:{index}" for index, device in enumerate(physical)]


def free_bytes() -> int:
    """Return how much memory is free; TensorFlow tells how much of a GPU it has taken, but not how much there is."""
    gpus = tf.config.list_physical_devices("GPU")
    return 2**33 if gpus else free_host_bytes()


def start_trace(directory: Path) -> None:
    """Begin to record what the host and the devices do, for TensorBoard's profiler."""
    tf.profiler.experimental.start(str(directory))


def stop_trace() -> None:
    """Write what was recorded."""
    tf.profiler.experimental.stop()


def engine_version() -> str:
    """Return the engine's name and version, such as `"tensorflow 2.21.0"`."""
    return f"tensorflow {tf.__version__}"


def threads() -> int:
    """Return how many threads one operation may use on a CPU; TensorFlow's 0 leaves it to the environment."""
    return tf.config.threading.get_intra_op_parallelism_threads() or cores_or("TF_NUM_INTRAOP_THREADS")
