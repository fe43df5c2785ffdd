import json

import keras
import numpy as np
import pytest

from kerasgan.metrics import evaluate, feature_network
from kerasgan.testing import tiny_images


@pytest.fixture(scope="module")
def network():
    """Features that say where the square lies and how clear it is; the classes are its rows."""
    inputs = keras.Input((8, 8, 1))
    rows = keras.ops.mean(inputs, axis=(2, 3))  # (batch, 8)
    columns = keras.ops.mean(inputs, axis=(1, 3))
    features = keras.layers.Concatenate(name="features")([rows, columns])
    classes = keras.layers.Dense(5, activation="softmax", name="classes")(features)
    model = keras.Model(inputs, classes, name="squares")
    kernel = np.zeros((16, 5))
    kernel[:5] += 40 * np.eye(5)
    kernel[:4, 1:] -= 40 * np.eye(4)
    model.get_layer("classes").set_weights([kernel, np.zeros(5)])
    return feature_network(model, layer="features")


def noisy(count, seed):
    """Squares, each pixel of which differs a little."""
    noise = np.random.default_rng(seed + 100).normal(0, 0.1, (count, 8, 8, 1))
    return np.clip(tiny_images(count, seed) * 0.7 + noise, -1, 1).astype("float32")


def rows_of(images):
    return images.mean(axis=(2, 3)).argmax(axis=1)


@pytest.fixture(scope="module")
def sets():
    return {"fakes": noisy(300, 1), "reals": noisy(300, 2), "train": noisy(600, 3)}


@pytest.fixture(scope="module")
def quality(network, sets):
    return evaluate(sets["fakes"], sets["reals"], network, train=sets["train"])


def test_samples_like_the_data_measure_like_real_images(quality):
    ours, real = quality.samples, quality.real
    assert ours.frechet_distance < 2 * real.frechet_distance
    assert abs(ours.kernel_distance.mean) < 4 * ours.kernel_distance.standard_error
    for name in ("precision", "recall", "density", "coverage"):
        assert getattr(ours, name) == pytest.approx(getattr(real, name), abs=0.15), name
    assert ours.classifier_score == pytest.approx(real.classifier_score, rel=0.1)
    assert ours.closer == pytest.approx(0.5, abs=0.1) and real.closer == pytest.approx(0.5, abs=0.1)
    assert ours.conditional_accuracy is None


def test_numbers_of_images_and_the_network_stand_beside_the_figures(quality, network):
    assert (quality.fakes, quality.reals, quality.halves, quality.trained) == (300, 300, 150, 600)
    assert (quality.network, quality.digest, quality.width) == ("squares/features", network.digest, 16)
    table = quality.as_table()
    assert "samples: 300 against 300 real images" in table
    assert "real:    150 real images against 150 others" in table
    assert "nearest: among 600 training images" in table
    assert f"SHA-256 {network.digest[:12]}" in table


def test_the_table_fits_a_terminal_and_all_figures_a_json_file(quality):
    lines = quality.as_table().splitlines()
    assert max(map(len, lines)) <= 80
    assert sum(line.startswith("| ") for line in lines) == 11  # shows its label is left out: nothing was asked for
    figures = json.loads(json.dumps(quality.as_dict()))
    assert figures["samples"]["kernel_distance"]["blocks"] == 2
    assert figures["real"]["frechet_distance"] == quality.real.frechet_distance


def blurred(images):
    return (images + np.roll(images, 1, 1) + np.roll(images, 1, 2) + np.roll(images, 2, 1)) / 4


@pytest.mark.parametrize(
    ("change", "worse", "by"),
    [
        (lambda sets: sets["fakes"] + np.random.default_rng(0).normal(0, 0.5, (300, 8, 8, 1)), "precision", -0.3),
        (lambda sets: blurred(sets["fakes"]), "density", -0.3),
        (lambda sets: sets["fakes"][np.argsort(rows_of(sets["fakes"]))[:60]], "recall", -0.2),
        (lambda sets: sets["fakes"][np.argsort(rows_of(sets["fakes"]))[:100]], "coverage", -0.3),
        (lambda sets: sets["fakes"][np.argsort(rows_of(sets["fakes"]))[:40]], "classifier_score", -1.0),
        (lambda sets: sets["train"][:300], "closer", 0.4),
        (lambda sets: sets["train"][:300], "suspicious", 0.9),
    ],
    ids=["noise", "blur", "dropped", "dropped, coverage", "one class", "copies", "copies, suspicious"],
)
def test_what_is_wrong_worsens_the_measure_that_should_see_it(network, sets, quality, change, worse, by):
    changed = evaluate(change(sets), sets["reals"], network, train=sets["train"])
    difference = getattr(changed.samples, worse) - getattr(quality.samples, worse)
    assert difference < by if by < 0 else difference > by
    assert changed.real == quality.real
    if worse not in ("closer", "suspicious"):
        assert changed.samples.frechet_distance > 2 * quality.samples.frechet_distance
        assert changed.samples.kernel_distance.mean > 5 * abs(quality.samples.kernel_distance.mean)


def test_samples_of_a_class_are_held_against_what_was_asked_for(network, sets):
    classes = network.describe(sets["fakes"])[1].argmax(axis=1)
    reals = network.describe(sets["reals"])[1].argmax(axis=1)
    measured = evaluate(sets["fakes"], sets["reals"], network, labels=classes, real_labels=reals)
    assert measured.samples.conditional_accuracy > 0.95 and measured.real.conditional_accuracy > 0.95
    shifted = evaluate(sets["fakes"], sets["reals"], network, labels=(classes + 1) % 5)
    assert shifted.samples.conditional_accuracy < 0.01 and shifted.real.conditional_accuracy is None
    assert "shows its label" in measured.as_table()
    assert measured.trained is None and "nearest" not in measured.as_table()


def test_too_few_images_for_the_features_are_noted(network, sets):
    quality = evaluate(sets["fakes"][:20], sets["reals"][:30], network)
    assert "note: real has 15 images for 16 features: mostly bias in Fréchet." in quality.as_table()
    assert "note: the Fréchet distance of fewer images is larger, and real has fewer." in quality.as_table()
    assert max(map(len, quality.as_table().splitlines())) <= 80


def test_hardly_any_image_is_refused(network, sets):
    with pytest.raises(ValueError, match="fakes has 19 images; give at least 20"):
        evaluate(sets["fakes"][:19], sets["reals"], network)
    with pytest.raises(ValueError, match="reals has 0 images"):
        evaluate(sets["fakes"], sets["reals"][:0], network)


@pytest.mark.parametrize(("labels", "count"), [("labels", 299), ("real_labels", 301)])
def test_more_or_fewer_labels_than_images_are_refused(network, sets, labels, count):
    with pytest.raises(ValueError, match=f"^{labels} has {count} labels of 300 images; give one for each"):
        evaluate(sets["fakes"], sets["reals"], network, **{labels: np.zeros(count, int)})


def test_tensors_and_lists_measure_as_arrays_do(network, sets):
    measured = evaluate(sets["fakes"], sets["reals"], network)
    tensor = keras.ops.convert_to_tensor(sets["fakes"])
    assert evaluate(tensor, list(sets["reals"]), network) == measured


def test_a_network_without_classes_gives_no_scores(sets, network):
    plain = feature_network(keras.Model(network.network.input, network.network.outputs[0]))
    quality = evaluate(sets["fakes"], sets["reals"], plain, labels=np.zeros(300, int))
    assert quality.samples.classifier_score is None and quality.samples.conditional_accuracy is None
    assert "classifier score" not in quality.as_table()


def test_the_seed_alone_decides_on_the_halves(network, sets):
    one, other = (evaluate(sets["fakes"], sets["reals"], network, seed=seed) for seed in (0, 1))
    assert evaluate(sets["fakes"], sets["reals"], network) == one
    assert one.real != other.real and one.samples.precision == other.samples.precision


def test_a_network_may_be_named_or_a_keras_model(network, sets):
    named = evaluate(sets["fakes"], sets["reals"], network.network)
    assert named.width == evaluate(sets["fakes"], sets["reals"], network).width
    with pytest.raises(ValueError, match="feature network 'cats' is unknown"):
        evaluate(sets["fakes"], sets["reals"], "cats")


def test_images_of_another_scale_are_warned_of(network, sets):
    unit = (sets["fakes"] + 1) / 2
    with pytest.warns(UserWarning, match=r"fakes lies in \[0, 1\], and is measured as if in \[-1, 1\]"):
        spoilt = evaluate(unit, sets["reals"], network)
    right = evaluate(2 * unit - 1, sets["reals"], network)  # warnings are errors
    assert right.samples.frechet_distance < spoilt.samples.frechet_distance
    with pytest.warns(UserWarning, match=r"train lies in \[0, 1\]"):  # or copies would look like no training image
        evaluate(sets["fakes"], sets["reals"], network, train=unit)
