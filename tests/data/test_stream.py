"""What is streamed from the disk is, bit for bit, what would have been in memory."""

import copy
import gc
import os
import pickle
import threading
import time
import warnings

import keras
import numpy as np
import pytest
from PIL import Image

from kerasgan.data import DataError, DataModule, load
from kerasgan.data import picture_files as picture_files_module
from kerasgan.data import stream as stream_module
from kerasgan.data.background import background_of
from kerasgan.data.picture_files import PictureFiles
from kerasgan.data.stream import StreamedBatches

OPTIONS = {"batch_size": 6, "seed": 3}


@pytest.fixture
def folder(tmp_path):
    """Forty pictures of noise, of two classes."""
    rng = np.random.default_rng(0)
    for number in range(40):
        path = tmp_path / "pictures" / ("cat", "dog")[number % 3 == 0] / f"{number:02d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (8, 8), np.uint8)).save(path)
    return tmp_path / "pictures"


@pytest.fixture
def decoded(monkeypatch):
    """The names of the files that are decoded, as they are."""
    names, decode = [], picture_files_module.decode
    monkeypatch.setattr(
        picture_files_module, "decode", lambda path, shape: names.append(path.name) or decode(path, shape)
    )
    return names


def both(folder, **options):
    return load(folder, **OPTIONS, **options), load(folder, stream=True, **OPTIONS, **options)


def assert_same(one, other):
    assert len(one) == len(other)
    for first, second in zip(one, other, strict=True):
        assert len(first) == len(second)
        for array, streamed in zip(first, second, strict=True):
            assert array.dtype == streamed.dtype
            np.testing.assert_array_equal(array, streamed)


def wait_for(condition):
    deadline = time.monotonic() + 10
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    return condition()


def reading_threads():
    return {thread for thread in threading.enumerate() if "grain" in thread.name}


# The same batches.


@pytest.mark.parametrize(
    "options", [{}, {"one_hot": True}, {"val_size": 7}, {"drop_remainder": False, "val_size": 0.25, "one_hot": True}]
)
def test_every_batch_of_every_split_and_epoch_is_that_of_the_images_in_memory(folder, options):
    in_memory, streamed = both(folder, **options)
    assert streamed.splits.keys() == in_memory.splits.keys() and streamed.class_names == in_memory.class_names
    for name, batches in streamed.splits.items():
        assert isinstance(batches, StreamedBatches)
        for _ in range(3):
            assert_same(in_memory.splits[name], batches)
            in_memory.splits[name].epoch += 1
            batches.epoch += 1


def test_another_seed_is_another_order(folder):
    """The control of the test above: the comparison can fail."""
    with pytest.raises(AssertionError):
        assert_same(load(folder, batch_size=6, seed=4).train, load(folder, batch_size=6, seed=3, stream=True).train)


def test_a_flat_folder_is_streamed_without_labels(folder):
    in_memory, streamed = both(folder / "cat")
    assert streamed.train.labels is None and streamed.num_classes is None
    assert_same(in_memory.train, streamed.train)


@pytest.mark.parametrize("view", ["limited", "skipping", "unshuffled", "both", "shared", "reshuffled", "later"])
def test_views_are_those_of_the_batches_in_memory(folder, view):
    one, other = (data.train for data in both(folder))
    for batches in (one, other):
        batches[0]  # Something was read already, in the order of the whole.
        batches.reshuffles = 2 if view == "reshuffled" else 0
        batches.epoch = 5 if view == "later" else 0
    views = {
        "limited": lambda batches: batches.limited(3),
        "skipping": lambda batches: batches.skipping(4),
        "unshuffled": lambda batches: batches.unshuffled(),
        "both": lambda batches: batches.limited(5).skipping(2),
        "shared": lambda batches: batches.share(1, 2),
    }
    for _ in range(2):
        assert_same(*(views.get(view, lambda batches: batches)(batches) for batches in (one, other)))
        one.epoch += 1
        other.epoch += 1


def test_batches_out_of_turn_are_the_same_too(folder):
    one, other = (data.train for data in both(folder))
    for index in (0, 1, 0, 1, 2, 5, 4, 0, -1, 3, 3):
        np.testing.assert_array_equal(one[index][0], other[index][0])
    with pytest.raises(IndexError):
        other[6]


def test_several_threads_may_ask_at_once(folder):
    one, other = (data.train for data in both(folder, drop_remainder=False))
    found = {}
    threads = [threading.Thread(target=lambda i=i: found.update({i: other[i][0]})) for i in range(len(one))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for index, batch in found.items():
        np.testing.assert_array_equal(one[index][0], batch)
    assert len(found) == len(one) == 7


def test_plain_fit_trains_the_same_network(folder):
    weights = []
    for data in both(folder, val_size=8):
        keras.utils.set_random_seed(0)
        network = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(2)])
        network.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        history = network.fit(data.train, validation_data=data.validation, epochs=3, shuffle=False, verbose=0)
        weights.append([*network.get_weights(), np.array([history.history["loss"], history.history["val_loss"]])])
    for array, streamed in zip(*weights, strict=True):
        np.testing.assert_array_equal(array, streamed)


def test_copies_and_pickles_read_for_themselves(folder):
    one, other = (data.train for data in both(folder))
    other[2]
    for twin in (copy.copy(other), copy.deepcopy(other), pickle.loads(pickle.dumps(other))):
        assert_same(one, twin)


# What is read, and when.


def test_nothing_is_decoded_before_a_batch_is_asked_for(folder, decoded):
    data = load(folder, stream=True, val_size=8, **OPTIONS)
    assert data.image_shape == (8, 8, 1) and "on the disk" in data.summary() and len(data.fingerprint()) == 64
    assert decoded == []
    data.train[0]
    assert len(decoded) >= 6


def test_what_is_read_ahead_is_bounded(folder, decoded, monkeypatch):
    monkeypatch.setattr(stream_module, "usable_cores", lambda: 1)
    batches = load(folder, stream=True, **OPTIONS).train
    for asked in range(1, 5):
        batches[asked - 1]
        # Two wait for their turn, and as many are kept.
        assert wait_for(lambda asked=asked: len(decoded) == 6 * (asked + 2))
        assert len(batches._reader._recent) <= 2
    time.sleep(0.1)
    assert len(decoded) == 6 * 6


def test_large_batches_wait_in_pairs_however_many_cores_there_are(folder, monkeypatch):
    batches = load(folder, stream=True, **OPTIONS).train
    monkeypatch.setattr(stream_module, "usable_cores", lambda: 8)
    assert stream_module._batches_ahead(batches) == 16
    monkeypatch.setattr(stream_module, "_MEMORY", 5 * 6 * 64)
    assert stream_module._batches_ahead(batches) == 5
    monkeypatch.setattr(stream_module, "_MEMORY", 1)
    assert stream_module._batches_ahead(batches) == 2


def test_a_resume_in_mid_epoch_decodes_nothing_of_what_is_skipped(folder, decoded, monkeypatch):
    monkeypatch.setattr(stream_module, "usable_cores", lambda: 1)
    batches = load(folder, stream=True, **OPTIONS).train
    order = [os.path.basename(batches.images._names[batches.images._chosen[place]]) for place in batches.order]
    rest = batches.skipping(4)
    rest[0]
    assert wait_for(lambda: len(decoded) == 18)
    assert sorted(decoded[:6]) == sorted(order[24:30])
    assert not set(decoded[:12]) & set(order[:24])


def test_an_epoch_begins_with_what_was_read_at_the_end_of_the_one_before(folder, decoded):
    batches = load(folder, stream=True, **OPTIONS).train
    for _ in range(3):
        assert len(list(batches)) == 6
        batches.epoch += 1
    ahead = stream_module._batches_ahead(batches)
    assert wait_for(lambda: len(decoded) == 6 * (18 + ahead))


def test_the_first_batches_can_be_looked_at_without_being_decoded_twice(folder, decoded):
    batches = load(folder, stream=True, **OPTIONS).train
    batches[0], batches[1], batches[0], batches[1], batches[2]
    ahead = stream_module._batches_ahead(batches)
    assert wait_for(lambda: len(decoded) == 6 * (3 + ahead))


def test_the_threads_end_with_the_batches(folder):
    others = reading_threads()
    data = load(folder, stream=True, val_size=8, **OPTIONS)
    data.train[0], data.validation[0]
    own = reading_threads() - others
    assert own
    del data
    gc.collect()
    assert wait_for(lambda: not reading_threads() & own)


# What goes wrong.


def test_a_file_that_turns_bad_is_named_when_its_turn_comes(folder):
    in_memory, streamed = both(folder)
    bad = folder / "cat" / "22.png"
    bad.write_bytes(bad.read_bytes()[:60])
    place = sorted([*folder.glob("*/*.png")]).index(bad)
    turn = int(np.flatnonzero(in_memory.train.order == place)[0]) // 6
    for index in range(turn):
        np.testing.assert_array_equal(in_memory.train[index][0], streamed.train[index][0])
    for _ in range(2):
        with pytest.raises(DataError, match=r"22\.png: cannot be decoded") as raised:
            streamed.train[turn]
    assert str(raised.value) == str(streamed.train.failures[-1]) and "\n" not in str(raised.value)
    # What is good can still be had.
    np.testing.assert_array_equal(in_memory.train[0][0], streamed.train[0][0])


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda path: path.unlink(), "cannot be looked at"),
        (lambda path: path.write_bytes(b""), "is empty"),
        (lambda path: Image.new("L", (9, 8)).save(path), "is 9x8 pixels, but was 8x8 and grey when the data were"),
        (lambda path: Image.new("RGB", (8, 8)).save(path), "is 8x8 pixels and has colour, but was 8x8 and grey"),
        (lambda path: Image.new("LA", (8, 8)).save(path), "has transparent pixels"),
        (lambda path: (path.unlink(), os.mkfifo(path)), "is not a regular file"),
        (lambda path: (path.unlink(), path.symlink_to("23.png")), "is a symbolic link"),
    ],
)
def test_a_file_that_becomes_another_is_named(folder, change, complaint):
    batches = load(folder, stream=True, drop_remainder=False, **OPTIONS).train
    change(folder / "cat" / "22.png")
    with pytest.raises(DataError, match=rf"22\.png: {complaint}"):
        list(batches)


def test_headers_are_checked_before_training(folder):
    Image.new("L", (9, 8)).save(folder / "cat" / "99.png")
    with pytest.raises(DataError, match=r"99\.png: is 9x8 pixels"):
        load(folder, stream=True)


def test_only_folders_of_images_or_shards_are_streamed(folder, tmp_path, write_idx_folder):
    np.savez(tmp_path / "some.npz", images=np.zeros((4, 8, 8), np.uint8))
    write_idx_folder(tmp_path / "idx")
    for name in ("digits", "mnist", tmp_path / "some.npz", tmp_path / "idx", "nowhere"):
        with pytest.raises(DataError, match="cannot be streamed, as it is no folder of images or shards; leave stream"):
            load(name, stream=True)


def test_a_test_split_beside_images_on_the_disk_is_refused(folder):
    data = load(folder, stream=True, batch_size=4)
    with pytest.raises(DataError, match="a test split cannot be given to images on the disk"):
        DataModule(data.train.images, data.train.labels, test=(np.zeros((1, 8, 8)), [0]))


def test_without_grain_the_remedy_is_named(folder, monkeypatch):
    monkeypatch.setattr(stream_module.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(DataError, match=r"needs grain, which is not installed; pip install \"kerasgan\[stream\]\""):
        load(folder, stream=True)
    load(folder, **OPTIONS)


def test_a_folder_larger_than_memory_is_not_read_into_it(folder, monkeypatch):
    pages = {"SC_PAGE_SIZE": 1, "SC_PHYS_PAGES": 40 * 64 - 1}
    monkeypatch.setattr(os, "sysconf", pages.__getitem__)
    with pytest.raises(DataError, match="40 images take 0 GiB once decoded, and this machine has 0; leave them on"):
        load(folder, **OPTIONS)
    pages["SC_PHYS_PAGES"] += 1
    load(folder, **OPTIONS)


# What a data set says of itself.


def test_the_fingerprint_is_of_what_is_in_the_files_and_of_their_order(folder):
    first = load(folder, stream=True, **OPTIONS).fingerprint()
    os.utime(folder / "cat" / "22.png", (1, 1))
    assert load(folder, stream=True, **OPTIONS).fingerprint() == first
    assert load(folder, stream=True, val_size=4, **OPTIONS).fingerprint() != first
    one, other = folder / "cat" / "22.png", folder / "cat" / "23.png"
    one_bytes, other_bytes = one.read_bytes(), other.read_bytes()
    one.write_bytes(other_bytes), other.write_bytes(one_bytes)
    assert load(folder, stream=True, **OPTIONS).fingerprint() != first
    one.write_bytes(one_bytes), other.write_bytes(other_bytes)
    assert load(folder, stream=True, **OPTIONS).fingerprint() == first


@pytest.mark.parametrize(("shade", "verdict"), [(0, "dark"), (255, "light"), (128, None)])
def test_the_background_is_that_of_the_images_in_memory(tmp_path, shade, verdict):
    for number in range(3):
        Image.new("RGB", (6, 5), (shade,) * 3).save(tmp_path / f"{number}.png")
    in_memory, streamed = both(tmp_path, drop_remainder=False)
    assert in_memory.background == streamed.background == verdict


def test_a_large_sample_is_judged_block_by_block(monkeypatch):
    images = np.zeros((1000, 4, 4, 1), np.uint8)
    images[:120] = 255
    assert background_of(images) is None
    assert background_of(images[40:]) == "dark"


def test_a_figure_is_drawn_of_what_it_shows(folder, tmp_path, decoded):
    data = load(folder, stream=True, **OPTIONS)
    data.figure(tmp_path / "figure.png")
    assert len(decoded) == 12 + 12
    load(folder / "cat", stream=True, **OPTIONS).figure(tmp_path / "flat.png")


# Files that are indexed like an array.


def test_files_are_indexed_like_the_array_of_them(folder, decoded):
    paths = sorted(folder.glob("*/*.png"))
    files = PictureFiles(paths)
    array = load(folder, **OPTIONS).train.images
    decoded.clear()
    view = files[5:30:2]
    assert isinstance(view, PictureFiles) and decoded == []
    assert (len(view), view.shape, view.dtype, view.ndim) == (13, (13, 8, 8, 1), np.uint8, 4)
    np.testing.assert_array_equal(view[np.array([0, 12, -1])], array[5:30:2][[0, 12, -1]])
    assert len(decoded) == 3
    np.testing.assert_array_equal(view[2], array[9])
    np.testing.assert_array_equal(np.stack(list(view)), array[5:30:2])
    for wrong in (13, np.array([13])):
        with pytest.raises(IndexError):
            view[wrong]


def test_damaged_metadata_is_passed_over_and_no_other_filter_is_touched(tmp_path):
    exif = (
        b"Exif\x00\x00II*\x00\x08\x00\x00\x00\x01\x00\x1a\x01\x05\x00\x01\x00\x00\x00\xff\xff\x00\x00\x00\x00\x00\x00"
    )
    for number in range(6):
        Image.new("RGB", (16, 16), (number,) * 3).save(tmp_path / f"{number}.jpg", exif=exif, quality=95)
    in_memory, streamed = (data.train for data in both(tmp_path))
    with pytest.warns(UserWarning, match="Corrupt EXIF|Metadata Warning|Truncated"):  # There is something to pass over.
        Image.open(tmp_path / "0.jpg").close()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert_same(in_memory, streamed)
        with pytest.raises(UserWarning, match="ours"):
            warnings.warn("ours", UserWarning, stacklevel=1)
