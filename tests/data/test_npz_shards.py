"""A folder of .npz shards is, bit for bit, the one .npz that they would be together."""

import io
import os
import pickle
import re
import zipfile

import numpy as np
import pytest

from kerasgan.data import Batches, DataError, load
from kerasgan.data.npz_shards import NpzShards
from kerasgan.data.stream import StreamedBatches

SIZES = (7, 1, 8, 4)


@pytest.fixture
def folder(tmp_path, images, labels):
    """Twenty images in four files; the order of names is not that of writing."""
    path = tmp_path / "shards"
    path.mkdir()
    ends = np.cumsum(SIZES)
    for number in (2, 0, 3, 1):
        part = slice(ends[number] - SIZES[number], ends[number])
        np.savez(path / f"part-{number}.npz", images=images[part], labels=labels[part])
    return path


def assert_same(one, other):
    assert len(one) == len(other)
    for first, second in zip(one, other, strict=True):
        for array, streamed in zip(first, second, strict=True):
            assert array.dtype == streamed.dtype
            np.testing.assert_array_equal(array, streamed)


@pytest.mark.parametrize("stream", [True, False])
def test_batches_of_every_split_and_epoch_are_those_of_one_array(folder, tmp_path, images, labels, stream):
    np.savez(tmp_path / "whole.npz", images=images, labels=labels)
    options = {"batch_size": 4, "val_size": 5, "seed": 3, "one_hot": True}
    whole, shards = load(tmp_path / "whole.npz", **options), load(folder, stream=stream, **options)
    assert shards.name == "shards" and shards.class_names == whole.class_names
    for name, batches in shards.splits.items():
        assert type(batches) is (StreamedBatches if stream else Batches)
        for _ in range(3):
            assert_same(whole.splits[name], batches)
            whole.splits[name].epoch += 1
            batches.epoch += 1


def test_two_shards_exchanged_are_other_data(folder, tmp_path, images, labels):
    """The control of the test above: the comparison can fail."""
    first, last = folder / "part-0.npz", folder / "part-3.npz"
    before = load(folder, stream=True, batch_size=4).fingerprint()
    os.rename(first, folder / "a.npz")
    os.rename(last, first)
    os.rename(folder / "a.npz", last)
    shards = load(folder, stream=True, batch_size=4)
    assert shards.fingerprint() != before
    with pytest.raises(AssertionError):
        np.testing.assert_array_equal(shards.train.images[np.arange(20)][..., 0], images)


def test_the_names_of_keras_datasets_and_colour_will_do_and_labels_may_be_missing(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (6, 4, 5, 3), np.uint8)
    for number in range(3):
        np.savez(tmp_path / f"{number}.npz", x_train=images[number * 2 :][:2])
    data = load(tmp_path, stream=True, batch_size=3)
    assert data.image_shape == (4, 5, 3) and data.num_classes is None
    np.testing.assert_array_equal(data.train.images[np.arange(6)], images)


def test_shards_are_indexed_like_the_array_of_them(folder, images):
    shards = load(folder, stream=True, batch_size=4).train.images
    assert isinstance(shards, NpzShards) and shards.shape == (20, 6, 5, 1) == np.shape(shards[:])
    array = images[..., np.newaxis]
    for which in (3, -1, np.int64(7), np.array([19, 0, 7, 8, 7]), np.array([], np.int64)):
        np.testing.assert_array_equal(shards[which], array[which])
    view = shards[4:18:3]
    np.testing.assert_array_equal(view.select(np.array([2, 0]))[np.arange(2)], array[4:18:3][[2, 0]])
    np.testing.assert_array_equal([*view], array[4:18:3])
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(view))[1], array[7])
    with pytest.raises(IndexError):
        shards[20]


def test_no_pixel_is_read_before_it_is_asked_for(tmp_path):
    """Damage what lies in between, and nobody notices: archives are not unpacked."""
    images = np.random.default_rng(0).integers(0, 256, (20, 32, 32), np.uint8)
    path = tmp_path / "part.npz"
    np.savez(path, images=images)
    content = bytearray(path.read_bytes())
    place = content.find(images[10].tobytes())
    content[place : place + 1024] = bytes(1024)
    path.write_bytes(content)
    shards = load(tmp_path, stream=True, batch_size=4).train.images
    np.testing.assert_array_equal(shards[10], np.zeros((32, 32, 1)))
    np.testing.assert_array_equal(shards[np.array([9, 11])][..., 0], images[[9, 11]])
    with pytest.raises(DataError, match="CRC"):  # The control: all of it at once is held against its checksum.
        load(path, batch_size=4)


def test_no_file_is_held_open(folder):
    shards = load(folder, stream=True, batch_size=4).train.images
    before = len(os.listdir("/proc/self/fd"))
    shards[np.arange(20)]
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_folder_with_images_or_folders_beside_is_still_one_of_images(folder):
    from PIL import Image

    Image.new("L", (6, 5)).save(folder / "cover.png")
    assert load(folder, batch_size=1).train.num_examples == 1


# What is refused.


def npz(**arrays):
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


def packed(**arrays):
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)
    return stream.getvalue()


def fortran():
    return np.asfortranarray(np.arange(60, dtype=np.uint8).reshape(2, 6, 5))


LABELS = np.zeros(2, int)
GOOD = np.zeros((2, 6, 5), np.uint8)
NOT_LABELLED = r"part-9\.npz: has no labels, but part-0\.npz has; label every shard or none"
ROWS = {
    "compressed": (packed(images=GOOD, labels=LABELS), r"\[images\]: is compressed, so that no image .* numpy.savez"),
    "another shape": (
        npz(images=np.zeros((2, 5, 6), np.uint8), labels=LABELS),
        r"its images are \(5, 6, 1\), those of",
    ),
    "colour among grey": (npz(images=np.zeros((2, 6, 5, 3), np.uint8), labels=LABELS), r"are \(6, 5, 3\), those of"),
    "floats": (npz(images=GOOD / 255, labels=LABELS), r"\[images\]: has dtype float64; of shards uint8 only"),
    "booleans": (npz(images=GOOD > 0, labels=LABELS), "has dtype bool"),
    "signed": (npz(images=GOOD.astype(np.int8), labels=LABELS), "has dtype int8"),
    "in Fortran's order": (npz(images=fortran(), labels=LABELS), "lies in Fortran's order; save numpy.ascontiguous"),
    "one image": (npz(images=GOOD[0], labels=LABELS), r"\[images\]: images have shape \(6, 5\); expected"),
    "no images": (npz(images=GOOD[:0], labels=LABELS[:0]), "so there are none"),
    "labels missing": (npz(images=GOOD), NOT_LABELLED),
    "a label too many": (npz(images=GOOD, labels=np.zeros(3, int)), "3 labels for 2 images"),
    "float labels": (npz(images=GOOD, labels=np.zeros(2)), "labels have dtype float64"),
    "pickled labels": (npz(images=GOOD, labels=np.array([{}, {}])), "holds pickled objects"),
    "pickled images": (npz(images=np.array([{}, {}])), "holds pickled objects"),
    "other names": (npz(pictures=GOOD), "holds neither x_train nor images"),
    "a test split": (npz(x_train=GOOD, y_train=LABELS, x_test=GOOD), "holds x_test, but a shard is of one split"),
    "truncated": (npz(images=GOOD, labels=LABELS)[:-40], r"part-9\.npz: is not a sound .npz"),
    "no zip": (b"PK\x03\x04 and so on", r"part-9\.npz: is not a sound .npz"),
    "empty": (b"", r"part-9\.npz: is empty"),
}


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("row", ROWS)
def test_a_shard_that_will_not_do_is_named_in_one_line(folder, row, stream):
    content, complaint = ROWS[row]
    (folder / "part-9.npz").write_bytes(content)
    with pytest.raises(DataError, match=complaint) as caught:
        load(folder, stream=stream)
    assert "part-9.npz" in str(caught.value) and "\n" not in str(caught.value)


def test_labels_in_one_shard_only_name_the_others(folder, images):
    (folder / "part-0.npz").write_bytes(npz(images=images[:7]))
    with pytest.raises(DataError, match=r"part-0\.npz: has no labels, but part-1\.npz has"):
        load(folder, stream=True)


def test_links_and_special_files_are_not_opened(folder, tmp_path):
    os.rename(folder / "part-1.npz", tmp_path / "elsewhere.npz")
    (folder / "part-1.npz").symlink_to(tmp_path / "elsewhere.npz")
    with pytest.raises(DataError, match=r"part-1\.npz: is a symbolic link"):
        load(folder, stream=True)
    (folder / "part-1.npz").unlink()
    os.mkfifo(folder / "part-1.npz")
    with pytest.raises(DataError, match=r"part-1\.npz: is not a regular file"):
        load(folder, stream=True)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda path: path.unlink(), "cannot be looked at"),
        (lambda path: os.truncate(path, 300), "has changed since the data were loaded; load them again"),
        (lambda path: os.utime(path, (1, 1)), "has changed since"),
        (lambda path: (path.unlink(), os.mkfifo(path)), "is not a regular file"),
    ],
)
def test_a_shard_that_becomes_another_is_named_when_its_turn_comes(folder, change, complaint):
    batches = load(folder, stream=True, batch_size=4).train
    change(folder / "part-2.npz")
    with pytest.raises(DataError, match=rf"part-2\.npz: {complaint}"):
        list(batches)


def test_a_local_header_that_points_beyond_the_file_is_found(folder):
    path = folder / "part-1.npz"
    content = bytearray(path.read_bytes())
    content[28:30] = b"\xff\xff"  # Bytes of the extra field before the array.
    path.write_bytes(content)
    with pytest.raises(DataError, match=re.escape("part-1.npz")):
        load(folder, stream=True)


def test_compressed_labels_beside_stored_images_are_read(tmp_path, images, labels):
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        for name, array, method in (("images", images, zipfile.ZIP_STORED), ("labels", labels, zipfile.ZIP_DEFLATED)):
            stream = io.BytesIO()
            np.save(stream, array)
            archive.writestr(f"{name}.npy", stream.getvalue(), method)
    data = load(tmp_path, stream=True, batch_size=4)
    np.testing.assert_array_equal(data.train.labels, labels)
    np.testing.assert_array_equal(data.train.images[5][..., 0], images[5])
