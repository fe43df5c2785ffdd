"""Pooling whose gradient a CPU computes as fast as its value."""

import functools
from typing import Any

import jax
from keras import ops


def max_pool(inputs: Any, size: tuple[int, int]) -> Any:
    """`keras.ops.max_pool` over windows that neither overlap nor are padded: the same values, and a fast gradient.

    XLA's CPU compiler differentiates a pooling by `select-and-scatter`, window after window. Here the gradient goes to
    the first of the largest pixels of each window, as there, by comparisons that XLA fuses into one pass.

    Args:
        inputs: Tensor `(batch, height, width, channels)`.
        size: Height and width of a window; rows and columns that fill none are left out.

    Returns:
        Tensor `(batch, height // size[0], width // size[1], channels)`. Reverse-mode differentiable, any number of
        times.
    """
    rows, columns = size
    _, height, width, channels = inputs.shape
    down, across = height // rows, width // columns

    def pixels(x: Any) -> list[Any]:
        """Return what lies at each place of a window, of all windows: `(batch, down, across, channels)` each."""
        x = x[:, : down * rows, : across * columns]
        return [x[:, row::rows, column::columns] for row in range(rows) for column in range(columns)]

    @jax.custom_vjp
    def pooled(x: Any) -> Any:
        return functools.reduce(ops.maximum, pixels(x))

    def forward(x: Any) -> tuple[Any, tuple[Any, Any]]:
        largest = pooled(x)
        return largest, (x, largest)

    def backward(residuals: tuple[Any, Any], g: Any) -> tuple[Any]:
        x, largest = residuals
        given, shares = ops.zeros(largest.shape, "bool"), []
        for pixel in pixels(x):
            takes = ops.logical_and(pixel == largest, ops.logical_not(given))
            given = ops.logical_or(given, takes)
            shares.append(ops.where(takes, g, ops.zeros_like(g)))
        windows = ops.reshape(ops.stack(shares, axis=3), (-1, down, across, rows, columns, channels))
        gradient = ops.reshape(
            ops.transpose(windows, (0, 1, 3, 2, 4, 5)), (-1, down * rows, across * columns, channels)
        )
        left_out = (0, 0), (0, height - down * rows), (0, width - across * columns), (0, 0)
        return (ops.pad(gradient, left_out),)

    pooled.defvjp(forward, backward)
    return pooled(ops.convert_to_tensor(inputs))
