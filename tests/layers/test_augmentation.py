import keras
import numpy as np
import pytest

from kerasgan.layers import AUGMENTATIONS, augmentation


def pictures(count=8):
    return np.random.default_rng(0).uniform(-1, 1, (count, 28, 28, 1)).astype("float32")


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_each_changes_images_in_training_only_and_stays_in_range(name):
    images, layer = pictures(), augmentation([name])
    changed = np.asarray(layer(images, training=True))
    assert changed.shape == images.shape
    assert np.abs(changed - images).max() > 0.1
    assert np.abs(changed).max() <= 1 + 1e-5
    np.testing.assert_array_equal(np.asarray(layer(images, training=False)), images)


def test_images_of_a_batch_are_changed_independently():
    same = np.repeat(pictures(1), 8, axis=0)
    shifted = np.asarray(augmentation(["shift"])(same, training=True))
    assert len({image.tobytes() for image in shifted}) > 1


def test_what_a_shift_brings_in_is_black():
    white = np.ones((16, 28, 28, 1), "float32")
    shifted = np.asarray(augmentation(["shift"])(white, training=True))
    assert set(np.unique(shifted)) == {-1.0, 1.0}


def test_on_light_ground_it_is_white():
    black = -np.ones((16, 28, 28, 1), "float32")
    shifted = np.asarray(augmentation(["shift", "erase"], background="light")(black, training=True))
    assert set(np.unique(shifted)) == {-1.0, 1.0}


def test_several_are_saved_and_rebuilt_together():
    layer = augmentation(list(AUGMENTATIONS))
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert [type(part) for part in again.layers] == [type(part) for part in layer.layers]
    assert again(pictures(), training=True).shape == (8, 28, 28, 1)


@pytest.mark.parametrize("names", [["spin"], []], ids=["unknown", "none"])
def test_unknown_names_are_refused_with_those_there_are(names):
    with pytest.raises(ValueError, match=r"choose from shift, rotate, zoom, flip, erase\."):
        augmentation(names)
