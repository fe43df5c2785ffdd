import keras
import numpy as np
import optuna
import pytest

import kerasgan as kg
from kerasgan.tuning import space

TRAINING = {"activation": "relu", "dropout": 0.2, "optimizer": "adam", "rate": 0.001, "batch_size": 64}
CONVNET = {
    "network": "convnet",
    "blocks": 2,
    "filters": 16,
    "convolutions": 2,
    "units": 64,
    "batch_normalization": True,
}


@pytest.fixture
def drawn():
    """Settings that a search at random draws from one of the spaces."""

    def draw(name, count, image_shape=(28, 28, 1), examples=54_000):
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
        return [space.SPACES[name](study.ask(), image_shape, examples) for _ in range(count)]

    return draw


def values_of(settings, name):
    return {chosen[name] for chosen in settings}


def test_every_choice_comes_up_in_a_search_of_convnets(drawn):
    settings = drawn("convnet", 300)
    assert values_of(settings, "blocks") == {1, 2, 3}
    assert values_of(settings, "filters") == {16, 32, 48, 64}
    assert values_of(settings, "convolutions") == {1, 2}
    assert values_of(settings, "units") == {0, 64, 128, 256}
    assert values_of(settings, "batch_normalization") == {True, False}
    assert values_of(settings, "dropout") == {0.0, 0.1, 0.2, 0.3, 0.4, 0.5}
    assert values_of(settings, "batch_size") == {64, 128, 256}


def test_every_choice_comes_up_in_a_search_of_dense_networks(drawn):
    settings = drawn("dense", 200)
    assert values_of(settings, "layers") == {1, 2, 3}
    assert values_of(settings, "units") == {128, 256, 512}
    assert values_of(settings, "activation") == {"relu", "leaky_relu", "silu"}


def test_each_optimizer_has_rates_of_its_own(drawn):
    settings = drawn("dense", 400)
    for optimizer, (lowest, highest) in space.RATES.items():
        rates = [chosen["rate"] for chosen in settings if chosen["optimizer"] == optimizer]
        assert lowest <= min(rates) < 2 * lowest
        assert highest / 2 < max(rates) <= highest


def cost(settings, image_shape):
    filters = space.widths(settings["filters"], settings["blocks"])
    return space.multiply_adds(image_shape, filters, settings["convolutions"])


def test_no_convnet_of_a_search_is_too_dear(drawn):
    costs = [cost(settings, (28, 28, 1)) for settings in drawn("convnet", 300)]
    assert space.MULTIPLY_ADDS / 2 < max(costs) <= space.MULTIPLY_ADDS
    # And there are some to keep out.
    assert space.multiply_adds((28, 28, 1), [32, 64], 2) > space.MULTIPLY_ADDS


def test_of_large_images_the_smallest_convnet_may_still_be_tried(drawn):
    settings = drawn("convnet", 50, image_shape=(256, 256, 3))
    assert values_of(settings, "filters") == {16}
    assert values_of(settings, "convolutions") == {1}


def test_multiply_adds_are_those_counted_by_hand():
    # 28x28: 1 -> 16 and 16 -> 16; 14x14: 16 -> 32 and 32 -> 32.
    by_hand = 784 * 9 * (16 + 256) + 196 * 9 * (512 + 1024)
    assert space.multiply_adds((28, 28, 1), [16, 32], 2) == by_hand


@pytest.mark.parametrize("settings", [CONVNET, CONVNET | {"blocks": 3, "convolutions": 1, "units": 0}])
def test_multiply_adds_are_those_of_the_network_that_is_built(settings):
    network = space.network_of(settings | TRAINING, (20, 24, 3), 10)
    convolutions = [layer for layer in network.layers if isinstance(layer, keras.layers.Conv2D)]
    counted = [np.prod(layer.output.shape[1:3]) * np.prod(layer.kernel.shape) for layer in convolutions]
    assert sum(counted) == cost(settings, (20, 24, 3))


def test_three_blocks_fit_into_the_smallest_images_they_are_drawn_for(drawn):
    assert values_of(drawn("convnet", 30, image_shape=(8, 8, 1)), "blocks") == {1, 2, 3}
    assert values_of(drawn("convnet", 30, image_shape=(28, 7, 1)), "blocks") == {1, 2}
    network = space.network_of(CONVNET | TRAINING | {"blocks": 3}, (8, 8, 1), 2)
    assert network.output_shape == (None, 2)


def test_a_batch_is_never_larger_than_the_split(drawn):
    assert values_of(drawn("dense", 30, examples=130), "batch_size") == {64, 128}
    assert values_of(drawn("dense", 30, examples=48), "batch_size") == {48}


def test_widths_double_up_to_a_cap():
    assert space.widths(48, 3) == [48, 96, 128]


@pytest.mark.parametrize("optimizer", space.RATES)
def test_the_rate_goes_down_to_zero_over_the_steps(optimizer):
    built = space.optimizer_of(TRAINING | {"optimizer": optimizer, "rate": 0.01}, 100)
    schedule = built.get_config()["learning_rate"]["config"]
    rate = keras.optimizers.schedules.CosineDecay.from_config(schedule)
    assert [float(rate(step)) for step in (0, 50, 100)] == pytest.approx([0.01, 0.005, 0.0], abs=1e-7)


def test_settings_build_a_classifier_that_is_compiled():
    images = np.zeros((20, 8, 8, 1), "uint8")
    data = kg.data.DataModule(images, np.arange(20) % 4, batch_size=4)
    classifier = space.build(CONVNET | TRAINING, data, steps=10, augment=["shift"])
    assert classifier.compiled and classifier.num_classes == 4
    assert [layer.units for layer in classifier.network.layers if isinstance(layer, keras.layers.Dense)] == [64, 4]
    plain = space.build({"network": "dense", "layers": 2, "units": 32} | TRAINING, data, steps=10)
    assert [layer.units for layer in plain.network.layers if isinstance(layer, keras.layers.Dense)] == [32, 32, 4]


def test_words_say_what_was_chosen():
    assert space.words(CONVNET | TRAINING) == {
        "network": "2x16-32 bn relu",
        "dense": "64",
        "drop": "0.2",
        "optimizer": "adam 1.0e-3",
        "batch": "64",
    }
    dense = {"network": "dense", "layers": 3, "units": 512} | TRAINING | {"optimizer": "sgd", "rate": 0.25}
    assert space.words(dense) == {"network": "3x512 relu", "drop": "0.2", "optimizer": "sgd 2.5e-1", "batch": "64"}


@pytest.mark.parametrize("network", space.SPACES)
def test_baselines_lie_in_the_space_and_are_left_out_where_they_would_not(network):
    first = space.baselines(network, (28, 28, 1), 54_000)
    assert first
    for parameters in first:
        trial = optuna.trial.FixedTrial(parameters)
        settings = space.SPACES[network](trial, (28, 28, 1), 54_000)
        assert {name: settings[name] for name in settings.keys() & parameters.keys()} == {
            name: parameters[name] for name in settings.keys() & parameters.keys()
        }
        for name, distribution in trial.distributions.items():
            assert distribution._contains(distribution.to_internal_repr(parameters[name])), name
    assert space.baselines(network, (28, 28, 1), 100) == []
    assert space.baselines(network, (4, 4, 1), 54_000) == []
