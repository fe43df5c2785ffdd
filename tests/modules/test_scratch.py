import keras
import numpy as np
import pytest

import kerasgan as kg
from kerasgan.networks import scratch
from kerasgan.testing import tiny_images

SHAPE, NAMES = (8, 8, 1), ("high", "middle", "low")


def labelled(count=96):
    images = tiny_images(count)
    first_row = (images.max(axis=(2, 3)) > 0).argmax(axis=1)
    return images, np.eye(3, dtype="float32")[np.minimum(first_row // 2, 2)]


def classifier(**options):
    return kg.ScratchClassifier(scratch.classifier(SHAPE, 3, units=(16,), init="glorot"), NAMES, **options)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_it_takes_the_steps_of_the_explicit_loop(momentum):
    images, labels = labelled()
    module, loop = (
        classifier(learning_rate=0.1, momentum=momentum),
        scratch.classifier(SHAPE, 3, units=(16,), init="glorot"),
    )
    history = module.fit(images, labels, batch_size=32, epochs=5, shuffle=False, verbose=0).history
    losses = scratch.fit(
        loop, images, labels, epochs=5, batch_size=32, learning_rate=0.1, momentum=momentum, verbose=False
    )
    np.testing.assert_allclose(history["loss"], losses, rtol=1e-4)
    assert losses[-1] < 0.9 * losses[0]
    for ours, theirs in zip(module.network.weights, loop.weights, strict=True):
        np.testing.assert_allclose(
            keras.ops.convert_to_numpy(ours), keras.ops.convert_to_numpy(theirs), rtol=1e-4, atol=1e-5
        )


def test_a_run_is_trained_stopped_resumed_and_loaded_like_any_other(tmp_path):
    images, labels = labelled()
    data = kg.data.DataModule(
        images, labels.argmax(axis=1), class_names=NAMES, batch_size=16, val_size=32, one_hot=True
    )

    def run(directory, resume=False, **limits):
        trainer = kg.Trainer(tmp_path / directory, callbacks=[kg.callbacks.Checkpoint()], seed=0, **limits)
        module = classifier(learning_rate=0.05, momentum=0.9)
        trainer.fit(module, data, resume=resume)
        return module

    whole = run("whole", max_epochs=4)
    run("parts", max_steps=6)  # in the middle of the second epoch
    parts = run("parts", max_epochs=4, resume=True)
    loaded = kg.load_run(tmp_path / "whole")
    assert loaded.momentum == 0.9
    assert loaded.class_names == NAMES
    probabilities = whole.probabilities(images)
    for other in (parts, loaded):
        np.testing.assert_array_equal(other.probabilities(images), probabilities)
    exported = keras.saving.load_model(tmp_path / "whole" / "model.keras")
    np.testing.assert_allclose(exported.predict(images, verbose=0), probabilities, rtol=1e-5)


def test_accuracy_is_logged_with_the_loss():
    images, labels = labelled()
    module = classifier(learning_rate=0.2)
    history = module.fit(images, labels, epochs=30, validation_data=(images, labels), verbose=0).history
    right = module.probabilities(images).argmax(axis=1) == labels.argmax(axis=1)
    assert history["val_accuracy"][-1] == pytest.approx(right.mean(), abs=1e-6)
    assert history["accuracy"][-1] > 0.9


def test_weights_of_samples_are_refused_and_not_dropped():
    images, labels = labelled(32)
    with pytest.raises(ValueError, match="knows no sample or class weights"):
        classifier().fit(images, labels, sample_weight=np.ones(32), verbose=0)


def test_there_is_no_optimizer_to_choose():
    with pytest.raises(ValueError, match="writes its optimizer by hand"):
        classifier().compile("adam")


def test_a_function_as_activation_trains_but_cannot_be_saved():
    network = scratch.classifier(SHAPE, 3, units=(4,), activation=keras.ops.relu)
    module = kg.ScratchClassifier(network, NAMES)
    images, labels = labelled(32)
    module.fit(images, labels, verbose=0)
    with pytest.raises(TypeError, match="holds a function"):
        module.get_config()
