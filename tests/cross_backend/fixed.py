"""What two backends must be given alike, fixed in NumPy: weights, and what is drawn while they train."""

import itertools
from contextlib import contextmanager
from unittest.mock import patch

import keras
import numpy as np
from keras import ops


def set_weights_from_numpy(*networks, gain=1.0):
    """Give every network the same weights on any backend; BatchNormalization starts as it always does.

    Args:
        networks: Built ones.
        gain: How many times larger outputs shall be than inputs, before activations.
    """
    rng = np.random.default_rng(0)
    for network in networks:
        for variable in network.variables:  # with the vectors of SpectralNormalization, which nobody trains
            if len(variable.shape) > 1:
                fan_in = np.prod(variable.shape[:-1])
                values = rng.standard_normal(variable.shape) * gain / np.sqrt(fan_in)
                variable.assign(values.astype("float32"))


@contextmanager
def draws_from_numpy(step, steps, seed=0):
    """Let what a training step draws from `keras.random` come from NumPy, the same on any backend.

    Random streams differ between backends, and with them latents, points of penalties, augmentations and labels of
    fakes. So `keras.random` draws from tables here, one for each time that it is asked while a step is traced, with a
    row for each step. What else it is asked for, it refuses or draws as ever, and the backends disagree.

    Args:
        step: The global step, a tensor.
        steps: How many there will be.
        seed: Of the tables.
    """
    asked = itertools.count()

    def row(draw, shape, dtype):
        rng = np.random.default_rng([seed, next(asked)])
        return ops.take(
            np.asarray(draw(rng, (steps, *shape)), keras.backend.standardize_dtype(dtype)),
            ops.cast(step, "int32"),
            axis=0,
        )

    def normal(shape, seed):
        return row(lambda rng, size: rng.standard_normal(size), shape, "float32")

    def uniform(shape, minval=0.0, maxval=1.0, dtype="float32", *, seed):
        return row(lambda rng, size: rng.uniform(minval, maxval, size), shape, dtype)

    def randint(shape, minval, maxval, dtype="int32", *, seed):
        return row(lambda rng, size: rng.integers(minval, maxval, size), shape, dtype)

    with patch.multiple(keras.random, normal=normal, uniform=uniform, randint=randint):
        yield
