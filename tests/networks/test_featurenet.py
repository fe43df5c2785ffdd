import keras
import numpy as np
import pytest

from kerasgan.networks import featurenet


def test_features_of_what_it_learned_have_mean_0_and_variance_1():
    images = np.random.default_rng(0).uniform(-1, 1, (64, 8, 8, 1)).astype("float32")
    network = featurenet.classifier((8, 8, 1), 3, filters=(4, 4), width=6, dropout=0.0)
    inner = keras.Model(network.input, network.get_layer(featurenet.FEATURES).output)
    seen = keras.ops.convert_to_numpy(inner(images, training=True))
    assert seen.shape == (64, 6)
    np.testing.assert_allclose(seen.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(seen.var(axis=0), 1, atol=0.05)


def test_it_ends_in_probabilities_and_has_the_parameters_counted_by_hand():
    network = featurenet.classifier()
    probabilities = network.predict(np.zeros((2, 28, 28, 1)), verbose=0)
    np.testing.assert_allclose(probabilities.sum(axis=1), [1, 1], atol=1e-6)
    convolutions = 9 * 32 + 9 * 32 * 64 + 9 * 64 * 64
    normalizations = 4 * (32 + 64 + 64) + 2 * 128
    assert network.count_params() == convolutions + normalizations + 3 * 3 * 64 * 128 + 128 * 10 + 10


def test_all_of_it_is_float32_whatever_the_policy():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        network = featurenet.classifier((8, 8, 1), 3)
    finally:
        keras.config.set_dtype_policy(before)
    assert {layer.compute_dtype for layer in network.layers[1:]} == {"float32"}
    assert network.predict(np.zeros((2, 8, 8, 1)), verbose=0).dtype == np.float32


@pytest.mark.parametrize("image_shape", [(7, 8, 1), (28, 28), (8, 4, 3)])
def test_images_that_are_too_small_are_refused(image_shape):
    with pytest.raises(ValueError, match="sides of at least 8 pixels"):
        featurenet.classifier(image_shape)
