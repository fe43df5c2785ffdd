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
    # No generator has this one, and it is no faster form: it has other gradients than Keras's on TensorFlow.
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
