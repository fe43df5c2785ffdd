import keras
import numpy as np
import pytest
from keras import ops

from kerasgan.networks import low_level
from kerasgan.networks.low_level import LowLevelNetwork, conv2d, fully_connected, max_pool2d

NINE = np.arange(1.0, 10.0, dtype="float32").reshape(1, 3, 3, 1)


def random(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def as_square(images):
    return ops.convert_to_numpy(images)[0, :, :, 0].tolist()


# Numbers worked by hand.


def test_conv2d_adds_what_the_kernel_covers():
    kernel = np.zeros((3, 3, 1, 1), "float32")
    kernel[1, 1] = 10.0
    kernel[0, 2] = 1.0  # the neighbour to the upper right; beyond the image there are zeros
    bias = np.array([0.5], "float32")
    assert as_square(conv2d(NINE, kernel, bias)) == [[10.5, 20.5, 30.5], [42.5, 53.5, 60.5], [75.5, 86.5, 90.5]]
    assert as_square(conv2d(NINE, kernel, bias, strides=2)) == [[10.5, 30.5], [75.5, 90.5]]


def test_max_pool2d_keeps_the_largest_of_each_square():
    assert as_square(max_pool2d(NINE)) == [[5.0, 6.0], [8.0, 9.0]]
    # What lies beyond the image is no zero, or it would win here.
    assert as_square(max_pool2d(-NINE)) == [[-1.0, -3.0], [-7.0, -9.0]]
    assert as_square(max_pool2d(NINE, size=3)) == [[9.0]]


def test_fully_connected_is_a_product_and_a_sum():
    x, kernel, bias = [[1.0, 2.0]], [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], [10.0, 20.0, 30.0]
    result = fully_connected(*(np.array(a, "float32") for a in (x, kernel, bias)))
    assert ops.convert_to_numpy(result).tolist() == [[19.0, 32.0, 45.0]]


# The layers of Keras.


@pytest.mark.parametrize("strides", [1, 2])
def test_conv2d_gives_what_the_layer_gives(strides):
    x, kernel, bias = random(2, 7, 6, 3), random(3, 3, 3, 4, seed=1), random(4, seed=2)
    layer = keras.layers.Conv2D(4, 3, strides=strides, padding="same")
    layer.build(x.shape)
    layer.set_weights([kernel, bias])
    expected = ops.convert_to_numpy(layer(x))
    np.testing.assert_allclose(ops.convert_to_numpy(conv2d(x, kernel, bias, strides)), expected, rtol=1e-5, atol=1e-5)
    flipped = ops.convert_to_numpy(conv2d(x, kernel[::-1], bias, strides))
    assert not np.allclose(flipped, expected, atol=1e-2)


def test_max_pool2d_gives_what_the_layer_gives():
    x = random(2, 7, 6, 3)
    expected = ops.convert_to_numpy(keras.layers.MaxPooling2D(2, padding="same")(x))
    np.testing.assert_array_equal(ops.convert_to_numpy(max_pool2d(x)), expected)


def test_fully_connected_gives_what_the_layer_gives():
    x, kernel, bias = random(2, 5), random(5, 3, seed=1), random(3, seed=2)
    layer = keras.layers.Dense(3)
    layer.build(x.shape)
    layer.set_weights([kernel, bias])
    expected = ops.convert_to_numpy(layer(x))
    np.testing.assert_allclose(ops.convert_to_numpy(fully_connected(x, kernel, bias)), expected, rtol=1e-5, atol=1e-6)


def test_the_whole_network_gives_what_stock_layers_with_its_weights_give():
    network = low_level.classifier((6, 5, 2), 3)
    stock = keras.Sequential(
        [
            keras.Input((6, 5, 2)),
            keras.layers.Rescaling(0.5, 0.5),
            keras.layers.Conv2D(32, 3, padding="same", activation="relu"),
            keras.layers.MaxPooling2D(2, padding="same"),
            keras.layers.Conv2D(64, 3, padding="same", activation="relu"),
            keras.layers.MaxPooling2D(2, padding="same"),
            keras.layers.Flatten(),
            keras.layers.Dense(512, activation="relu"),
            keras.layers.Dense(3),
        ]
    )
    stock.set_weights(network.get_weights())
    images = random(4, 6, 5, 2)
    expected = ops.convert_to_numpy(stock(images))
    np.testing.assert_allclose(ops.convert_to_numpy(network(images)), expected, rtol=1e-4, atol=1e-5)
    # No softmax: logits of both signs.
    assert expected.min() < 0 < expected.max()


# The network.


def test_at_28_pixels_the_kernels_are_the_workshops():
    network = low_level.classifier()
    assert network.name == "low_level"
    kernels, biases = network.weights[::2], network.weights[1::2]
    assert [tuple(kernel.shape) for kernel in kernels] == [(3, 3, 1, 32), (3, 3, 32, 64), (3136, 512), (512, 10)]
    assert [tuple(bias.shape) for bias in biases] == [(32,), (64,), (512,), (10,)]
    assert len(network.trainable_weights) == 8
    assert network.count_params() == 320 + 18_496 + 1_606_144 + 5_130


def test_the_list_of_parts_decides_the_network():
    def kernels(parts):
        return [tuple(weight.shape) for weight in low_level.classifier((5, 6, 1), 3, parts=parts).weights[::2]]

    assert kernels(["conv"]) == [(3, 3, 1, 32), (3 * 3 * 32, 3)]
    assert kernels(["dense", "dense"]) == [(30, 512), (512, 512), (512, 3)]
    assert kernels(["conv", "conv", "conv"]) == [(3, 3, 1, 32), (3, 3, 32, 64), (3, 3, 64, 128), (1 * 1 * 128, 3)]


@pytest.mark.parametrize("parts", [["conv", "pool"], ["dense", "conv"], ["conv", "dense", "conv"], [], "conv"])
def test_other_lists_are_refused_with_what_would_be_right(parts):
    for build in (low_level.classifier, lambda parts: LowLevelNetwork(10, parts)):
        with pytest.raises(ValueError, match=r"parts is \[.*\]; name 'conv' and 'dense', at least one"):
            build(parts=parts)


def test_a_share_of_dropout_out_of_range_is_refused():
    for dropout in (-0.1, 1.0):
        with pytest.raises(ValueError, match=f"dropout is {dropout}"):
            low_level.classifier(dropout=dropout)


def test_kernels_start_as_wide_as_their_inputs_ask_for():
    weights = low_level.classifier((28, 28, 1), 100).get_weights()
    for kernel, inputs in [(weights[2], 3 * 3 * 32), (weights[4], 3136)]:
        assert np.std(kernel) == pytest.approx(np.sqrt(2 / inputs), rel=0.02)
        assert np.abs(kernel).max() < 2.3 * np.sqrt(2 / inputs)  # truncated
    limit = np.sqrt(6 / (512 + 100))
    assert 0.99 * limit < np.abs(weights[6]).max() <= limit
    assert all(not bias.any() for bias in weights[1::2])


def test_dropout_acts_in_training_only():
    network, images = low_level.classifier((4, 4, 1), 3, parts=["dense"], dropout=0.5), random(2, 4, 4, 1)
    first, second, quiet, again = (
        ops.convert_to_numpy(network(images, training=training)) for training in (True, True, False, False)
    )
    assert not np.allclose(first, second)
    np.testing.assert_array_equal(quiet, again)
    assert not low_level.classifier((4, 4, 1), 3).non_trainable_variables  # no seed where nothing is drawn


def test_a_saved_network_loads_as_the_same_network(tmp_path):
    network, images = low_level.classifier((6, 5, 2), 3, parts=["conv", "dense"], dropout=0.25), random(4, 6, 5, 2)
    network.save(tmp_path / "network.keras")
    loaded = keras.saving.load_model(tmp_path / "network.keras")
    for weight, same in zip(network.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, same)
    np.testing.assert_array_equal(ops.convert_to_numpy(network(images)), ops.convert_to_numpy(loaded(images)))
    assert loaded.layers[-1].parts == ("conv", "dense")
    assert loaded.layers[-1].dropout == 0.25


def test_the_network_learns():
    network = low_level.classifier((4, 4, 1), 2, parts=["conv", "dense"])
    network.compile(keras.optimizers.Adam(1e-3), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    labels = np.arange(16) % 2
    images = np.where(labels[:, None, None, None] == 1, 1.0, -1.0) + 0.1 * random(16, 4, 4, 1)
    losses = network.fit(images, labels, batch_size=8, epochs=20, verbose=0).history["loss"]
    assert losses[-1] < 0.1 * losses[0]


def test_logits_are_float32_in_mixed_precision():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        network = low_level.classifier((4, 4, 1), 3)
    finally:
        keras.config.set_dtype_policy("float32")
    images = random(2, 4, 4, 1)
    assert network.layers[-1].compute_dtype == "bfloat16"
    assert keras.backend.standardize_dtype(network.output.dtype) == "float32"
    # The last product too is computed in 32 bits: in 16 its results would survive a cast to 16 and back.
    logits = ops.convert_to_numpy(network(images))
    assert not np.array_equal(logits, ops.convert_to_numpy(ops.cast(ops.cast(logits, "bfloat16"), "float32")))
