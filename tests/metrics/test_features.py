"""`reference_features.npz` holds four images of scikit-learn's digits, and what the shipped networks gave on JAX."""

import json
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest

from kerasgan.metrics import FEATURE_NETWORKS, FeatureNetworkError, feature_network, save_feature_network
from kerasgan.metrics.features import WEIGHTS, as_pixels, digest_of, load_feature_network
from kerasgan.networks import featurenet
from kerasgan.testing import tiny_classifier, tiny_images

REFERENCE = Path(__file__).parent / "reference_features.npz"
LEAST_ACCURACY = {"mnist": 0.99, "fashion_mnist": 0.91}


@pytest.fixture(scope="module")
def reference():
    return dict(np.load(REFERENCE))


@pytest.fixture(scope="module")
def mnist():
    return feature_network("mnist")


@pytest.mark.parametrize("name", FEATURE_NETWORKS)
def test_every_backend_gives_the_committed_features(reference, name):
    network = feature_network(name)
    features, probabilities = network.describe(reference["images"])
    assert features.dtype == np.float64 and features.shape == (4, 128)
    np.testing.assert_allclose(features, reference[name], rtol=0, atol=1e-4)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    others = network.describe(reference["images"][::-1])[0]
    assert np.abs(others - reference[name]).max() > 0.1


def test_the_digits_are_read_as_what_they_are(reference, mnist):
    assert mnist.describe(reference["images"])[1].argmax(axis=1).tolist() == reference["labels"].tolist()


@pytest.mark.parametrize("name", FEATURE_NETWORKS)
def test_the_facts_beside_the_weights_hold(name):
    facts = feature_network(name).facts
    assert facts["accuracy"] >= LEAST_ACCURACY[name] and facts["test_images"] == 10_000
    assert facts["dataset"] == name and len(facts["data_fingerprint"]) == 64
    assert facts["bytes"] == (WEIGHTS / f"{name}.safetensors").stat().st_size < 1e6
    assert facts["parameters"] == featurenet.classifier().count_params()
    assert f"train_feature_network.py --dataset {name} " in facts["command"] and facts["seconds"] > 0


def test_pixels_and_floats_are_the_same_images(reference, mnist):
    floats = reference["images"].astype("float32") / 127.5 - 1
    np.testing.assert_array_equal(as_pixels(floats), reference["images"])
    np.testing.assert_allclose(mnist.describe(floats)[0], reference["mnist"], atol=1e-4)
    assert as_pixels(np.float32([[-3, 1.5]])).tolist() == [[0, 255]]


def test_neither_the_batch_nor_the_precision_in_force_changes_features(reference, mnist, monkeypatch):
    monkeypatch.setattr("kerasgan.metrics.features._BLOCK", 3)
    np.testing.assert_allclose(mnist.describe(reference["images"], batch_size=2)[0], reference["mnist"], atol=1e-4)
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        features = feature_network("mnist").describe(reference["images"])[0]
    finally:
        keras.config.set_dtype_policy(before)
    np.testing.assert_allclose(features, reference["mnist"], atol=1e-4)


def test_a_trained_network_is_saved_and_read(tmp_path):
    network = featurenet.classifier()
    path = save_feature_network(network, tmp_path / "new", "mine", {"accuracy": 0.5})
    loaded = load_feature_network(tmp_path / "new", "mine")
    assert loaded.facts["accuracy"] == 0.5 and loaded.facts["sha256"] == loaded.digest
    assert path.stat().st_size == loaded.facts["bytes"]
    images = np.zeros((2, 28, 28, 1), np.uint8)
    expected = network.predict(images.astype("float32") / 127.5 - 1, verbose=0)
    np.testing.assert_allclose(loaded.describe(images)[1], expected, atol=1e-6)


def damaged(path):
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def rehashed(path):
    """Cut short, with a digest that says so."""
    import hashlib

    path.write_bytes(path.read_bytes()[:-4])
    path.with_suffix(".json").write_text(json.dumps({"sha256": hashlib.sha256(path.read_bytes()).hexdigest()}))


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (damaged, "and .* is written beside it; install kerasgan again"),
        (rehashed, "cannot be read .*; install kerasgan again"),
        (lambda path: path.unlink(), "cannot be read .*No such file"),
        (lambda path: path.with_suffix(".json").unlink(), "cannot be read .*No such file"),
        (lambda path: path.with_suffix(".json").write_text("[]"), "cannot be read"),
        (lambda path: path.with_suffix(".json").write_text("{"), "cannot be read"),
        (lambda path: path.with_suffix(".json").write_text('{"sha256": "00"}'), r"00\.\.\. is written beside it"),
    ],
)
def test_a_damaged_file_is_refused_in_one_line(tmp_path, damage, complaint):
    for ending in (".safetensors", ".json"):
        shutil.copy(WEIGHTS / f"mnist{ending}", tmp_path)
    load_feature_network(tmp_path, "mnist")
    damage(tmp_path / "mnist.safetensors")
    with pytest.raises(FeatureNetworkError, match=complaint) as error:
        load_feature_network(tmp_path, "mnist")
    assert "\n" not in str(error.value)


def test_any_keras_model_can_be_given():
    images, model = tiny_images(6), tiny_classifier().network
    plain = feature_network(model)
    assert not plain.classifies and plain.describe(images)[1] is None
    np.testing.assert_allclose(plain.describe(images)[0], model.predict(images, verbose=0), atol=1e-6)
    hidden = model.layers[1]
    inner = feature_network(model, layer=hidden.name)
    features, probabilities = inner.describe(images)
    assert features.shape == (6, 8) and probabilities.shape == (6, 3)
    assert inner.digest == plain.digest == digest_of(model)
    model.layers[-1].bias.assign([1.0, 0.0, 0.0])
    assert digest_of(model) != plain.digest


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["cifar10"], "feature network 'cifar10' is unknown; choose one of mnist, fashion_mnist, or give a Keras"),
        (["mnist", "features"], "layer is 'features', which is for a model of your own"),
    ],
)
def test_an_unknown_network_is_refused(arguments, complaint):
    with pytest.raises(FeatureNetworkError, match=complaint):
        feature_network(*arguments)


def test_an_unknown_layer_is_refused_with_some_that_are_known():
    with pytest.raises(FeatureNetworkError, match=r"layer 'pool' is not in network; choose one of .*dense"):
        feature_network(tiny_classifier().network, layer="pool")


def test_a_model_that_is_not_built_is_refused():
    with pytest.raises(FeatureNetworkError, match="fresh has no single input of images; give a functional model"):
        feature_network(keras.Sequential([keras.layers.Flatten()], name="fresh"))


@pytest.mark.parametrize(
    ("images", "complaint"),
    [
        (np.zeros((2, 32, 32, 1)), r"images have shape \(2, 32, 32, 1\); the feature network mnist takes \(count, 28"),
        (np.zeros((2, 28, 28)), r"images have shape \(2, 28, 28\)"),
        (np.zeros((2, 28, 28, 1), int), "images are int64; give uint8"),
        (np.full((2, 28, 28, 1), np.nan), "images hold NaN or infinity; the generator has diverged"),
    ],
)
def test_images_that_it_cannot_see_are_refused(mnist, images, complaint):
    with pytest.raises(ValueError, match=complaint):
        mnist.describe(images)


def test_floats_of_another_scale_are_refused():
    with pytest.raises(ValueError, match=r"images are floats up to 255; give floats in \[-1, 1\], or uint8 in 0..255"):
        as_pixels(np.full((1, 2, 2, 1), 255.0, "float32"))


def test_a_stray_pixel_is_clipped_and_no_reason_to_refuse_images():
    images = np.zeros((2, 10, 10, 1), "float32")
    images[0, 0, 0] = 9.0
    assert as_pixels(images)[0, 0, 0] == 255
    images[:, :2, 0] = 9.0  # four of 200
    with pytest.raises(ValueError, match="images are floats up to 9"):
        as_pixels(images)
