"""The gradient with respect to the inputs, for penalties: R1, WGAN-GP, DRAGAN, saliency."""

from collections.abc import Callable
from typing import Any

import keras

from kerasgan import backends


def grad(function: Callable[[Any], Any], x: Any) -> Any:
    """Differentiate `sum(function(x))` with respect to `x`, anywhere, also inside a loss that is itself differentiated.

    `function` runs once and its pass counts like any other call: BatchNormalization inside it moves its
    averages if `training=True`, Dropout and every `SeedGenerator` advance, on both backends alike. Pass
    `training=False` where a penalty must leave the averages alone.

    Args:
        function: Takes a tensor shaped like `x`, returns a tensor of any shape. If each output depends on
            its own example only, row `i` of the result is the gradient of output `i`.
        x: Float tensor, usually `(batch, height, width, channels)`.

    Returns:
        Tensor shaped like `x`; zeros where the output does not depend on `x`. The sum is taken in float32, and
        where `x` is of half precision the gradient is float32 too: a penalty is a sum of its squares.

    Raises:
        TypeError: `x` is of an integer dtype.

    Example:
        >>> def r1_penalty(discriminator, images):
        ...     gradients = kg.grad(lambda x: discriminator(x, training=True), images)
        ...     return ops.mean(ops.sum(ops.square(gradients), axis=(1, 2, 3)))
    """
    x = keras.ops.convert_to_tensor(x)
    dtype = keras.backend.standardize_dtype(x.dtype)
    if "float" not in dtype:
        raise TypeError(f"kg.grad cannot differentiate by x of dtype {dtype}; cast it to float32 first.")
    return backends.grad(function, not_half(x))


def not_half(values: Any) -> Any:
    """Cast to float32 what is of half precision, of which sums lose their last terms and TensorFlow mixes no other."""
    half = keras.backend.standardize_dtype(values.dtype) in ("float16", "bfloat16")
    return keras.ops.cast(values, "float32") if half else values
