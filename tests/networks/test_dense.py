import keras
import numpy as np
import pytest

from kerasgan.networks import dense


def layer_names(network):
    return [type(layer).__name__ for layer in network.layers]


def test_with_the_defaults_the_network_is_the_workshops():
    network = dense.classifier()
    assert network.name == "dense"
    assert layer_names(network) == ["InputLayer", "Rescaling", "Flatten", "Dense", "Dense"]
    hidden, output = network.layers[-2:]
    assert (hidden.units, hidden.activation) == (512, keras.activations.relu)
    assert (output.units, output.activation) == (10, keras.activations.softmax)
    assert network.count_params() == (784 * 512 + 512) + (512 * 10 + 10)


def test_every_hidden_layer_is_followed_by_dropout_where_that_is_asked_for():
    network = dense.classifier((4, 4, 3), 3, units=(8, 5), activation="tanh", dropout=0.4)
    assert layer_names(network) == [
        "InputLayer", "Rescaling", "Flatten", "Dense", "Dropout", "Dense", "Dropout", "Dense",
    ]  # fmt: skip
    assert [layer.rate for layer in network.layers if isinstance(layer, keras.layers.Dropout)] == [0.4, 0.4]
    assert network.layers[3].activation is keras.activations.tanh
    assert network.count_params() == (48 * 8 + 8) + (8 * 5 + 5) + (5 * 3 + 3)


def test_without_hidden_layers_the_probabilities_are_the_softmax_of_one_product():
    network = dense.classifier((1, 2, 1), 2, units=())
    # The image (-1, 1) is (0, 1) to the network, so only the second row of the kernel counts.
    network.set_weights([np.array([[7.0, -7.0], [np.log(3), 0.0]]), np.zeros(2)])
    probabilities = network(np.array([-1.0, 1.0], "float32").reshape(1, 1, 2, 1))
    np.testing.assert_allclose(keras.ops.convert_to_numpy(probabilities), [[0.75, 0.25]], rtol=1e-6)


def test_probabilities_are_float32_in_mixed_precision():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        network = dense.classifier((4, 4, 1), 3, units=(8,))
    finally:
        keras.config.set_dtype_policy("float32")
    assert network.layers[-2].compute_dtype == "bfloat16"
    assert keras.backend.standardize_dtype(network.output.dtype) == "float32"


def test_a_share_of_dropout_below_zero_is_refused():
    with pytest.raises(ValueError, match=r"-0\.1"):
        dense.classifier(dropout=-0.1)
