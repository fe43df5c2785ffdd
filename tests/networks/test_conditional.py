import subprocess
import sys

import keras
import numpy as np
import pytest
from keras import ops

import kerasgan as kg
from kerasgan import backends
from kerasgan.networks import conditional, dcgan, residual

CLASSES, SHAPE = 3, (8, 8, 1)
LOADING = """
import sys
import keras, numpy as np
for file, outputs, inputs in zip(sys.argv[1::3], sys.argv[2::3], sys.argv[3::3]):
    network = keras.saving.load_model(file)
    np.save(outputs, network.predict([np.load(inputs), np.array([0, 2])], verbose=0))
assert "kerasgan" not in sys.modules
"""


def numbers(tensor):
    return ops.convert_to_numpy(tensor)


def normal(*shape):
    return np.random.default_rng(0).standard_normal(shape).astype("float32")


def given(inputs, labels):
    return [ops.convert_to_tensor(inputs), ops.convert_to_tensor(np.array(labels, "int32"))]


def builders():
    """A plain discriminator of each family."""
    return {
        "dcgan": lambda: dcgan.discriminator(SHAPE, dropout=0.0),
        "residual": lambda: residual.discriminator(SHAPE, width=2),
        "normalized": lambda: residual.discriminator(SHAPE, width=2, spectral_normalization=True),
    }


@pytest.mark.parametrize("family", [dcgan, residual])
def test_a_generator_is_fed_the_label_as_one_hot_numbers_after_the_latents(family):
    plain = family.generator(SHAPE, 4 + CLASSES)
    network = conditional.generator(plain, CLASSES)
    assert [tuple(part.shape) for part in network.inputs] == [(None, 4), (None,)]
    assert network.count_params() == plain.count_params()
    latents = normal(2, 4)
    images = numbers(network(given(latents, [0, 2])))
    told = np.concatenate([latents, [[1, 0, 0], [0, 0, 1]]], axis=1)
    np.testing.assert_allclose(images, numbers(plain(told)), rtol=1e-5, atol=1e-6)
    assert np.abs(images - numbers(network(given(latents, [1, 2])))).max(axis=(1, 2, 3)).tolist()[0] > 0.0


def test_a_discriminator_is_fed_a_plane_of_ones_for_the_label():
    plain = residual.discriminator((8, 8, 1 + CLASSES), width=2)
    network = conditional.discriminator(plain, CLASSES)
    images = normal(2, *SHAPE)
    logits = numbers(network(given(images, [1, 0])))
    planes = np.zeros((2, 8, 8, CLASSES), "float32")
    planes[0, ..., 1] = planes[1, ..., 0] = 1.0
    np.testing.assert_allclose(logits, numbers(plain(np.concatenate([images, planes], axis=-1))), rtol=1e-5)
    assert network.output_shape == (None, 1)
    assert (logits != numbers(network(given(images, [2, 2])))).all()


@pytest.mark.parametrize("family", ["dcgan", "residual", "normalized"])
def test_an_auxiliary_classifier_reads_the_features_that_the_logits_are_made_of(family):
    plain = builders()[family]()
    network, images = conditional.auxiliary_classifier(plain, CLASSES), normal(2, *SHAPE)
    assert network.output_shape == [(None, 1), (None, CLASSES)]
    np.testing.assert_array_equal(numbers(network(images)[0]), numbers(plain(images)))
    features = numbers(keras.Model(plain.input, plain.layers[-1].input)(images))
    last = network.layers[-1]
    sigma = float(last.power_iteration()[0]) if family == "normalized" else 1.0
    dense = last.layer if family == "normalized" else last
    dense.bias.assign([1.0, 2.0, 3.0])
    expected = features @ numbers(dense.kernel) / sigma + [1.0, 2.0, 3.0]
    np.testing.assert_allclose(numbers(network(images)[1]), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("family", ["dcgan", "residual"])
def test_a_projection_is_the_formula_of_the_paper(family):
    plain = builders()[family]()
    network, images = conditional.projection_discriminator(plain, CLASSES), normal(2, *SHAPE)
    logits = numbers(network(given(images, [2, 0])))
    features = numbers(keras.Model(plain.input, plain.layers[-1].input)(images))
    (vectors,) = network.get_layer("embedding").get_weights()
    assert vectors.shape == (CLASSES, features.shape[1])
    fit = np.sum(vectors[[2, 0]] * features, axis=1, keepdims=True)
    np.testing.assert_allclose(logits, numbers(plain(images)) + fit, rtol=1e-4, atol=1e-5)
    # It starts about as large as it is long, whatever the network.
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1.0, rel=0.9)
    assert (logits != numbers(network(given(images, [1, 1])))).all()


def test_the_vectors_of_a_normalized_discriminator_are_normalized():
    plain = builders()["normalized"]()
    network, images = conditional.projection_discriminator(plain, CLASSES), normal(2, *SHAPE)
    (wrapper,) = (
        layer for layer in network.layers if isinstance(getattr(layer, "layer", None), keras.layers.Embedding)
    )
    assert type(wrapper) is kg.layers.SpectralNormalization
    features = numbers(keras.Model(plain.input, plain.layers[-1].input)(images))
    vectors = numbers(wrapper.kernel) / float(wrapper.power_iteration()[0])
    expected = numbers(plain(images)) + np.sum(vectors[[2, 0]] * features, axis=1, keepdims=True)
    np.testing.assert_allclose(numbers(network(given(images, [2, 0]))), expected, rtol=1e-4, atol=1e-5)


def test_every_weight_of_a_conditional_pair_has_a_finite_gradient():
    generator = conditional.generator(residual.generator(SHAPE, 4 + CLASSES, width=2), CLASSES)
    discriminator = conditional.projection_discriminator(builders()["normalized"](), CLASSES)
    inputs = given(normal(3, 4), [0, 1, 2])

    def forward():
        logits = discriminator([generator(inputs, training=True), inputs[1]], training=True)
        losses = {"generator": -ops.mean(logits), "discriminator": ops.mean(ops.square(logits))}
        return losses, losses

    players = {"generator": generator.trainable_variables, "discriminator": discriminator.trainable_variables}
    _, gradients = backends.player_gradients(forward, players)
    for player in players:
        for gradient in gradients[player]:
            assert gradient is not None and np.isfinite(numbers(gradient)).all()
    (vectors,) = (g for g in gradients["discriminator"] if tuple(g.shape) == (CLASSES, 4))
    assert (np.abs(numbers(vectors)).sum(axis=1) > 0).all()


def test_exported_networks_load_where_kerasgan_is_not(tmp_path):
    pairs = {
        "generator": (conditional.generator(dcgan.generator(SHAPE, 4 + CLASSES), CLASSES), normal(2, 4)),
        "discriminator": (conditional.projection_discriminator(builders()["residual"](), CLASSES), normal(2, *SHAPE)),
    }
    names = []
    for part, (network, inputs) in pairs.items():
        kg.layers.to_stock(network).save(tmp_path / f"{part}.keras")
        np.save(tmp_path / f"{part}-inputs.npy", inputs)
        names += [f"{part}.keras", f"{part}-outputs.npy", f"{part}-inputs.npy"]
    finished = subprocess.run(
        [sys.executable, "-c", LOADING, *names], capture_output=True, text=True, timeout=120, cwd=tmp_path
    )
    assert finished.returncode == 0, finished.stderr
    for part, (network, inputs) in pairs.items():
        expected = numbers(network(given(inputs, [0, 2])))
        np.testing.assert_allclose(np.load(tmp_path / f"{part}-outputs.npy"), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("build", "complaint"),
    [
        (lambda: conditional.generator(residual.generator(SHAPE, 3), 3), r"takes \(None, 3\); build it for latents of"),
        (lambda: conditional.generator(builders()["dcgan"](), 3), r"takes \(None, 8, 8, 1\)"),
        (lambda: conditional.discriminator(builders()["dcgan"](), 3), r"such as 4 for 3 classes of grey ones"),
        (lambda: conditional.auxiliary_classifier(residual.generator(SHAPE, 3), 3), "ends in Activation; give a"),
        (lambda: conditional.projection_discriminator(kg.networks.dense.classifier(SHAPE), 3), "ends in Dense; give a"),
        (lambda: conditional.projection_discriminator(builders()["dcgan"](), 1), "num_classes is 1; choose at least 2"),
    ],
)
def test_networks_that_do_not_fit_are_refused_with_what_would(build, complaint):
    with pytest.raises(ValueError, match=complaint) as caught:
        build()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("labels", [[0, 2], np.array([0, 2], "uint8"), np.array([[0], [2]]), np.array([0.0, 2.0])])
def test_labels_become_integers(labels):
    checked = conditional.check_labels(labels, CLASSES, count=2)
    assert checked.dtype == "int32" and checked.tolist() == [0, 2]


@pytest.mark.parametrize(
    ("labels", "complaint"),
    [
        ([0, 3], "labels hold 3; the classes of this network go from 0 to 2"),
        ([-1, 0], "labels hold -1"),
        ([0.5, 1.0], "labels are float64; give integers from 0 to 2"),
        (["a", "b"], "give integers from 0 to 2"),
        ([0, 1, 2], r"labels have shape \(3,\); give one integer for each of 2 images"),
        (np.eye(2, 3), r"labels have shape \(2, 3\); give one integer"),
    ],
)
def test_what_is_no_label_is_refused_in_one_line(labels, complaint):
    with pytest.raises(ValueError, match=complaint) as caught:
        conditional.check_labels(labels, CLASSES, count=2)
    assert "\n" not in str(caught.value)
