import numpy as np
import pytest

from kerasgan.data import DataError, load
from kerasgan.data.arrays import Arrays
from kerasgan.data.stacked import stack


@pytest.fixture
def digits():
    """Ten images of 2x2 pixels, each as bright as the digit it is; the test split is a hundred brighter."""
    images = np.arange(10, dtype=np.uint8)[:, None, None] + np.zeros((10, 2, 2), np.uint8)
    labels = np.arange(10, dtype=np.uint8)
    return Arrays(images, labels, images + np.uint8(100), labels)


def test_the_label_says_what_each_channel_shows(digits):
    images, labels, test_images, test_labels, names = stack(digits, 500, 100)
    assert images.shape == (500, 2, 2, 3) and images.dtype == np.uint8
    assert test_images.shape == (100, 2, 2, 3) and labels.dtype == np.int32
    for some, numbers in ((images, labels), (test_images - np.uint8(100), test_labels)):
        assert (some == some[:, :1, :1]).all()
        np.testing.assert_array_equal(some[:, 0, 0].astype(int) @ [100, 10, 1], numbers)
    assert len(names) == 1000 and (names[0], names[42], names[999]) == ("000", "042", "999")
    assert (images[:, 0, 0, 0] != images[:, 0, 0, 1]).any()


def test_the_triples_are_fixed_and_those_of_another_seed_are_others(digits):
    first, again, other = stack(digits, 200), stack(digits, 200), stack(digits, 200, seed=1)
    np.testing.assert_array_equal(first.labels, again.labels)
    assert (first.labels != other.labels).mean() > 0.9
    assert (first.labels[:100] != first.test_labels[:100]).mean() > 0.9
    # As long as NumPy keeps the stream of its generator, everybody has these.
    assert first.labels[:4].tolist() == [810, 532, 228, 781]


def test_all_thousand_modes_are_there_and_nearly_even(digits):
    labels = stack(digits).labels
    counts = np.bincount(labels, minlength=1000)
    assert len(labels) == 128_000 and counts.min() > 60 and counts.max() < 200


def test_it_is_loaded_by_name_from_the_files_of_mnist(tmp_path, write_idx_folder):
    write_idx_folder(tmp_path / "mnist")
    data = load("stacked_mnist", data_dir=tmp_path)
    assert (data.name, data.image_shape, data.num_classes) == ("stacked_mnist", (6, 5, 3), 1000)
    assert (data.train.num_examples, data.test.num_examples) == (128_000, 26_000)
    assert load("stacked-mnist", data_dir=tmp_path).fingerprint() == data.fingerprint()


def test_without_a_test_split_there_is_none(digits):
    assert stack(digits._replace(test_images=None, test_labels=None), 10).test_images is None


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"labels": None}, "needs a label for every image"),
        ({"labels": np.arange(9)}, "needs a label for every image"),
        ({"labels": np.arange(10) + 1}, "labels span 1 to 10; stack ten classes"),
        ({"images": np.zeros((10, 2, 2, 3), np.uint8)}, r"images are uint8 \(10, 2, 2, 3\); stack grey"),
        ({"images": np.zeros((10, 2, 2))}, r"images are float64 \(10, 2, 2\)"),
    ],
)
def test_what_cannot_be_stacked_is_refused(digits, change, complaint):
    with pytest.raises(DataError, match=complaint):
        stack(digits._replace(**change), 10)


def test_no_triple_at_all_is_refused(digits):
    with pytest.raises(DataError, match="count is 0; choose an integer of at least 1"):
        stack(digits, 0)
