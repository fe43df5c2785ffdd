"""Random masks that cost little more than the pass over memory that applies them."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from keras import ops


def dropout(inputs: Any, rate: float, noise_shape: Sequence[int | None] | None, seed: Any) -> Any:
    """`keras.random.dropout` with other random bits: a hash of each element's position and the seed.

    JAX's own bits (threefry) are cryptographically strong and take a CPU as long as a convolution; these are computed
    in the loop that applies them. Equal seeds give equal masks, however many devices share the batch.

    Args:
        inputs: Tensor of floats.
        rate: Share of elements that become zero, in [0, 1].
        noise_shape: Shape of the mask, broadcast against that of the inputs, None for the size of an axis; if None, the
            shape of the inputs.
        seed: A `keras.random.SeedGenerator`, which moves on by one draw.

    Returns:
        `inputs / (1 - rate)` where the mask keeps, else 0.

    Reference:
        Jarzynski and Olano, Hash Functions for GPU Rendering (JCGT 2020), the function pcg.
    """
    inputs = ops.convert_to_tensor(inputs)
    if rate >= 1:
        return ops.zeros_like(inputs)
    sizes = noise_shape or (None,) * inputs.ndim
    shape = tuple(inputs.shape[axis] if size is None else size for axis, size in enumerate(sizes))
    first, second = ops.unstack(ops.cast(seed.next(), "uint32"), 2)
    # The first seed alone would only shift one sequence; the second one mixes it anew at each draw.
    bits = _pcg(_pcg(_positions(shape) + first) ^ second)
    # Of 2**32 equally likely values: the share is right to the last bit of a float32.
    kept = bits >= jnp.uint32(round(rate * 2**32))
    return ops.where(kept, inputs / (1 - rate), ops.zeros_like(inputs))


def _positions(shape: tuple[Any, ...]) -> Any:
    """Number the elements, modulo 2**32."""
    number, stride = jnp.uint32(0), 1
    for axis in reversed(range(len(shape))):
        number = number + jax.lax.broadcasted_iota("uint32", shape, axis) * jnp.uint32(stride % 2**32)
        stride = stride * shape[axis]
    return number


def _pcg(number: Any) -> Any:
    state = number * jnp.uint32(747796405) + jnp.uint32(2891336453)
    word = ((state >> ((state >> 28) + 4)) ^ state) * jnp.uint32(277803737)
    return (word >> 22) ^ word
