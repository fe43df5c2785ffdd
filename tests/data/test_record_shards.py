"""What `write_shards` has written is, bit for bit, what it was given; and what is damaged is named."""

import copy
import json
import os
import pickle
import threading

import numpy as np
import pytest

from kerasgan.data import Batches, DataError, load, write_shards
from kerasgan.data import record_shards as record_shards_module
from kerasgan.data.record_shards import RecordShards
from kerasgan.data.stream import StreamedBatches

NAMES = [f"class {letter}" for letter in "abcdefghij"]


@pytest.fixture
def folder(tmp_path, images, labels):
    """Twenty images in three files."""
    return write_shards(tmp_path / "shards", images, labels, class_names=NAMES, images_per_shard=8)


def stored(folder):
    return load(folder, stream=True, batch_size=4).train.images


def change(folder, **entries):
    """Put other values into the index; those of a file go into the second file's entry."""
    index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
    of_file = {name: entries.pop(name) for name in ("file", "images", "labels") if name in entries}
    index.update(entries)
    if of_file:
        index["shards"][1].update(of_file)
    (folder / "index.json").write_text(json.dumps(index), encoding="utf-8")


@pytest.mark.parametrize("stream", [True, False])
def test_batches_of_every_split_and_epoch_are_those_of_one_array(folder, tmp_path, images, labels, stream):
    np.savez(tmp_path / "whole.npz", images=images, labels=labels)
    options = {"batch_size": 4, "val_size": 5, "seed": 3}
    whole, shards = load(tmp_path / "whole.npz", **options), load(folder, stream=stream, **options)
    assert shards.name == "shards" and shards.class_names == tuple(NAMES)
    for name, batches in shards.splits.items():
        assert type(batches) is (StreamedBatches if stream else Batches)
        for _ in range(3):
            assert len(batches) == len(whole.splits[name])
            for one, other in zip(whole.splits[name], batches, strict=True):
                np.testing.assert_array_equal(one[0], other[0])
                np.testing.assert_array_equal(one[1], other[1])
            whole.splits[name].epoch += 1
            batches.epoch += 1


def test_records_are_indexed_like_the_array_of_them(folder, images):
    shards, array = stored(folder), images[..., np.newaxis]
    assert isinstance(shards, RecordShards) and shards.shape == array.shape
    for which in (3, -1, np.int64(7), np.array([19, 0, 7, 8, 7]), np.array([], np.int64)):
        np.testing.assert_array_equal(shards[which], array[which])
    np.testing.assert_array_equal([*shards[4:18:3]], array[4:18:3])
    for twin in (copy.deepcopy(shards[4:]), pickle.loads(pickle.dumps(shards[4:]))):
        np.testing.assert_array_equal(twin[1], array[5])
    with pytest.raises(IndexError):
        shards[20]


def test_several_threads_may_read_at_once(folder, images):
    shards, found = stored(folder), {}
    work = [np.random.default_rng(number).permutation(20) for number in range(8)]
    threads = [
        threading.Thread(target=lambda n=n: found.update({n: [shards[work[n]] for _ in range(20)]})) for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, arrays in found.items():
        for array in arrays:
            np.testing.assert_array_equal(array[..., 0], images[work[number]])
    assert len(found) == 8


def test_no_more_files_are_open_than_a_process_may_have(folder, images, monkeypatch):
    monkeypatch.setattr(record_shards_module, "_MOST_OPEN", 2)
    before = len(os.listdir("/proc/self/fd"))
    shards = stored(folder)
    for _ in range(3):
        np.testing.assert_array_equal(shards[np.arange(20)[::-1]][..., 0], images[::-1])
        assert len(os.listdir("/proc/self/fd")) - before == 2
    del shards
    assert len(os.listdir("/proc/self/fd")) == before


def test_the_fingerprint_is_of_what_is_shown_and_not_of_how_it_was_cut(folder, tmp_path, images, labels):
    def fingerprint(path):
        return load(path, stream=True, batch_size=4).fingerprint()

    first = fingerprint(folder)
    assert fingerprint(write_shards(tmp_path / "two", images, labels, images_per_shard=10)) == first
    (tmp_path / "npz").mkdir()
    np.savez(tmp_path / "npz" / "all.npz", images=images, labels=labels)
    assert fingerprint(tmp_path / "npz") == first
    images[7, 0, 0] ^= 1
    assert fingerprint(write_shards(tmp_path / "other", images, labels)) != first


def test_without_array_record_the_remedy_is_named(folder, monkeypatch, images, tmp_path):
    monkeypatch.setattr(record_shards_module.importlib.util, "find_spec", lambda name: None)
    for attempt in (lambda: load(folder, batch_size=4), lambda: write_shards(tmp_path / "new", images)):
        with pytest.raises(DataError, match=r"need array_record, which is missing; pip install \"kerasgan\[stream\]\""):
            attempt()
    assert not (tmp_path / "new").exists()


# What is refused: files.


def damage(path, place=None, *, cut=None):
    content = bytearray(path.read_bytes())
    if place is not None:
        content[place] ^= 1
    path.write_bytes(content[:cut])


SECOND = "images-00001.array_record"
FILES = {
    "missing": (lambda path: path.unlink(), f"{SECOND}: cannot be looked at"),
    "empty": (lambda path: path.write_bytes(b""), f"{SECOND}: is empty"),
    "truncated": (lambda path: damage(path, cut=-70_000), f"{SECOND}: holds no images, or is cut off or damaged"),
    "not ArrayRecord": (lambda path: path.write_bytes(b"PK" * 999), f"{SECOND}: holds no images, or is cut off or da"),
    "a link": (lambda path: (path.unlink(), path.symlink_to("images-00000.array_record")), "is a symbolic link"),
    "a FIFO": (lambda path: (path.unlink(), os.mkfifo(path)), "is not a regular file"),
    "other records": (
        lambda path: path.write_bytes(path.with_name("images-00002.array_record").read_bytes()),
        f"{SECOND}: holds 4 images, its index says 8",
    ),
}


@pytest.mark.parametrize("row", FILES)
def test_a_file_that_will_not_do_is_named_in_one_line(folder, row):
    spoil, complaint = FILES[row]
    spoil(folder / SECOND)
    with pytest.raises(DataError, match=complaint) as caught:
        load(folder, stream=True)
    assert "\n" not in str(caught.value)


def test_a_damaged_record_is_found_by_its_checksum_when_its_turn_comes(folder, tmp_path, images):
    content = (folder / SECOND).read_bytes()
    damage(folder / SECOND, content.find(images[12].tobytes()) + 4)  # Noise, which no compression makes smaller.
    batches = load(folder, stream=True, batch_size=4).train
    with pytest.raises(
        DataError, match=rf"{SECOND}: cannot be read .*hash mismatch.*; copy it or write it again"
    ) as one:
        list(batches)
    assert "\n" not in str(one.value) and str(one.value).count(SECOND) == 1
    with pytest.raises(DataError, match="hash mismatch"):
        load(folder, batch_size=4)


@pytest.mark.parametrize("shape", [[6, 4, 1], [2**39, 1, 1]])
def test_records_of_another_size_are_found_at_once(folder, shape):
    change(folder, image_shape=shape)
    with pytest.raises(
        DataError, match=r"images-00000\.array_record: record 0 has 30 bytes, an image [\d,]+; write it"
    ):
        stored(folder)


def test_a_later_record_of_another_size_is_found_when_its_turn_comes(folder, tmp_path):
    other = write_shards(tmp_path / "other", np.zeros((8, 3, 3), np.uint8))
    (folder / SECOND).write_bytes((other / "images-00000.array_record").read_bytes())
    shards = stored(folder)
    with pytest.raises(DataError, match=rf"{SECOND}: record 1 has 9 bytes, an image 30; write it again"):
        shards[np.array([0, 9, 10])]


def test_a_number_of_images_beyond_all_memory_is_found_before_any_is_taken(folder, tmp_path, images):
    change(write_shards(tmp_path / "new", images, images_per_shard=10), images=2**40)
    with pytest.raises(DataError, match="holds 10 images, its index says 1,099,511,627,776"):
        load(tmp_path / "new", stream=True)


# What is refused: the index.

INDEX = {
    "not an object": ([1], "is no index of shards of version 1"),
    "another version": ({"kerasgan_shards": 2}, "is no index of shards of version 1"),
    "no shape": ({"image_shape": None}, r"image_shape is not \[height, width, 1 or 3\]"),
    "two sizes": ({"image_shape": [6, 5]}, "image_shape is not"),
    "a shape of words": ({"image_shape": ["6", 5, 1]}, "image_shape is not"),
    "a shape of truths": ({"image_shape": [6, 5, True]}, "image_shape is not"),
    "a size of zero": ({"image_shape": [0, 5, 1]}, "image_shape is not"),
    "channels first": ({"image_shape": [1, 6, 5]}, "image_shape is not"),
    "a shape without end": ({"image_shape": [2**40, 2**40, 1]}, "larger than any image"),
    "no files": ({"shards": []}, "shards is not a list of files"),
    "files that are none": ({"shards": [3]}, "an entry of shards has no name"),
    "a number that is none": ({"images": "8"}, "an entry of shards has no name of a file, or no number of images"),
    "a negative number": ({"images": -8}, "or no number of images"),
    "another number": ({"images": 7}, "the labels of images-00001.array_record are not 7 whole numbers"),
    "another number of both": ({"images": 7, "labels": [0] * 7}, "images-00001.array_record: holds 8 images, its ind"),
    "a missing file": ({"file": "gone.array_record"}, r"gone\.array_record: cannot be looked at"),
    "a file named twice": ({"file": "images-00000.array_record"}, "a file is named twice"),
    "a way out": ({"file": "../x.array_record"}, r"'../x\.array_record' is not the name of a file beside it"),
    "another way out": ({"file": "/etc/x.array_record"}, "is not the name of a file beside it"),
    "a null byte": ({"file": "\0.array_record"}, "is not the name of a file beside it"),
    "half a character": ({"file": "\ud800.array_record"}, "is not the name of a file beside it"),
    "another ending": ({"file": "index.json"}, "is not the name of a file beside it"),
    "a file without labels": ({"labels": None}, "some files have labels, but not images-00001.array_record"),
    "labels of words": ({"labels": ["a"] * 8}, "are not 8 whole numbers"),
    "labels of truths": ({"labels": [True] * 8}, "are not 8 whole numbers"),
    "too few labels": ({"labels": [0] * 7}, "are not 8 whole numbers"),
    "a label too large": ({"labels": [10] * 8}, r"label 10 lies outside 0\.\.9"),
    "a label beyond all": ({"labels": [2**70] * 8}, "labels have dtype object"),
    "a label below zero": ({"labels": [-1] * 8}, r"label -1 lies outside 0\.\.9"),
    "names that are none": ({"class_names": [1, 2]}, "class_names is not a list of names"),
    "half a name": ({"class_names": ["\ud800"] * 10}, "class_names is not a list of names"),
    "no names": ({"class_names": []}, "class_names is not a list of names"),
}


@pytest.mark.parametrize("row", INDEX)
def test_an_index_that_will_not_do_is_refused_in_one_line(folder, row):
    changes, complaint = INDEX[row]
    if isinstance(changes, list):
        (folder / "index.json").write_text(json.dumps(changes), encoding="utf-8")
    else:
        change(folder, **changes)
    with pytest.raises(DataError, match=complaint) as caught:
        load(folder, stream=True, batch_size=4)
    assert str(folder) in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"{", b"\xff\xfe\0", b"[" * 100_000, b"", b"NaN"])
def test_an_index_that_is_no_json_is_refused_in_one_line(folder, content):
    (folder / "index.json").write_bytes(content)
    with pytest.raises(DataError, match=r"index\.json: is") as caught:
        load(folder, stream=True)
    assert "\n" not in str(caught.value)


def test_names_without_labels_are_refused(tmp_path, images):
    change(write_shards(tmp_path / "new", images), class_names=["a"])
    with pytest.raises(DataError, match="has class_names but no labels"):
        load(tmp_path / "new", stream=True)


def test_files_without_an_index_are_not_taken_for_data(folder):
    (folder / "index.json").unlink()
    with pytest.raises(
        DataError, match=r"holds \.array_record files but no index\.json; if writing them was cut short"
    ):
        load(folder, stream=True)
