import itertools

import keras
import numpy as np
import pytest
from keras import ops

import kerasgan as kg
from kerasgan import backends
from kerasgan.backends.spectral import Plan

CASES = [
    {"kernel_size": kernel, "strides": strides, "padding": padding, "use_bias": bias}
    for kernel, strides, padding, bias in itertools.product(
        [(5, 5), (4, 3)], [1, 2, 3], ["same", "valid"], [False, True]
    )
] + [
    {"kernel_size": 5, "strides": 2, "padding": "same", "output_padding": 1},
    {"kernel_size": 3, "strides": 2, "padding": "valid", "output_padding": 1},
    {"kernel_size": 3, "strides": 1, "padding": "same", "dilation_rate": 2},
    {"kernel_size": 5, "strides": 2, "padding": "same", "activation": "tanh"},
]
MORE_CASES = [
    {"kernel_size": 1, "strides": 2, "padding": "same"},
    {"kernel_size": (2, 3), "strides": (3, 1), "padding": "valid", "output_padding": 0},
    {"kernel_size": 3, "strides": 2, "padding": "same", "output_padding": 0},
]


def pair(options):
    """The same weights in kerasgan's layer and in Keras's."""
    x = np.random.default_rng(0).standard_normal((2, 4, 4, 3)).astype("float32")
    ours, stock = kg.layers.Conv2DTranspose(2, **options), keras.layers.Conv2DTranspose(2, **options)
    ours.build(x.shape)
    stock.build(x.shape)
    stock.set_weights(ours.get_weights())
    return ours, stock, x


def kernel_gradient(layer, x):
    """The gradient of sum(sin(layer(x))) by the kernel, through the backend's own seam."""

    def forward():
        loss = ops.sum(ops.sin(layer(x)))
        return {"layer": loss}, {"layer": loss}

    _, gradients = backends.player_gradients(forward, {"layer": layer.trainable_variables})
    return [ops.convert_to_numpy(gradient) for gradient in gradients["layer"]]


@pytest.fixture
def spectral(monkeypatch):
    """Products of spectra wherever they are possible, also where they do not save time."""
    asked = []
    monkeypatch.setattr(Plan, "saves", lambda plan, *sizes: asked.append(plan) or True)
    return asked


@pytest.mark.parametrize("options", [case for case in CASES + MORE_CASES if not case.get("use_bias")], ids=str)
def test_products_of_spectra_have_the_values_and_gradients_of_keras(options, spectral):
    test_values_and_gradients_are_those_of_keras(options)
    assert bool(spectral) == (backends.name == "jax" and "dilation_rate" not in options)


@pytest.mark.parametrize("strides", [1, 2])
def test_products_of_spectra_have_the_second_order_gradients_of_keras(strides, spectral):
    test_second_order_gradients_are_those_of_keras(strides)


@pytest.mark.parametrize("options", CASES, ids=str)
def test_values_and_gradients_are_those_of_keras(options):
    ours, stock, x = pair(options)
    np.testing.assert_allclose(ours(x), stock(x), rtol=1e-5, atol=1e-5)
    for mine, theirs in zip(kernel_gradient(ours, x), kernel_gradient(stock, x), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-4)
    by_input = [kg.grad(lambda t, layer=layer: ops.sin(layer(t)), x) for layer in (ours, stock)]
    np.testing.assert_allclose(*by_input, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("strides", [1, 2])
def test_second_order_gradients_are_those_of_keras(strides):
    ours, stock, x = pair({"kernel_size": 5, "strides": strides, "padding": "same"})

    def penalty_gradient(layer):
        def forward():
            loss = ops.sum(ops.square(kg.grad(lambda t: ops.sin(layer(t)), x)))
            return {"layer": loss}, {"layer": loss}

        _, gradients = backends.player_gradients(forward, {"layer": layer.trainable_variables})
        return [ops.convert_to_numpy(gradient) for gradient in gradients["layer"]]

    for mine, theirs in zip(penalty_gradient(ours), penalty_gradient(stock), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-3, atol=1e-3)


def test_networks_within_a_network_become_stock_layers_too():
    inner = keras.Sequential([keras.Input((4, 4, 3)), kg.layers.Conv2DTranspose(2, 5, strides=2, padding="same")])
    outer = keras.Sequential([keras.Input((4, 4, 3)), inner, keras.layers.Flatten()])
    stock = kg.layers.to_stock(outer)
    assert type(stock.layers[0].layers[0]) is keras.layers.Conv2DTranspose
    x = np.random.default_rng(0).standard_normal((2, 4, 4, 3)).astype("float32")
    np.testing.assert_allclose(outer(x), stock(x), rtol=1e-5, atol=1e-5)


def test_a_subclassed_model_is_returned_as_it_is():
    class Own(keras.Model):
        def call(self, x):
            return x

    own = Own()
    assert kg.layers.to_stock(own) is own


def test_a_network_becomes_stock_layers_with_equal_outputs():
    network = keras.Sequential([keras.Input((4, 4, 3)), kg.layers.Conv2DTranspose(2, 5, strides=2, padding="same")])
    stock = kg.layers.to_stock(network)
    assert {type(layer) for layer in stock.layers} == {keras.layers.Conv2DTranspose}
    x = np.random.default_rng(0).standard_normal((2, 4, 4, 3)).astype("float32")
    np.testing.assert_allclose(network(x), stock(x), rtol=1e-5, atol=1e-5)
