"""Convolutions as products of spectra: the matrices, in NumPy.

A convolution of small pictures is a product of their discrete Fourier transforms, frequency by frequency: at 7x7 with
a 5x5 kernel that takes a tenth of the multiplications. The transforms are plain matrices here, so that all of it is
matrix products. Pictures are real: of each pair of conjugate frequencies one is computed, and its complex product takes
three real ones (Gauss). What a real product is taken of is called a *point*.

The circle around which a transform wraps needs room for the padding only: what wraps onto an output is then a zero.

Reference:
    Mathieu et al., Fast Training of Convolutional Networks through FFTs (arXiv:1312.5851).
"""

import functools
from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


class Axis(NamedTuple):
    """One axis of a convolution, in pixels: `output[o] = sum of input[o * stride + k - before] * kernel[k]`."""

    inputs: int
    kernel: int
    outputs: int
    stride: int
    before: int

    @property
    def shift(self) -> int:
        """Zeros to put before the kernel, so that the padding becomes a multiple of the stride."""
        return -self.before % self.stride

    @property
    def blocks(self) -> "Axis":
        """The same in blocks of `stride` pixels, which the kernel passes in steps of one."""
        return Axis(
            -(-self.inputs // self.stride),
            -(-(self.kernel + self.shift) // self.stride),
            self.outputs,
            1,
            (self.before + self.shift) // self.stride,
        )

    @property
    def period(self) -> int:
        """Length of the shortest circle on which nothing wraps onto an input, for a stride of one."""
        return max(self.inputs + self.before, self.outputs + self.kernel - 1 - self.before)


class Plan(NamedTuple):
    """A convolution of pictures whose sizes are known; the rows of the matrices are points.

    `output = of_output.T @ ((of_input @ input) * (of_kernel @ kernel))`, over pixels or blocks that are laid out flat.
    """

    rows: Axis
    columns: Axis

    @property
    def points(self) -> int:
        """Real products for each pair of channels."""
        height, width = self.rows.blocks.period, self.columns.blocks.period
        own_conjugates = (2 - height % 2) * (2 - width % 2)
        return own_conjugates + 3 * (height * width - own_conjugates) // 2

    @property
    def matrices(self) -> tuple[Array, Array, Array]:
        """`(of_input, of_kernel, of_output)`, float64."""
        return _matrices(self.rows.blocks, self.columns.blocks)

    def saves(self, batch: int, channels: int, filters: int) -> bool:
        """Return whether the products of spectra take clearly less time than those of pixels.

        The transforms are long and thin and wait for memory: on a CPU their flops take twice the time.
        """
        down, across = self.rows, self.columns
        blocks = self.rows.blocks.inputs * self.columns.blocks.inputs
        depth = channels * down.stride * across.stride  # of a block
        taps = self.rows.blocks.kernel * self.columns.blocks.kernel
        pixels = down.outputs * across.outputs
        if min(blocks, pixels, depth, filters) < 1 or max(blocks, pixels) > 400:  # matrices of at most 2 MB
            return False
        direct = batch * pixels * down.kernel * across.kernel * channels * filters
        products = self.points * batch * depth * filters
        transforms = self.points * (batch * (blocks * depth + pixels * filters) + taps * depth * filters)
        return products + 2 * transforms < 0.8 * direct


@functools.lru_cache(maxsize=64)
def _matrices(rows: Axis, columns: Axis) -> tuple[Array, Array, Array]:
    height, width = rows.period, columns.period

    def waves(u: int, v: int, down: int, across: int, first: tuple[int, int] = (0, 0)) -> Array:
        row, column = np.arange(down) + first[0], np.arange(across) + first[1]
        return np.exp(-2j * np.pi * (u * row[:, None] / height + v * column / width)).ravel()

    of_input, of_kernel, of_output = [], [], []
    for u in range(height):
        for v in range(width):
            mirrored = (-u % height, -v % width)
            if mirrored < (u, v):
                continue
            x = waves(u, v, rows.inputs, columns.inputs)
            # Conjugate: the kernel is not flipped.
            k = waves(u, v, rows.kernel, columns.kernel, (-rows.before, -columns.before)).conj()
            o = waves(u, v, rows.outputs, columns.outputs).conj() / (height * width)
            if mirrored == (u, v):
                of_input += [x.real]
                of_kernel += [k.real]
                of_output += [o.real]
                continue
            # With a = k.real (x.real + x.imag), b = x.real (k.imag - k.real), c = x.imag (k.real + k.imag), the
            # product x k is (a - c) + i (a + b). The conjugate frequency adds the same real part again.
            of_input += [x.real + x.imag, x.real, x.imag]
            of_kernel += [k.real, k.imag - k.real, k.real + k.imag]
            of_output += [2 * (o.real - o.imag), -2 * o.imag, -2 * o.real]
    return np.stack(of_input), np.stack(of_kernel), np.stack(of_output)
