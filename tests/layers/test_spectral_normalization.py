import keras
import numpy as np
import pytest
from keras import ops

import kerasgan as kg
from kerasgan import backends
from kerasgan.layers import SpectralNormalization

KERNEL = np.array([[1.0, 2.0], [0.0, 1.0], [-1.0, 0.5]], "float32")
U = np.array([[0.6, 0.8]], "float32")
X = np.array([[1.0, -1.0, 2.0], [0.5, 0.0, 1.0]], "float32")


def normalized_dense(use_bias=False, layer_class=SpectralNormalization, **options):
    layer = layer_class(keras.layers.Dense(2, use_bias=use_bias), **options)
    layer.build((None, 3))
    layer.layer.kernel.assign(KERNEL)
    layer.vector_u.assign(U)
    return layer


def one_iteration():
    """The singular vectors after one step from U, in NumPy."""
    v = U @ KERNEL.T
    v /= np.linalg.norm(v)
    u = v @ KERNEL
    return v, u / np.linalg.norm(u)


def gradient_of(layer):
    """The gradient by the kernel of the sum of squares of what a layer makes of X, less one."""

    def forward():
        loss = ops.sum(ops.square(layer(ops.convert_to_tensor(X), training=True) - 1.0))
        return {"layer": loss}, {"layer": loss}

    _, gradients = backends.player_gradients(forward, {"layer": layer.trainable_variables})
    return ops.convert_to_numpy(gradients["layer"][0])


def test_the_output_is_that_of_the_kernel_divided_by_its_singular_value():
    layer, (v, u) = normalized_dense(), one_iteration()
    expected = X @ (KERNEL / (v @ KERNEL @ u.T))
    np.testing.assert_allclose(ops.convert_to_numpy(layer(X, training=True)), expected, rtol=1e-5)
    np.testing.assert_allclose(ops.convert_to_numpy(layer.vector_u), u, rtol=1e-5)
    np.testing.assert_array_equal(ops.convert_to_numpy(layer.layer.kernel), KERNEL)


def test_many_batches_find_the_largest_singular_value():
    layer = normalized_dense()
    for _ in range(30):
        layer(X, training=True)
    found, _ = layer.power_iteration()
    np.testing.assert_allclose(float(found), np.linalg.svd(KERNEL, compute_uv=False)[0], rtol=1e-5)
    # Out of training the kernel is divided likewise, and the vector stays.
    before = ops.convert_to_numpy(layer.vector_u)
    np.testing.assert_allclose(ops.convert_to_numpy(layer(X)), X @ KERNEL / float(found), rtol=1e-5)
    np.testing.assert_array_equal(ops.convert_to_numpy(layer.vector_u), before)


def test_the_bias_is_not_divided():
    layer = normalized_dense(use_bias=True)
    plain = ops.convert_to_numpy(layer(X))
    layer.layer.bias.assign([3.0, -7.0])
    np.testing.assert_allclose(ops.convert_to_numpy(layer(X)), plain + np.array([3.0, -7.0]), rtol=1e-5)


def test_the_gradient_passes_through_the_division_on_every_backend():
    v, u = one_iteration()
    sigma = (v @ KERNEL @ u.T).item()
    # d loss / d (kernel / sigma), and what of it the division takes away (arXiv:1802.05957, eq. 12).
    direct = X.T @ (2 * (X @ KERNEL / sigma - 1.0))
    expected = (direct - np.sum(direct * KERNEL / sigma) * (v.T @ u)) / sigma
    np.testing.assert_allclose(gradient_of(normalized_dense()), expected, rtol=1e-4, atol=1e-5)


def test_the_gradient_of_keras_own_layer_differs_between_backends():
    # The reason for our layer. When this fails, Keras has mended its own, and ours can go.
    v, u = one_iteration()
    sigma = (v @ KERNEL @ u.T).item()
    direct = X.T @ (2 * (X @ KERNEL / sigma - 1.0))
    through = (direct - np.sum(direct * KERNEL / sigma) * (v.T @ u)) / sigma
    found = gradient_of(normalized_dense(layer_class=keras.layers.SpectralNormalization))
    np.testing.assert_allclose(found, direct if backends.name == "tensorflow" else through, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("layer", "inputs"),
    [
        (keras.layers.Conv2D(3, 3), np.ones((2, 5, 5, 2), "float32")),
        (kg.layers.Conv2D(3, 3), np.ones((2, 5, 5, 2), "float32")),
        (keras.layers.EinsumDense("bhwc,hwc->bc", 2), np.ones((2, 5, 5, 2), "float32")),
        (keras.layers.Embedding(4, 3), np.array([1, 3], "int32")),
    ],
)
def test_other_layers_are_normalized_likewise(layer, inputs):
    wrapper = SpectralNormalization(layer, power_iterations=50)
    outputs = ops.convert_to_numpy(wrapper(inputs))
    kernel = ops.convert_to_numpy(wrapper.kernel)
    largest = np.linalg.svd(kernel.reshape(-1, kernel.shape[-1]), compute_uv=False)[0]
    np.testing.assert_allclose(outputs, ops.convert_to_numpy(layer(inputs)) / largest, rtol=1e-3)


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_the_bias_is_left_as_it_is_wherever_channels_are(data_format):
    layer = keras.layers.Conv2D(4, 3, padding="same", data_format=data_format, bias_initializer="random_normal")
    wrapper = SpectralNormalization(layer)
    x = np.random.default_rng(0).normal(size=(2, 4, 4, 4)).astype("float32")
    if data_format == "channels_first" and keras.config.backend() == "tensorflow":
        pytest.skip("TensorFlow computes no channels_first convolution on a CPU")
    wrapper(x)
    layer.bias.assign([0.0, 10.0, 20.0, 30.0])
    with_bias = ops.convert_to_numpy(wrapper(x))
    layer.bias.assign(np.zeros(4))
    shape = (4, 1, 1) if data_format == "channels_first" else (4,)
    np.testing.assert_allclose(
        with_bias, ops.convert_to_numpy(wrapper(x)) + np.float32([0, 10, 20, 30]).reshape(shape), rtol=1e-4, atol=1e-4
    )


def test_a_kernel_of_zeros_gives_zeros_and_finite_gradients():
    layer = normalized_dense()
    layer.layer.kernel.assign(np.zeros_like(KERNEL))
    assert not ops.convert_to_numpy(layer(X, training=True)).any()
    assert np.isfinite(gradient_of(layer)).all()


def test_a_layer_with_an_activation_is_refused():
    with pytest.raises(ValueError, match="Dense has activation='relu'; give it none, and put the activation after"):
        SpectralNormalization(keras.layers.Dense(2, activation="relu"))
    with pytest.raises(ValueError, match="Dense has activation='LeakyReLU'"):
        SpectralNormalization(keras.layers.Dense(2, activation=keras.layers.LeakyReLU(0.2)))


def test_the_layer_comes_back_from_its_file(tmp_path):
    layer = normalized_dense(use_bias=True, power_iterations=2)
    inputs = keras.Input((3,))
    network = keras.Model(inputs, layer(inputs))
    network.save(tmp_path / "network.keras")
    loaded = keras.saving.load_model(tmp_path / "network.keras")
    assert loaded.layers[-1].power_iterations == 2
    np.testing.assert_array_equal(ops.convert_to_numpy(loaded(X)), ops.convert_to_numpy(network(X)))


def test_in_16_bits_the_numbers_are_nearly_the_same():
    exact = ops.convert_to_numpy(normalized_dense()(X))
    halved = normalized_dense(dtype="mixed_bfloat16")(X)
    np.testing.assert_allclose(ops.convert_to_numpy(ops.cast(halved, "float32")), exact, atol=0.03)
