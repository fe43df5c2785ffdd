"""From kerasgan's layers to the stock layers they stand for."""

from typing import Any

import keras

from kerasgan import backends
from kerasgan.layers.conv2d import Conv2D
from kerasgan.layers.conv2d_transpose import Conv2DTranspose
from kerasgan.layers.dropout import Dropout
from kerasgan.layers.max_pooling2d import MaxPooling2D
from kerasgan.layers.spectral_normalization import SpectralNormalization

STOCK = {
    Conv2D: keras.layers.Conv2D,
    Conv2DTranspose: keras.layers.Conv2DTranspose,
    Dropout: keras.layers.Dropout,
    MaxPooling2D: keras.layers.MaxPooling2D,
}


def to_stock(network: keras.Model) -> keras.Model:
    """Copy a functional or sequential network into one that needs only Keras to be loaded.

    Args:
        network: A built `keras.Model` or `keras.Sequential`.

    Networks within the network are copied likewise. A subclassed model cannot be taken apart and is returned as it is.
    Of a layer with spectral normalization remains the layer, its kernel divided by the singular value.

    Returns:
        A new network of stock layers that computes the same, which `keras.saving.load_model` reads in a process
        that has never heard of kerasgan.
    """
    if not hasattr(network, "operations") and not isinstance(network, keras.Sequential):
        return network
    # Networks within are filled as they are copied; inputs get other names.
    filled = [layer for layer in network.layers if layer.weights and not isinstance(layer, keras.Model)]
    weights = {layer.name: _weights_of(layer) for layer in filled}
    with backends.undistributed():
        stock = keras.models.clone_model(network, clone_function=_stock_layer)
        for name, values in weights.items():
            stock.get_layer(name).set_weights(values)
    return stock


def _stock_layer(layer: keras.Layer) -> keras.Layer:
    if isinstance(layer, keras.Model):
        return to_stock(layer)
    wrapped = layer.layer if isinstance(layer, SpectralNormalization) else layer
    return STOCK.get(type(wrapped), type(wrapped)).from_config({**wrapped.get_config(), "name": layer.name})


def _weights_of(layer: keras.Layer) -> list[Any]:
    """Return the weights that the stock layer shall have, as arrays."""
    if not isinstance(layer, SpectralNormalization):
        return [backends.whole(variable) for variable in layer.weights]
    singular_value = keras.ops.convert_to_numpy(layer.power_iteration()[0])
    shares = [singular_value if variable is layer.kernel else 1.0 for variable in layer.layer.weights]
    return [backends.whole(variable) / share for variable, share in zip(layer.layer.weights, shares, strict=True)]
