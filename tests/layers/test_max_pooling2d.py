import keras
import numpy as np
import pytest
from keras import ops

import kerasgan as kg

CASES = [
    ((6, 6), {}),
    ((7, 5), {}),
    ((7, 6), {"padding": "same"}),
    ((6, 6), {"padding": "same"}),
    ((9, 8), {"pool_size": (3, 2)}),
    ((7, 7), {"pool_size": 3, "strides": 2}),
    ((6, 3), {"pool_size": (2, 4), "padding": "same"}),
]


def pictures(sides):
    """Like what follows a ReLU: many equal zeros, and a window of equal positives."""
    x = np.maximum(np.random.default_rng(0).standard_normal((2, *sides, 3)), 0).astype("float32")
    x[:, :2, :2] = 1.5
    return x


def slopes(layer, x):
    # Weighted, so that it counts which of the pixels of a window has the gradient.
    weights = np.random.default_rng(1).standard_normal(layer(x).shape).astype("float32")
    return ops.convert_to_numpy(kg.grad(lambda t: ops.square(layer(t)) * weights, x))


@pytest.mark.parametrize(("sides", "options"), CASES, ids=str)
def test_values_and_gradients_are_those_of_keras_also_where_pixels_are_equal(sides, options):
    x = pictures(sides)
    ours, stock = kg.layers.MaxPooling2D(**options), keras.layers.MaxPooling2D(**options)
    np.testing.assert_array_equal(ops.convert_to_numpy(ours(x)), ops.convert_to_numpy(stock(x)))
    np.testing.assert_allclose(slopes(ours, x), slopes(stock, x), rtol=1e-6)
    assert np.count_nonzero(slopes(ours, x)) > 0


def test_of_equal_pixels_the_first_has_the_gradient():
    x = np.ones((1, 2, 2, 1), "float32")
    gradient = ops.convert_to_numpy(kg.grad(kg.layers.MaxPooling2D(), x))
    np.testing.assert_array_equal(gradient[0, :, :, 0], [[1, 0], [0, 0]])


def test_second_order_gradients_are_those_of_keras():
    x = pictures((6, 6)) + np.random.default_rng(2).uniform(0, 0.1, (2, 6, 6, 3)).astype("float32")

    def penalty(layer):
        def squared_slopes(images):
            return ops.square(kg.grad(lambda t: ops.sin(layer(t)), images))

        return ops.convert_to_numpy(kg.grad(squared_slopes, x))

    ours = penalty(kg.layers.MaxPooling2D())
    np.testing.assert_allclose(ours, penalty(keras.layers.MaxPooling2D()), rtol=1e-5)
    assert np.count_nonzero(ours) == 2 * 9 * 3


def test_sizes_that_are_not_known_in_advance_are_left_to_keras():
    network = keras.Sequential([keras.Input((None, None, 1)), kg.layers.MaxPooling2D()])
    assert network(np.ones((1, 5, 6, 1), "float32")).shape == (1, 2, 3, 1)


def test_it_becomes_the_stock_layer():
    network = keras.Sequential([keras.Input((6, 6, 1)), kg.layers.MaxPooling2D(3, padding="same", name="pool")])
    (pool,) = kg.layers.to_stock(network).layers
    assert type(pool) is keras.layers.MaxPooling2D
    assert (pool.pool_size, pool.strides, pool.padding, pool.name) == ((3, 3), (3, 3), "same", "pool")
