import itertools

import keras
import numpy as np
import pytest
from keras import ops

import kerasgan as kg
from kerasgan import backends
from kerasgan.backends.spectral import Plan

GEOMETRIES = [
    {"kernel_size": kernel, "strides": strides, "padding": padding}
    for kernel, strides, padding in itertools.product([1, (2, 3), 4, 5], [1, 2, (3, 1)], ["same", "valid"])
]
OTHERS = [
    {"kernel_size": 5, "strides": 2, "padding": "same", "use_bias": False, "activation": "tanh"},
    {"kernel_size": 3, "padding": "same", "dilation_rate": 2},
    {"kernel_size": 3, "padding": "valid", "dilation_rate": (1, 2)},
    {"kernel_size": 3, "padding": "same", "groups": 2},
    {"kernel_size": 3, "strides": 2, "padding": "same", "data_format": "channels_first"},
]


@pytest.fixture
def spectral(monkeypatch):
    """Products of spectra wherever they are possible, also where they do not save time; and how often that was."""
    asked = []
    monkeypatch.setattr(Plan, "saves", lambda plan, *sizes: asked.append(plan) or True)
    return asked


def pair(options, dtype="float32"):
    """The same weights in kerasgan's layer and in Keras's."""
    first = options.get("data_format") == "channels_first"
    x = np.random.default_rng(0).standard_normal((2, 4, 7, 6) if first else (2, 7, 6, 4)).astype("float32")
    ours = kg.layers.Conv2D(2, dtype=dtype, **options)
    stock = keras.layers.Conv2D(2, dtype=dtype, **options)
    ours.build(x.shape)
    stock.build(x.shape)
    stock.set_weights(ours.get_weights())
    return ours, stock, x


def runs(options):
    """TensorFlow's own convolutions on a CPU know no groups with gradients and no channels first."""
    return backends.name == "jax" or not (options.get("groups") or options.get("data_format"))


def gradients(loss_of, layer):
    """The gradients of a loss by the layer's weights, through the backend's own seam."""

    def forward():
        loss = loss_of()
        return {"layer": loss}, {"layer": loss}

    _, found = backends.player_gradients(forward, {"layer": layer.trainable_variables})
    return [ops.convert_to_numpy(gradient) for gradient in found["layer"]]


def assert_equal_layers(ours, stock, x, tolerance=1e-4):
    np.testing.assert_allclose(ours(x), stock(x), rtol=tolerance, atol=tolerance)
    by_weights = [gradients(lambda layer=layer: ops.sum(ops.sin(layer(x))), layer) for layer in (ours, stock)]
    for mine, theirs in zip(*by_weights, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=tolerance, atol=tolerance)
    by_input = [kg.grad(lambda t, layer=layer: ops.sin(layer(t)), x) for layer in (ours, stock)]
    np.testing.assert_allclose(*by_input, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("options", GEOMETRIES, ids=str)
def test_products_of_spectra_are_keras_s_convolution_with_its_gradients(options, spectral):
    assert_equal_layers(*pair(options))
    assert bool(spectral) == (backends.name == "jax")


@pytest.mark.parametrize("options", [options for options in OTHERS if runs(options)], ids=str)
def test_what_has_no_faster_form_is_left_to_keras(options, spectral):
    assert_equal_layers(*pair(options))


def test_small_products_are_left_to_keras():
    ours, stock, x = pair({"kernel_size": 3})
    np.testing.assert_array_equal(ours(x), stock(x))


@pytest.mark.parametrize("strides", [1, 2])
def test_second_order_gradients_are_those_of_keras(strides, spectral):
    ours, stock, x = pair({"kernel_size": 5, "strides": strides, "padding": "same"})

    def penalty(layer):
        return lambda: ops.sum(ops.square(kg.grad(lambda t: ops.sin(layer(t)), x)))

    found = [gradients(penalty(layer), layer) for layer in (ours, stock)]
    for mine, theirs in zip(*found, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-3, atol=1e-3)
    assert np.abs(found[0][0]).max() > 1


def test_short_floats_are_rounded_no_more_than_by_keras(spectral):
    ours, stock, x = pair({"kernel_size": 5, "strides": 2, "padding": "same"}, "mixed_bfloat16")
    assert keras.backend.standardize_dtype(ours(x).dtype) == "bfloat16"
    exact = keras.layers.Conv2D(2, 5, strides=2, padding="same")
    exact.build(x.shape)
    exact.set_weights(ours.get_weights())
    errors = [np.abs(ops.cast(layer(x), "float32") - exact(x)).max() for layer in (ours, stock)]
    assert 0 < errors[0] < 1.5 * errors[1]


def test_batches_of_unknown_size_are_known_when_they_come():
    network = keras.Sequential([keras.Input((7, 7, 64)), kg.layers.Conv2D(64, 5, padding="same")])
    x = np.random.default_rng(0).standard_normal((8, 7, 7, 64)).astype("float32")
    expected = ops.convert_to_numpy(kg.layers.to_stock(network)(x))
    np.testing.assert_allclose(network.predict(x, verbose=0, batch_size=5), expected, rtol=1e-3, atol=1e-4)


def test_the_configuration_and_weights_are_those_of_the_stock_layer():
    network = keras.Sequential([keras.Input((6, 6, 2)), kg.layers.Conv2D(3, 5, strides=2, padding="same", name="conv")])
    again = keras.Sequential.from_config(network.get_config())
    assert type(again.layers[0]) is kg.layers.Conv2D
    (stock,) = kg.layers.to_stock(network).layers
    assert type(stock) is keras.layers.Conv2D
    assert stock.get_config() == network.layers[0].get_config()
    for mine, theirs in zip(network.layers[0].get_weights(), stock.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)
