"""Convolutions that XLA computes fast on a CPU: as products of spectra where these save work, else as XLA does.

A convolution F is linear in the input x and in the kernel k, so all its derivatives come from one trilinear form,
<g, F(x, k)>. It has three contractions: `_forward` leaves out g, `_input_gradient` x, `_kernel_gradient` k. The
derivatives of each are the other two, so each can be differentiated any number of times. A transposed convolution is
`_input_gradient`.
"""

import functools
from typing import Any

import jax
import keras
import numpy as np
from keras import ops

from kerasgan.backends.spectral import Axis, Plan


def conv(inputs: Any, kernel: Any, **options: Any) -> Any:
    """`keras.ops.conv` with the same values up to rounding, as products of spectra where that is faster.

    Args:
        inputs: Tensor `(batch, height, width, channels)` or channels first.
        kernel: Tensor `(kernel_height, kernel_width, channels, filters)`.
        options: As `keras.ops.conv` takes them.

    Returns:
        The convolution. Reverse-mode differentiable any number of times.
    """
    inputs, kernel = ops.convert_to_tensor(inputs), ops.convert_to_tensor(kernel)
    result = jax.eval_shape(lambda x, k: ops.conv(x, k, **options), inputs, kernel)
    if not _may_be_faster(inputs, kernel, options) or inputs.shape[3] != kernel.shape[2]:
        return ops.conv(inputs, kernel, **options)
    axes = []
    for size, taps, outputs, stride in zip(
        inputs.shape[1:3], kernel.shape[:2], result.shape[1:3], options["strides"], strict=True
    ):
        padding = max((outputs - 1) * stride + taps - size, 0) if options["padding"] == "same" else 0
        axes.append(Axis(size, taps, outputs, stride, padding // 2))
    plan = Plan(*axes)
    if not plan.saves(inputs.shape[0], *kernel.shape[2:]):
        return ops.conv(inputs, kernel, **options)
    return _in_float32(_forward, plan, inputs, kernel)


def conv_transpose(inputs: Any, kernel: Any, **options: Any) -> Any:
    """`keras.ops.conv_transpose` with the same values up to rounding and, on a CPU, a fast gradient by the kernel.

    Args:
        inputs: Tensor `(batch, height, width, channels)` or channels first.
        kernel: Tensor `(kernel_height, kernel_width, filters, channels)`.
        options: As `keras.ops.conv_transpose` takes them.

    Returns:
        The transposed convolution. Reverse-mode differentiable any number of times.
    """
    inputs, kernel = ops.convert_to_tensor(inputs), ops.convert_to_tensor(kernel)
    result = jax.eval_shape(lambda x, k: ops.conv_transpose(x, k, **options), inputs, kernel)
    if not _may_be_faster(inputs, kernel, options):
        return _transposed_pixels(inputs, kernel, options)
    axes = []
    for size, taps, outputs, stride, more in zip(
        inputs.shape[1:3], kernel.shape[:2], result.shape[1:3], options["strides"], _pair(options), strict=True
    ):
        # The convolution of which this is the transpose: `outputs` pixels to `size`.
        before = 0
        if options["padding"] == "same":
            # As Keras splits the padding of the dilated input.
            padding = stride + taps - 2 if more is None else taps + taps % 2 - 2 + more
            before = taps - 1 - min(padding // 2 + padding % 2, taps - 1)
        axes.append(Axis(outputs, taps, size, stride, before))
    plan = Plan(*axes)
    if not plan.saves(inputs.shape[0], *kernel.shape[2:]):
        return _transposed_pixels(inputs, kernel, options)
    return _in_float32(_input_gradient, plan, inputs, kernel)


def _may_be_faster(inputs: Any, kernel: Any, options: Any) -> bool:
    # Asked while tracing: a GPU has kernels of its own, which need no help.
    dilation = options.get("dilation_rate", 1)
    return (
        jax.default_backend() == "cpu"
        and options["data_format"] == "channels_last"
        and all(rate == 1 for rate in ([dilation] if isinstance(dilation, int) else dilation))
        and isinstance(inputs.shape[0], int)  # unknown in an export
        and min(inputs.shape) > 0
    )


def _pair(options: Any) -> tuple[int | None, int | None]:
    padding = options.get("output_padding")
    return padding if isinstance(padding, tuple) else (padding, padding)


def _in_float32(contraction: Any, plan: Plan, first: Any, kernel: Any) -> Any:
    # Shorter floats would be rounded once more in the spectrum; and float32 is fast enough with so few products.
    dtype = first.dtype
    if keras.backend.standardize_dtype(dtype) in ("bfloat16", "float16"):
        return contraction(plan, first.astype("float32"), kernel.astype("float32")).astype(dtype)
    return contraction(plan, first, kernel)


def _products(first: Any, second: Any, sides: tuple[int, int]) -> Any:
    """Contract `first` and `second`, point by point, over one side of each."""
    return jax.lax.dot_general(first, second, (((sides[0],), (sides[1],)), ((0,), (0,))))


# The transforms write out which axis lies where: XLA then finds plain matrix products, and copies once.
def _points_of_input(plan: Plan, x: Any) -> Any:
    (batch, _, _, channels), (down, across) = x.shape, plan
    high, wide, strides = down.blocks.inputs, across.blocks.inputs, (down.stride, across.stride)
    x = ops.pad(x, ((0, 0), (0, high * strides[0] - down.inputs), (0, wide * strides[1] - across.inputs), (0, 0)))
    x = ops.reshape(x, (batch, high, strides[0], wide, strides[1], channels))
    x = ops.reshape(ops.transpose(x, (1, 3, 0, 2, 4, 5)), (high * wide, -1))
    return ops.reshape(ops.matmul(_matrix(plan, 0, x), x), (plan.points, batch, -1))


def _input_of_points(plan: Plan, z: Any) -> Any:
    down, across = plan
    high, wide, strides = down.blocks.inputs, across.blocks.inputs, (down.stride, across.stride)
    batch, channels = z.shape[1], z.shape[2] // (strides[0] * strides[1])
    x = ops.matmul(ops.transpose(_matrix(plan, 0, z)), ops.reshape(z, (plan.points, -1)))
    x = ops.transpose(ops.reshape(x, (high, wide, batch, *strides, channels)), (2, 0, 3, 1, 4, 5))
    x = ops.reshape(x, (batch, high * strides[0], wide * strides[1], channels))
    return x[:, : down.inputs, : across.inputs]


def _points_of_kernel(plan: Plan, k: Any) -> Any:
    (_, _, channels, filters), (down, across) = k.shape, plan
    high, wide, strides = down.blocks.kernel, across.blocks.kernel, (down.stride, across.stride)
    edges = [(axis.shift, axis.blocks.kernel * axis.stride - axis.shift - axis.kernel) for axis in plan]
    k = ops.reshape(ops.pad(k, (*edges, (0, 0), (0, 0))), (high, strides[0], wide, strides[1], channels, filters))
    k = ops.reshape(ops.transpose(k, (0, 2, 1, 3, 4, 5)), (high * wide, -1))
    return ops.reshape(ops.matmul(_matrix(plan, 1, k), k), (plan.points, -1, filters))


def _kernel_of_points(plan: Plan, z: Any) -> Any:
    down, across = plan
    high, wide, strides = down.blocks.kernel, across.blocks.kernel, (down.stride, across.stride)
    channels, filters = z.shape[1] // (strides[0] * strides[1]), z.shape[2]
    k = ops.matmul(ops.transpose(_matrix(plan, 1, z)), ops.reshape(z, (plan.points, -1)))
    k = ops.transpose(ops.reshape(k, (high, wide, *strides, channels, filters)), (0, 2, 1, 3, 4, 5))
    k = ops.reshape(k, (high * strides[0], wide * strides[1], channels, filters))
    return k[down.shift : down.shift + down.kernel, across.shift : across.shift + across.kernel]


def _points_of_output(plan: Plan, g: Any) -> Any:
    batch, height, width, filters = g.shape
    g = ops.reshape(ops.transpose(g, (1, 2, 0, 3)), (height * width, -1))
    return ops.reshape(ops.matmul(_matrix(plan, 2, g), g), (plan.points, batch, filters))


def _output_of_points(plan: Plan, z: Any) -> Any:
    _, batch, filters = z.shape
    g = ops.matmul(ops.transpose(_matrix(plan, 2, z)), ops.reshape(z, (plan.points, -1)))
    return ops.transpose(ops.reshape(g, (plan.rows.outputs, plan.columns.outputs, batch, filters)), (2, 0, 1, 3))


def _matrix(plan: Plan, role: int, like: Any) -> Any:
    return np.asarray(plan.matrices[role], keras.backend.standardize_dtype(like.dtype))


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _forward(plan: Plan, x: Any, k: Any) -> Any:
    return _output_of_points(plan, _products(_points_of_input(plan, x), _points_of_kernel(plan, k), (2, 1)))


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _input_gradient(plan: Plan, g: Any, k: Any) -> Any:
    return _input_of_points(plan, _products(_points_of_output(plan, g), _points_of_kernel(plan, k), (2, 2)))


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _kernel_gradient(plan: Plan, x: Any, g: Any) -> Any:
    return _kernel_of_points(plan, _products(_points_of_input(plan, x), _points_of_output(plan, g), (1, 1)))


_forward.defvjp(
    lambda plan, x, k: (_forward(plan, x, k), (x, k)),
    lambda plan, saved, g: (_input_gradient(plan, g, saved[1]), _kernel_gradient(plan, saved[0], g)),
)
_input_gradient.defvjp(
    lambda plan, g, k: (_input_gradient(plan, g, k), (g, k)),
    lambda plan, saved, x: (_forward(plan, x, saved[1]), _kernel_gradient(plan, x, saved[0])),
)
_kernel_gradient.defvjp(
    lambda plan, x, g: (_kernel_gradient(plan, x, g), (x, g)),
    lambda plan, saved, k: (_input_gradient(plan, saved[1], k), _forward(plan, saved[0], k)),
)


def _transposed_pixels(inputs: Any, kernel: Any, options: Any) -> Any:
    """XLA's own transposed convolution, with the weight gradient of the convolution of which it is the transpose.

    XLA's CPU compiler differentiates a strided transposed convolution by its kernel through a dilated convolution,
    which is slow. But T, the transposed convolution, is the adjoint of an ordinary convolution F, so
    <g, T(x, k)> = <F(g, k), x>: the gradient by k is F's own weight gradient with the roles of x and g exchanged.
    """

    def transposed(x: Any, k: Any) -> Any:
        return ops.conv_transpose(x, k, **options)

    def adjoint(g: Any, k: Any, like: Any) -> Any:
        (x,) = jax.linear_transpose(lambda x: transposed(x, k), like)(g)
        return x

    @jax.custom_vjp
    def convolution(x: Any, k: Any) -> Any:
        return transposed(x, k)

    def forward(x: Any, k: Any) -> tuple[Any, tuple[Any, Any]]:
        return transposed(x, k), (x, k)

    def backward(residuals: tuple[Any, Any], g: Any) -> tuple[Any, Any]:
        x, k = residuals
        x_gradient, pull_back = jax.vjp(lambda k: adjoint(g, k, x), k)
        (k_gradient,) = pull_back(x)
        return x_gradient, k_gradient

    convolution.defvjp(forward, backward)
    return convolution(inputs, kernel)
