import keras
import numpy as np
import pytest

from kerasgan.metrics import (
    QUICK_MEASURES,
    FeatureNetworkError,
    evaluate,
    feature_network,
    feature_network_of,
    yardstick,
)
from kerasgan.testing import tiny_images


@pytest.fixture(scope="module")
def network():
    inputs = keras.Input((8, 8, 1))
    return feature_network(keras.Model(inputs, keras.layers.Flatten()(inputs), name="pixels"))


def test_it_measures_what_a_whole_report_does(network):
    reals, fakes = tiny_images(120, 1), tiny_images(100, 2) * 0.8
    stick = yardstick(reals, network)
    found, report = stick.measure(fakes), evaluate(fakes, reals, network).samples
    assert tuple(found) == QUICK_MEASURES
    assert found.pop("kernel_distance") == report.kernel_distance.mean
    assert found == {name: getattr(report, name) for name in found}
    assert stick.measure(fakes)["recall"] == found["recall"]  # a second time, too
    assert stick.measure(tiny_images(100, 3))["frechet_distance"] < found["frechet_distance"]


def test_floats_are_rounded_as_the_real_images_are(network):
    reals = tiny_images(40)
    pixels = np.uint8((reals + 1) * 127.5)
    assert yardstick(reals, network).measure(pixels) == yardstick(pixels, network).measure(reals)


def test_hardly_any_image_is_refused(network):
    with pytest.raises(ValueError, match="reals has 19 images; give at least 20"):
        yardstick(tiny_images(19), network)
    with pytest.raises(ValueError, match="fakes has 5 images"):
        yardstick(tiny_images(30), network).measure(tiny_images(5))


@pytest.mark.parametrize(
    ("name", "network"), [("digits", "mnist"), ("mnist", "mnist"), ("fashion-mnist", "fashion_mnist")]
)
def test_data_of_a_name_have_their_network(name, network):
    assert feature_network_of(name, (28, 28, 1)).name == network


@pytest.mark.parametrize(
    ("name", "shape", "said"),
    [
        ("cats", (28, 28, 1), r"images of \(28, 28, 1\) called cats; give 'mnist' or 'fashion_mnist'"),
        ("mnist", (32, 32, 1), r"images of \(32, 32, 1\) called mnist"),
        (None, (28, 28, 1), r"images of \(28, 28, 1\); give"),
    ],
)
def test_of_other_images_no_network_is_guessed(name, shape, said):
    with pytest.raises(FeatureNetworkError, match=said):
        feature_network_of(name, shape)
