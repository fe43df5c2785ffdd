import keras
import numpy as np
import pytest

import kerasgan as kg

NAMES = tuple("0123456789")


@pytest.mark.parametrize("name", kg.CLASSIFIER_RECIPES)
def test_every_recipe_builds_a_classifier_that_takes_a_step(name):
    recipe = kg.classifier_recipe(name)
    classifier = recipe.build((28, 28, 1), NAMES, augmentation=kg.layers.augmentation(["shift"]))
    images = np.random.default_rng(0).uniform(-1, 1, (8, 28, 28, 1)).astype("float32")
    history = classifier.fit(images, np.eye(10, dtype="float32")[:8], verbose=0).history
    assert history.keys() == {"loss", "accuracy"}
    assert np.isfinite(history["loss"]).all()
    probabilities = classifier.probabilities(images)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)


def test_changes_reach_network_and_optimizer():
    recipe = kg.classifier_recipe("cnn", dropout=0.5, learning_rate=0.01, epochs=None)
    classifier = recipe.build((28, 28, 1), NAMES, weight_decay=0.1)
    (dropout,) = [layer for layer in classifier.network.layers if isinstance(layer, keras.layers.Dropout)]
    optimizer = classifier.optimizer.by_player["network"]
    assert dropout.rate == 0.5
    assert float(optimizer.learning_rate) == pytest.approx(0.01)
    assert optimizer.weight_decay == 0.1
    assert recipe.epochs == 10


def test_the_workshop_values_are_kept():
    dense, cnn, low_level = (
        kg.classifier_recipe(name).build((28, 28, 1), NAMES) for name in ("dense", "cnn", "low_level")
    )
    assert isinstance(dense.optimizer.by_player["network"], keras.optimizers.RMSprop)
    adam = cnn.optimizer.by_player["network"]
    assert (float(adam.learning_rate), adam.beta_1, adam.beta_2) == (pytest.approx(0.002), 0.9, 0.999)
    assert low_level.from_logits
    assert float(low_level.optimizer.learning_rate) == pytest.approx(0.001)


@pytest.mark.parametrize(
    ("name", "changes", "build", "complaint"),
    [
        ("resnet", {}, {}, "model 'resnet' is unknown; choose one of dense, cnn, low_level, scratch"),
        ("scratch", {"dropout": 0.5}, {}, "knows neither dropout nor weight decay"),
        ("scratch", {}, {"weight_decay": 0.1}, "knows neither dropout nor weight decay"),
        ("cnn", {"momentum": 0.9}, {}, "momentum is an option of the network from scratch"),
        ("dense", {"init": "glorot"}, {}, "init is an option of the network from scratch"),
    ],
)
def test_what_a_network_does_not_know_is_refused(name, changes, build, complaint):
    with pytest.raises(ValueError, match=complaint):
        kg.classifier_recipe(name, **changes).build((28, 28, 1), NAMES, **build)
