import keras
import numpy as np
import pytest

from kerasgan.networks import convnet


def layer_names(network):
    return [type(layer).__name__ for layer in network.layers]


def test_with_the_defaults_the_network_is_the_workshops():
    network = convnet.classifier()
    assert network.name == "convnet"
    assert layer_names(network) == [
        "InputLayer", "Rescaling", "Conv2D", "MaxPooling2D", "Conv2D", "MaxPooling2D", "Dropout", "Flatten", "Dense",
    ]  # fmt: skip
    convolutions = [layer for layer in network.layers if isinstance(layer, keras.layers.Conv2D)]
    assert [(c.filters, c.kernel_size, c.strides, c.padding, c.activation) for c in convolutions] == [
        (32, (3, 3), (1, 1), "valid", keras.activations.relu),
        (64, (3, 3), (1, 1), "valid", keras.activations.relu),
    ]
    poolings = [layer for layer in network.layers if isinstance(layer, keras.layers.MaxPooling2D)]
    assert [(p.pool_size, p.strides, p.padding) for p in poolings] == [((2, 2), (2, 2), "valid")] * 2
    assert network.get_layer(index=6).rate == 0.2
    output = network.layers[-1]
    assert (output.units, output.activation) == (10, keras.activations.softmax)
    # 28 - 2 = 26, halved 13; 13 - 2 = 11, halved 5.
    assert network.count_params() == (3 * 3 * 1 * 32 + 32) + (3 * 3 * 32 * 64 + 64) + (5 * 5 * 64 * 10 + 10)


def test_a_block_holds_as_many_convolutions_as_are_asked_for():
    network = convnet.classifier(
        (8, 12, 3), 4, filters=(2, 3), convolutions=2, units=(7,), batch_normalization=True, padding="same"
    )
    normalized = ["Conv2D", "BatchNormalization", "Activation"]
    block = [*normalized, *normalized, "MaxPooling2D"]
    assert layer_names(network) == [
        "InputLayer", "Rescaling", *block, *block, "Dropout", "Flatten", "Dense", "Dropout", "Dense",
    ]  # fmt: skip
    assert not any(layer.use_bias for layer in network.layers if isinstance(layer, keras.layers.Conv2D))
    kernels = 9 * (3 * 2 + 2 * 2 + 2 * 3 + 3 * 3)
    averages = 4 * (2 + 2 + 3 + 3)  # scale, offset, mean and variance of each filter
    assert network.count_params() == kernels + averages + (2 * 3 * 3 * 7 + 7) + (7 * 4 + 4)


def test_dropout_of_zero_leaves_the_layers_out():
    assert "Dropout" not in layer_names(convnet.classifier((10, 10, 1), units=(4,), dropout=0.0))


def test_the_network_sees_black_as_zero():
    network = convnet.classifier((4, 4, 1), 2, filters=(1,), dropout=0.0, padding="same")
    kernel, bias, dense_kernel, dense_bias = network.get_weights()
    network.set_weights([kernel, bias * 0 - 1.0, dense_kernel, dense_bias])
    # A black image is zeros after the rescaling, so nothing passes the negative bias and the ReLU.
    black = network(np.full((1, 4, 4, 1), -1.0, "float32"))
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(black), [[0.5, 0.5]])


@pytest.mark.parametrize(
    ("options", "least"),
    [
        ({}, 10),  # 10 - 2 = 8, halved 4; 4 - 2 = 2, halved 1
        ({"padding": "same"}, 4),
        ({"convolutions": 2}, 16),  # 16 - 4 = 12, halved 6; 6 - 4 = 2, halved 1
        ({"filters": (2, 2, 2)}, 22),  # 22 - 2 = 20, halved 10, and from there as above
        ({"filters": (2, 2, 2), "padding": "same"}, 8),
    ],
)
def test_images_too_small_for_the_poolings_are_refused_and_the_least_size_is_named(options, least):
    assert convnet.classifier((least, least, 1), **options).output_shape == (None, 10)
    for shape in [(least - 1, least, 1), (least, least - 1, 1)]:
        with pytest.raises(ValueError, match=f"need sides of at least {least} pixels"):
            convnet.classifier(shape, **options)


def test_the_refusal_names_every_way_out():
    with pytest.raises(ValueError) as caught:
        convnet.classifier((8, 8, 1))
    assert str(caught.value) == (
        "image_shape is (8, 8, 1); 2 poolings with padding 'valid' need sides of at least 10 pixels. "
        "Choose larger images, fewer filters, or padding='same' (4 pixels)."
    )


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"padding": "full"}, "padding is 'full'; choose 'valid' or 'same'"),
        ({"convolutions": 0}, "convolutions is 0; choose at least 1"),
        ({"image_shape": (28, 28)}, r"give \(height, width, channels\)"),
    ],
)
def test_other_arguments_are_refused_with_what_would_be_right(options, complaint):
    with pytest.raises(ValueError, match=complaint):
        convnet.classifier(**options)


def test_probabilities_are_float32_in_mixed_precision():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        network = convnet.classifier((10, 10, 1), 3)
    finally:
        keras.config.set_dtype_policy("float32")
    assert network.get_layer(index=2).compute_dtype == "bfloat16"
    assert keras.backend.standardize_dtype(network.output.dtype) == "float32"
