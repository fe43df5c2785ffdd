"""A classifier under `Trainer`: what stock callbacks do, what is kept as best, what is left behind."""

import json

import keras
import numpy as np
import pytest

import kerasgan as kg
from kerasgan.testing import tiny_images

NAMES = ("left", "right")


@pytest.fixture(scope="module")
def data():
    images = tiny_images(96)
    labels = ((images.max(axis=(1, 3)) > 0).argmax(axis=1) > 2).astype(int)
    test = (images[64:], labels[64:])
    return kg.data.DataModule(images[:64], labels[:64], test=test, class_names=NAMES, batch_size=16, val_size=16)


def classifier(rate=1e-2, augmentation=None, dropout=0.2, loss="sparse_categorical_crossentropy", built=True):
    network = keras.Sequential(
        [
            *([keras.Input((8, 8, 1))] if built else []),
            keras.layers.Flatten(),
            keras.layers.Dense(8, activation="relu"),
            keras.layers.Dropout(dropout),
            keras.layers.Dense(2, activation="softmax"),
        ]
    )
    module = kg.Classifier(network, NAMES, augmentation=augmentation)
    module.compile(keras.optimizers.Adam(rate), loss, metrics=["accuracy"])
    return module


def best_by_accuracy():
    return kg.callbacks.Checkpoint(monitor="val_accuracy", mode="max", keep_last=1)


def test_a_run_leaves_report_exports_and_test_figures(tmp_path, data):
    callbacks = [kg.callbacks.Checkpoint(), kg.callbacks.ClassificationReport()]
    trainer = kg.Trainer(tmp_path / "run", max_epochs=2, callbacks=callbacks, seed=0)
    module = classifier()
    trainer.fit(module, data)
    figures = trainer.test(module, data)
    assert figures.keys() == {"loss", "accuracy"}
    assert json.loads((tmp_path / "run/results.json").read_text())["test"] == figures
    assert callbacks[1].assessment.accuracy == pytest.approx(figures["accuracy"])
    assert "confusion" in (tmp_path / "run/report.md").read_text()
    assert trainer.validate(module, data).keys() == figures.keys()

    images = data.test[0][0]
    expected = module.predict(images, verbose=0)
    np.testing.assert_array_equal(trainer.predict(module, images), expected)
    whole = keras.saving.load_model(tmp_path / "run/model.keras")
    parts = keras.models.model_from_json((tmp_path / "run/model.json").read_text())
    parts.load_weights(tmp_path / "run/model.weights.h5")
    for network in (whole, parts, kg.load_run(tmp_path / "run")):
        np.testing.assert_array_equal(network.predict(images, verbose=0), expected)
    assert not list((tmp_path / "run").glob(".tmp-*"))


def test_the_best_checkpoint_is_kept_and_loaded(tmp_path, data):
    module = classifier(rate=0.05)
    history = kg.Trainer(tmp_path / "run", max_epochs=12, callbacks=[best_by_accuracy()], seed=3).fit(module, data)
    accuracies = history.history["val_accuracy"]
    assert np.argmax(accuracies) < 11, "the last epoch is the best, so nothing is shown"
    best = kg.load_run(tmp_path / "run", step="best")
    assert best.global_step == 3 * (1 + int(np.argmax(accuracies)))
    figures = kg.Trainer(tmp_path / "other").validate(best, data)
    assert figures["accuracy"] == pytest.approx(max(accuracies))
    assert kg.load_run(tmp_path / "run").global_step == 36


def test_without_a_monitor_there_is_no_best(tmp_path, data):
    kg.Trainer(tmp_path / "run", max_epochs=1, callbacks=[kg.callbacks.Checkpoint()]).fit(classifier(), data)
    with pytest.raises(kg.checkpoints.CheckpointError, match="no best checkpoint was kept"):
        kg.load_run(tmp_path / "run", step="best")


def test_stock_callbacks_stop_early_and_lower_the_rate(tmp_path, data):
    callbacks = [
        keras.callbacks.EarlyStopping("val_loss", patience=4, min_delta=100.0),
        keras.callbacks.ReduceLROnPlateau("val_loss", factor=0.5, patience=1, min_delta=100.0),
    ]
    module = classifier()
    history = kg.Trainer(tmp_path / "run", max_epochs=50, callbacks=callbacks, seed=0).fit(module, data)
    assert len(history.epoch) == 5
    assert float(module.optimizer.learning_rate) == pytest.approx(1e-2 * 0.5**4)
    assert json.loads((tmp_path / "run/results.json").read_text())["status"] == "done"


def test_resume_in_mid_epoch_continues_the_random_augmentation(tmp_path, data):
    def run(directory, resume=False, **limits):
        trainer = kg.Trainer(tmp_path / directory, callbacks=[kg.callbacks.Checkpoint()], seed=0, **limits)
        module = classifier(augmentation=kg.layers.augmentation(["shift", "erase"]))
        trainer.fit(module, data, resume=resume)
        return module.probabilities(data.test)

    whole = run("whole", max_epochs=3)
    run("parts", max_steps=5)
    np.testing.assert_array_equal(run("parts", max_epochs=3, resume=True), whole)


def test_a_rehearsal_does_not_touch_the_figures_of_a_run(tmp_path, data):
    kg.Trainer(tmp_path / "run", max_epochs=1).fit(classifier(), data)
    kg.Trainer(tmp_path / "run", fast_dev_run=True).test(classifier(), data)
    assert "test" not in json.loads((tmp_path / "run/results.json").read_text())


@pytest.fixture(scope="module")
def two_epochs(tmp_path_factory, data):
    """Make a trainer of a run that has ended, and was resumed by the same network: nobody's mistake."""
    run_dir = tmp_path_factory.mktemp("runs") / "run"

    def trainer():
        return kg.Trainer(run_dir, max_epochs=2, callbacks=[kg.callbacks.Checkpoint()])

    trainer().fit(classifier(), data)
    trainer().fit(classifier(), data, resume=True)  # the layers' generated names differ by now
    return trainer


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"dropout": 0.5}, "network layer 3 Dropout rate was 0.2 and is 0.5"),
        ({"augmentation": kg.layers.augmentation(["flip"])}, "augmentation layer 0 RandomFlip"),
        ({"augmentation": keras.layers.RandomFlip("vertical")}, "augmentation mode was None and is vertical"),
        ({"loss": keras.losses.SparseCategoricalCrossentropy(reduction="sum")}, "loss function reduction"),
        ({"rate": 0.1}, "network learning_rate was 0.01 and is 0.1"),
    ],
    ids=["dropout", "augmentation", "one layer", "loss", "rate"],
)
def test_a_network_of_other_settings_is_not_resumed(two_epochs, data, changed, complaint):
    with pytest.raises(ValueError, match=complaint):
        two_epochs().fit(classifier(**changed), data, resume=True)


def test_a_network_of_other_layers_from_scratch_is_not_resumed(tmp_path, data):
    def fit(activation, resume):
        network = kg.networks.scratch.classifier((8, 8, 1), 2, units=(4,), activation=activation)
        trainer = kg.Trainer(tmp_path / "run", max_epochs=2, callbacks=[kg.callbacks.Checkpoint()])
        trainer.fit(kg.ScratchClassifier(network, NAMES), data, resume=resume)

    fit("relu", resume=False)
    fit("relu", resume=True)
    with pytest.raises(ValueError, match=r"layers 0 was .*relu.* and is .*tanh"):
        fit("tanh", resume=True)


def test_a_network_that_the_first_batch_has_built_is_loaded(tmp_path, data):
    module = classifier(built=False)
    kg.Trainer(tmp_path / "run", max_epochs=1, callbacks=[kg.callbacks.Checkpoint()]).fit(module, data)
    loaded = kg.load_run(tmp_path / "run")
    np.testing.assert_array_equal(loaded.probabilities(data.test), module.probabilities(data.test))

    images, labels = data.test[0]
    trainer = kg.Trainer(tmp_path / "arrays", max_epochs=1, callbacks=[kg.callbacks.Checkpoint()])
    trainer.fit(classifier(built=False), (images, labels), batch_size=8)
    with pytest.raises(kg.RunDirectoryError, match=r"its network was not built; start it with keras\.Input"):
        kg.load_run(tmp_path / "arrays")
