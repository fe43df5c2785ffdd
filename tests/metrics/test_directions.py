"""Real digits, spoilt as scripts/check_measures.py does it: does the measure notice that should?"""

import functools
import sys
from pathlib import Path

import numpy as np
import pytest

import kerasgan as kg

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))
from check_measures import SPOILS, Images


@pytest.fixture(scope="module")
def digits():
    """Digits in three sets of one distribution: to train on, as samples, and held out."""
    data = kg.data.load("digits", batch_size=16)
    images = np.concatenate([data.train.images, data.test.images])
    labels = np.concatenate([data.train.labels, data.test.labels])
    order = np.random.default_rng(0).permutation(len(images))[:1200].reshape(3, 400)
    return {
        name: Images(images[one], labels[one]) for name, one in zip(("train", "fakes", "reals"), order, strict=True)
    }


@pytest.fixture(scope="module")
def measured(digits):
    network, train = kg.metrics.feature_network("mnist"), digits["train"]

    @functools.cache
    def measure(name):
        _, spoil = SPOILS[name]
        samples = spoil(digits["fakes"], train, np.random.default_rng(1))
        assert samples.images.dtype == np.uint8 and samples.images.shape == digits["fakes"].images.shape
        return kg.metrics.evaluate(
            samples.images, digits["reals"].images, network, labels=samples.labels, train=train.images
        ).samples

    return measure


@pytest.fixture(scope="module")
def clean(measured):
    return measured("none")


@pytest.mark.parametrize(
    ("way", "measure", "by"),
    [
        ("more_noise", "precision", -0.2),
        ("more_noise", "density", -0.2),
        ("more_blur", "precision", -0.2),
        ("more_blur", "coverage", -0.2),
        ("five_classes", "recall", -0.2),
        ("five_classes", "coverage", -0.3),
        ("five_classes", "classifier_score", -2.0),
        ("one_class", "classifier_score", -4.0),
        ("repeats", "recall", -0.4),
        ("repeats", "coverage", -0.4),
        ("half_copies", "closer", 0.2),
        ("half_copies", "suspicious", 0.4),
        ("copies", "closer", 0.4),
        ("copies", "suspicious", 0.9),
        ("wrong_labels", "conditional_accuracy", -0.1),
    ],
)
def test_the_measure_that_should_see_it_does(measured, clean, way, measure, by):
    difference = getattr(measured(way), measure) - getattr(clean, measure)
    assert difference < by if by < 0 else difference > by


@pytest.mark.parametrize("way", ["more_noise", "more_blur", "five_classes", "one_class", "repeats"])
def test_the_distances_see_whatever_changes_the_images_as_a_set(measured, clean, way):
    assert measured(way).frechet_distance > 2 * clean.frechet_distance
    assert measured(way).kernel_distance.mean > 5 * abs(clean.kernel_distance.mean)


def test_copies_are_all_that_the_distances_do_not_see(measured, clean):
    copied = measured("copies")
    assert copied.frechet_distance < 1.3 * clean.frechet_distance
    assert abs(copied.precision - clean.precision) < 0.1 and abs(copied.recall - clean.recall) < 0.1


def test_dropped_classes_cost_no_precision_and_noise_is_no_dropped_class(measured, clean):
    assert measured("five_classes").precision > clean.precision - 0.1


def test_wrong_labels_change_nothing_but_the_measure_of_labels(measured, clean):
    for name in ("frechet_distance", "precision", "recall", "classifier_score"):
        assert getattr(measured("wrong_labels"), name) == getattr(clean, name)
