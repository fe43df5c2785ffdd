"""What is wrong with real digits, seen by the classifier that comes with kerasgan."""

import functools

import numpy as np
import pytest

import kerasgan as kg


@pytest.fixture(scope="module")
def digits():
    """Digits in three sets of one distribution: to train on, as samples, and held out; each with its labels."""
    data = kg.data.load("digits", batch_size=16)
    images = np.concatenate([data.train.images, data.test.images])
    labels = np.concatenate([data.train.labels, data.test.labels])
    order = np.random.default_rng(0).permutation(len(images))[:1200].reshape(3, 400)
    return {name: (images[one], labels[one]) for name, one in zip(("train", "fakes", "reals"), order, strict=True)}


@pytest.fixture(scope="module")
def measured(digits):
    network = kg.metrics.feature_network("mnist")
    (train, _), (reals, _) = digits["train"], digits["reals"]
    return functools.cache(lambda spoil: kg.metrics.evaluate(spoil(digits), reals, network, train=train).samples)


@pytest.fixture(scope="module")
def clean(measured):
    return measured(lambda digits: digits["fakes"][0])


def noisy(digits):
    images = digits["fakes"][0]
    return np.clip(images + np.random.default_rng(1).normal(0, 60, images.shape), 0, 255).astype(np.uint8)


def blurred(digits):
    images = digits["fakes"][0].astype(float)
    for _ in range(3):
        images = sum(np.roll(images, shift, axis) for axis in (1, 2) for shift in (-1, 0, 1)) / 6
    return images.astype(np.uint8)


def of_five_classes(digits):
    images, labels = digits["fakes"]
    return np.concatenate([images[labels < 5]] * 2)[:400]


def of_one_class(digits):
    images, labels = digits["fakes"]
    return images[labels == 3]


def copies(digits):
    return digits["train"][0]


@pytest.mark.parametrize(
    ("spoil", "measure", "by"),
    [
        (noisy, "precision", -0.2),
        (noisy, "density", -0.2),
        (blurred, "precision", -0.2),
        (blurred, "coverage", -0.2),
        (of_five_classes, "recall", -0.2),
        (of_five_classes, "coverage", -0.3),
        (of_five_classes, "classifier_score", -2.0),
        (of_one_class, "classifier_score", -4.0),
        (copies, "closer", 0.4),
        (copies, "suspicious", 0.9),
    ],
)
def test_the_measure_that_should_see_it_does(measured, clean, spoil, measure, by):
    spoilt = measured(spoil)
    difference = getattr(spoilt, measure) - getattr(clean, measure)
    assert difference < by if by < 0 else difference > by
    if spoil is not copies:
        assert spoilt.frechet_distance > 2 * clean.frechet_distance
        assert spoilt.kernel_distance.mean > 5 * abs(clean.kernel_distance.mean)


def test_copies_are_all_that_the_distances_do_not_see(measured, clean):
    copied = measured(copies)
    assert copied.frechet_distance < 1.3 * clean.frechet_distance
    assert abs(copied.precision - clean.precision) < 0.1 and abs(copied.recall - clean.recall) < 0.1


def test_dropped_classes_cost_no_precision_and_noise_is_no_dropped_class(measured, clean):
    assert measured(of_five_classes).precision > clean.precision - 0.1
