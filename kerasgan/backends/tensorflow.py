"""The TensorFlow engine: variables change in place, and tapes record what is to be differentiated.

Each function is documented where it differs from its namesake in the JAX engine, `kerasgan/backends/jax.py`.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from kerasgan.backends.cores import cores_or


def run_step(step: Callable[[Any], Any], arguments: tuple[Any, ...], variables: Callable[[], Any]) -> Any:
    """Run `step(data)`; Keras's TensorFlow trainer passes the data alone and keeps no explicit state."""
    (data,) = arguments
    return step(data)


def keep_weights(function: Callable[..., Any], variables: Callable[[], Any]) -> Callable[..., Any]:
    """Return `function`: TensorFlow keeps the values on the variables, so a step that raises takes none away."""
    return function


def sync_variables(model: Any) -> None:
    """Do nothing: variables always hold their values."""


def player_gradients(
    forward: Callable[[], tuple[dict[str, Any], dict[str, Any]]], variables: dict[str, list[Any]]
) -> tuple[dict[str, Any], dict[str, list[Any]]]:
    """Run one forward pass under one persistent tape and differentiate each player's loss by its own variables."""
    with tf.GradientTape(persistent=True) as tape:
        scaled, losses = forward()
    gradients = {
        player: tape.gradient(
            scaled[player],
            [variable.value for variable in variables[player]],  # tf.Variables: zeros need their dtype objects
            # JAX knows no missing gradient, only zeros; the same variables must move on both engines.
            unconnected_gradients=tf.UnconnectedGradients.ZERO,
        )
        for player in scaled
    }
    return losses, gradients


def apply_gradients(optimizer: keras.optimizers.Optimizer, gradients: list[Any], variables: list[Any]) -> None:
    """Let `optimizer` take one step; `variables` are those it was built with."""
    optimizer.apply(gradients, variables)


def grad(function: Callable[[Any], Any], x: Any) -> Any:
    """See `kerasgan.grad`."""
    x = tf.convert_to_tensor(x)
    with tf.GradientTape() as tape, _moments_for_second_order():
        tape.watch(x)
        value = ops.sum(ops.cast(function(x), "float32"))
    return tape.gradient(value, x, unconnected_gradients=tf.UnconnectedGradients.ZERO)


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


def conv_transpose(inputs: Any, kernel: Any, **options: Any) -> Any:
    """`keras.ops.conv_transpose`: TensorFlow's own kernels are fast in both directions."""
    return ops.conv_transpose(inputs, kernel, **options)


def max_pool(inputs: Any, size: tuple[int, int]) -> Any:
    """`keras.ops.max_pool`: TensorFlow's own kernels are fast in both directions."""
    return ops.max_pool(inputs, size, strides=size, data_format="channels_last")


def make_deterministic() -> None:
    """Make equal runs give equal bits."""
    tf.config.experimental.enable_op_determinism()


def devices() -> list[str]:
    """Return the names of the devices that compute, such as `["cpu:0"]` or `["gpu:0", "gpu:1"]`."""
    physical = tf.config.list_physical_devices("GPU") or tf.config.list_physical_devices("CPU")
    return [f"{device.device_type.lower()}:{index}" for index, device in enumerate(physical)]


def engine_version() -> str:
    """Return the engine's name and version, such as `"tensorflow 2.21.0"`."""
    return f"tensorflow {tf.__version__}"


def threads() -> int:
    """Return how many threads one operation may use on a CPU; TensorFlow's 0 leaves it to the environment."""
    return tf.config.threading.get_intra_op_parallelism_threads() or cores_or("TF_NUM_INTRAOP_THREADS")
