"""From kerasgan's layers to the stock layers they stand for."""

import keras

from kerasgan import backends
from kerasgan.layers.conv2d import Conv2D
from kerasgan.layers.conv2d_transpose import Conv2DTranspose
from kerasgan.layers.dropout import Dropout
from kerasgan.layers.max_pooling2d import MaxPooling2D

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

    Returns:
        A new network of stock layers with equal weights, which `keras.saving.load_model` reads in a process
        that has never heard of kerasgan.
    """
    if not hasattr(network, "operations") and not isinstance(network, keras.Sequential):
        return network
    weights = [backends.whole(variable) for variable in network.weights]
    with backends.undistributed():
        stock = keras.models.clone_model(network, clone_function=_stock_layer)
        stock.set_weights(weights)
    return stock


def _stock_layer(layer: keras.Layer) -> keras.Layer:
    if isinstance(layer, keras.Model):
        return to_stock(layer)
    return STOCK.get(type(layer), type(layer)).from_config(layer.get_config())
