import os
import subprocess
import sys

import keras
import numpy as np
from keras import ops

import kerasgan as kg

PROGRAM = """
import sys
import keras
import numpy as np
network = keras.saving.load_model("stock.keras")
np.save("found.npy", keras.ops.convert_to_numpy(network(np.load("images.npy"))))
assert "kerasgan" not in sys.modules
"""


def network_of_all_layers():
    return keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            kg.layers.Conv2D(4, 5, strides=2, padding="same"),
            kg.layers.Dropout(0.5),
            kg.layers.Conv2DTranspose(2, 5, strides=2, padding="same"),
            kg.layers.MaxPooling2D(2),
        ]
    )


def test_every_layer_of_kerasgan_has_its_stock_layer():
    ours = network_of_all_layers()
    own = {type(layer) for layer in ours.layers}
    public = {name: getattr(kg.layers, name) for name in kg.layers.__all__}
    faster = {
        layer
        for name, layer in public.items()
        if isinstance(layer, type) and issubclass(layer, getattr(keras.layers, name, ()))
    }
    # This one is no faster form, and its stock layer is the one that it wraps: see below.
    assert own == faster - {kg.layers.SpectralNormalization}
    for mine, stock in zip(ours.layers, kg.layers.to_stock(ours).layers, strict=True):
        assert type(stock) is type(mine).__mro__[1]
        assert type(stock) is getattr(keras.layers, type(mine).__name__)


def test_a_network_of_stock_layers_loads_in_a_process_without_kerasgan(tmp_path):
    network = network_of_all_layers()
    kg.layers.to_stock(network).save(tmp_path / "stock.keras")
    images = np.random.default_rng(0).standard_normal((2, 8, 8, 3)).astype("float32")
    np.save(tmp_path / "images.npy", images)
    command = [sys.executable, "-c", PROGRAM]
    subprocess.run(command, cwd=tmp_path, env=dict(os.environ), check=True, timeout=120)
    expected = ops.convert_to_numpy(network(images))
    np.testing.assert_allclose(np.load(tmp_path / "found.npy"), expected, rtol=1e-4, atol=1e-5)


def test_of_spectral_normalization_remains_a_layer_that_computes_the_same():
    wrap = kg.layers.SpectralNormalization
    inner = keras.Sequential([keras.Input((6,)), wrap(keras.layers.Dense(5), name="within")])
    labels, vectors = keras.Input((), dtype="int32"), keras.Input((4, 4, 2))
    x = keras.layers.Flatten()(wrap(kg.layers.Conv2D(3, 3, padding="same"))(vectors))
    x = keras.layers.Add()([inner(keras.layers.Dense(6)(x)), wrap(keras.layers.Embedding(3, 5))(labels)])
    network = keras.Model([vectors, labels], x)
    inputs = np.random.default_rng(0).standard_normal((4, 4, 4, 2)).astype("float32"), np.array([0, 2, 1, 2])
    for _ in range(3):
        network(inputs, training=True)  # the singular vectors move
    stock = kg.layers.to_stock(network)
    assert not [
        layer for layer in (*stock.layers, *stock.get_layer(inner.name).layers) if "kerasgan" in str(type(layer))
    ]
    np.testing.assert_allclose(
        stock.predict(inputs, verbose=0), network.predict(inputs, verbose=0), rtol=1e-5, atol=1e-5
    )
