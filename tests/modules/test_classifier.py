import keras
import numpy as np
import pytest

import kerasgan as kg
from kerasgan.testing import tiny_images

SHAPE, NAMES = (8, 8, 1), ("high", "middle", "low")


def network(built=True, regularizer="l2", outputs=3, activation="softmax"):
    layers = [keras.Input(SHAPE)] if built else []
    layers += [
        keras.layers.Flatten(),
        keras.layers.Dense(
            16,
            activation="relu",
            kernel_regularizer=regularizer,
            kernel_initializer=keras.initializers.GlorotUniform(seed=0),
        ),
        keras.layers.Dropout(0.2, seed=1),
        keras.layers.Dense(outputs, activation=activation, kernel_initializer=keras.initializers.GlorotUniform(seed=2)),
    ]
    return keras.Sequential(layers)


def labelled(count=70):
    """Squares, labelled by the third of the picture in which they begin."""
    images = tiny_images(count)
    first_row = (images.max(axis=(2, 3)) > 0).argmax(axis=1)
    return images, np.minimum(first_row // 2, 2).astype("int32")


def one_hot(labels):
    return np.eye(3, dtype="float32")[labels]


def compiled(loss="sparse_categorical_crossentropy", **options):
    classifier = kg.Classifier(network(**options), NAMES)
    classifier.compile(keras.optimizers.Adam(1e-2), loss, metrics=["accuracy"])
    return classifier


@pytest.mark.parametrize(
    ("built", "labels_are"),
    [(True, "numbers"), (False, "numbers"), (False, "one-hot"), (True, "weighted")],
    ids=["built", "not built", "not built, one-hot", "built, weighted"],
)
def test_it_learns_exactly_what_the_bare_network_learns(built, labels_are):
    images, labels = labelled()
    loss = "categorical_crossentropy" if labels_are == "one-hot" else "sparse_categorical_crossentropy"
    labels = one_hot(labels) if labels_are == "one-hot" else labels
    weights = np.linspace(0.1, 2.0, len(labels)) if labels_are == "weighted" else None

    def learned(model):
        model.compile(keras.optimizers.Adam(1e-2), loss, metrics=["accuracy"])
        keras.utils.set_random_seed(0)
        history = model.fit(
            images,
            labels,
            batch_size=32,  # 70 = 32 + 32 + 6: the small one must not count like the others
            epochs=3,
            validation_data=(images, labels),
            sample_weight=weights,
            shuffle=False,
            verbose=0,
        )
        return history.history, model.evaluate(images, labels, verbose=0, return_dict=True)

    ours, stock = learned(kg.Classifier(network(built), NAMES)), learned(network(built))
    assert ours[0].keys() == stock[0].keys() == {"loss", "accuracy", "val_loss", "val_accuracy"}
    for name, curve in stock[0].items():
        np.testing.assert_allclose(ours[0][name], curve, rtol=2e-5, err_msg=name)
    np.testing.assert_allclose([ours[1][name] for name in ours[1]], [stock[1][name] for name in ours[1]], rtol=2e-5)


def test_evaluate_returns_loss_and_metrics_in_the_order_of_keras():
    images, labels = labelled()
    metrics = ["sparse_top_k_categorical_accuracy", "accuracy"]

    def evaluated(model):
        model.compile("adam", "sparse_categorical_crossentropy", metrics=metrics)
        return model.evaluate(images, labels, verbose=0)

    ours, stock = evaluated(kg.Classifier(network(), NAMES)), evaluated(network())
    assert len(stock) == 3
    np.testing.assert_allclose(ours, stock, rtol=1e-5)


def test_a_regularizer_counts_once_in_training_and_in_validation():
    images, labels = labelled(32)
    classifier = compiled()
    history = classifier.fit(images, labels, batch_size=32, verbose=0, validation_data=(images, labels)).history
    plain = keras.losses.SparseCategoricalCrossentropy()(labels, classifier.predict(images, verbose=0))
    penalty = 0.01 * np.sum(np.square(keras.ops.convert_to_numpy(classifier.network.layers[1].kernel)))
    assert penalty > 0.01
    assert history["val_loss"][0] == pytest.approx(float(plain) + penalty, rel=1e-4)


def test_a_module_that_uses_compute_loss_does_not_count_regularizers_twice():
    images, labels = labelled(32)
    classifier = compiled()
    outputs = classifier(images)
    alone = classifier.compute_loss(images, labels, outputs)
    assert float(alone) == pytest.approx(float(keras.losses.SparseCategoricalCrossentropy()(labels, outputs)), rel=1e-5)
    assert len(classifier.losses) == 1


def test_classes_are_named_and_probabilities_add_up():
    images, labels = labelled()
    classifier = compiled()
    classifier.fit(images, labels, epochs=30, verbose=0)
    predictions = classifier.classify(images)
    assert [prediction.name for prediction in predictions[:5]] == [NAMES[p.label] for p in predictions[:5]]
    assert list(predictions[0].probabilities) == list(NAMES)
    assert sum(predictions[0].probabilities.values()) == pytest.approx(1)
    assert predictions[0].probability == max(predictions[0].probabilities.values())
    assert np.mean([p.label for p in predictions] == labels) > 0.9


def test_logits_become_probabilities_where_the_loss_says_so():
    images, _ = labelled(4)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    classifier = compiled(loss, activation=None)
    logits = classifier.predict(images, verbose=0)
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(classifier.probabilities(images), expected, rtol=1e-5)
    unlike = compiled(keras.losses.SparseCategoricalCrossentropy(), activation=None)
    np.testing.assert_allclose(unlike.probabilities(images), logits, rtol=1e-6)


def test_a_loss_of_ones_own_leaves_logits_to_what_the_classifier_was_told():
    def on_logits(labels, outputs):
        return keras.losses.sparse_categorical_crossentropy(labels, outputs, from_logits=True)

    classifier = kg.Classifier(network(activation=None), NAMES, from_logits=True)
    classifier.compile("adam", on_logits)
    np.testing.assert_allclose(classifier.probabilities(labelled(4)[0]).sum(axis=1), 1, rtol=1e-5)


def test_a_shuffled_split_is_judged_in_its_own_order():
    images, labels = labelled(48)
    data = kg.data.DataModule(images, labels, batch_size=16)
    classifier = compiled()
    np.testing.assert_allclose(classifier.probabilities(data.train), classifier.probabilities(images), rtol=1e-2)


def test_one_output_is_the_probability_of_the_second_of_two_classes():
    images, labels = labelled()
    classifier = kg.Classifier(network(outputs=1, activation="sigmoid"), ["above", "below"])
    classifier.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    classifier.fit(images, (labels == 2).astype("float32")[:, None], verbose=0)
    probabilities = classifier.probabilities(images)
    np.testing.assert_allclose(probabilities[:, 1], classifier.predict(images, verbose=0)[:, 0], rtol=1e-6)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-6)
    assert classifier.class_names == ("above", "below")


def test_augmentation_changes_what_is_trained_on_and_nothing_else():
    images, labels = labelled(32)
    seen = []

    class Blacken(keras.layers.Layer):
        def call(self, inputs, training=False):
            seen.append(training)
            return inputs * 0 - 1

    classifier = kg.Classifier(network(regularizer=None), NAMES, augmentation=Blacken())
    classifier.compile(keras.optimizers.SGD(0.0), "sparse_categorical_crossentropy", metrics=["accuracy"])
    assert classifier.players == ["network"]
    black = keras.losses.SparseCategoricalCrossentropy()(labels, classifier(images * 0 - 1))
    bright = keras.losses.SparseCategoricalCrossentropy()(labels, classifier(images))
    classifier.network.layers[2].rate = 0.0
    history = classifier.fit(images, labels, batch_size=32, verbose=0, validation_data=(images, labels)).history
    assert history["val_loss"][0] == pytest.approx(float(bright), rel=1e-5)
    assert abs(history["loss"][0] - float(black)) < abs(history["loss"][0] - float(bright))
    assert set(seen) == {True}


def test_stock_callbacks_lower_the_rate_and_stop_early():
    images, labels = labelled()
    classifier = compiled()
    callbacks = [
        keras.callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=1, min_delta=100.0),
        keras.callbacks.EarlyStopping("loss", patience=3, min_delta=100.0),
    ]
    history = classifier.fit(images, labels, epochs=20, verbose=0, callbacks=callbacks).history
    assert len(history["loss"]) == 4
    assert float(classifier.optimizer.learning_rate) == pytest.approx(1e-2 * 0.5**3)


@pytest.mark.parametrize("way", ["config", "keras file"])
def test_it_is_rebuilt_with_names_augmentation_and_compile_options(tmp_path, way):
    images, labels = labelled()
    shift = kg.layers.augmentation(["shift", "flip"])
    classifier = kg.Classifier(network(), NAMES, augmentation=shift, name="judge")
    classifier.compile(keras.optimizers.Adam(1e-2), "sparse_categorical_crossentropy", metrics=["accuracy"])
    classifier.fit(images, labels, verbose=0)
    if way == "config":
        again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(classifier))
        again.network.set_weights(classifier.network.get_weights())
    else:
        classifier.save(tmp_path / "classifier.keras")
        again = keras.saving.load_model(tmp_path / "classifier.keras")
    assert again.class_names == NAMES
    assert again.compiled
    np.testing.assert_array_equal(again.predict(images, verbose=0), classifier.predict(images, verbose=0))
    assert again.evaluate(images, labels, verbose=0, return_dict=True).keys() == {"loss", "accuracy"}
    assert again.augment(images).shape == images.shape
    assert np.any(np.asarray(again.augment(images)) != images)


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda: kg.Classifier(network(), ["a", "b", "a"]), "class_names has 'a' more than once"),
        (lambda: kg.Classifier(network(), ["a", "b"]), "has 2 names, but the network tells 3 classes apart"),
        (lambda: kg.Classifier(network()).compile("adam"), "A Classifier needs a loss"),
        (
            lambda: kg.Classifier(network(), from_logits=True).compile("adam", "categorical_crossentropy"),
            "The loss has from_logits=False, but the Classifier was made with from_logits=True",
        ),
        (lambda: compiled().fit(labelled()[0], verbose=0), "this data has no labels"),
        (
            lambda: compiled().classify(np.zeros(SHAPE, "float32")),
            r"images have shape \(8, 8, 1\); this network takes \(count, 8",
        ),
        (lambda: compiled().classify(np.zeros((1, *SHAPE), "uint8")), r"images are uint8; bring them to \[-1, 1\]"),
        (lambda: kg.Classifier(network(built=False), ["a", "b"]).build((None, *SHAPE)), "has 2 names, but the network"),
    ],
    ids=["repeated name", "too few names", "no loss", "logits", "no labels", "one image", "uint8", "built later"],
)
def test_what_cannot_work_is_refused_in_one_line(make, complaint):
    with pytest.raises(ValueError, match=complaint):
        make()
