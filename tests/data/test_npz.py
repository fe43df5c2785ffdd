import io
import os
import re
import zipfile

import numpy as np
import pytest

from kerasgan.data import DataError, load
from kerasgan.data.npz import read_npz


@pytest.fixture
def path(tmp_path):
    return tmp_path / "some.npz"


def write_member(path, content, *, key="images", method=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr(f"{key}.npy", content)


def npy_header(shape, descr="|u1"):
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": descr, "fortran_order": False, "shape": shape})
    return stream.getvalue()


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_the_keys_of_keras_datasets_give_train_and_test(path, images, labels, save):
    save(path, x_train=images, y_train=labels[:, None], x_test=images[:5], y_test=labels[:5])
    data = load(path, batch_size=4)
    assert data.name == "some" and data.image_shape == (6, 5, 1) and data.num_classes == 10
    np.testing.assert_array_equal(data.train.images[..., 0], images)
    np.testing.assert_array_equal(data.test.labels, labels[:5])


def test_images_may_come_without_labels(path, images):
    np.savez(path, images=images)
    data = load(path, batch_size=4)
    assert data.num_classes is None and data.test is None and len(data.train[0]) == 1


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"pictures": np.zeros(3)}, "holds neither x_train nor images (found: pictures)"),
        ({"x_train": np.zeros((2, 3, 3)), "y_test": np.zeros(2)}, "y_test but not x_test"),
        ({"images": np.zeros((4, 4), np.uint8)}, "[images]: images have shape (4, 4)"),
        ({"images": np.zeros((2, 3, 8, 8), np.uint8)}, "1 or 3 channels, last"),
        ({"images": np.zeros((0, 8, 8), np.uint8)}, "so there are none"),
        ({"images": np.array([["a"]])}, "dtype <U1, which is not numbers"),
        ({"images": np.zeros((2, 3, 3), np.uint8), "labels": np.zeros(3, int)}, "3 labels for 2 images"),
        ({"images": np.zeros((2, 3, 3), np.uint8), "labels": np.zeros(2)}, "labels have dtype float64"),
        ({"images": np.zeros((2, 3, 3), np.uint8), "labels": np.zeros((2, 4), int)}, "argmax"),
        ({"images": np.zeros((2, 3, 3), np.uint8), "labels": np.array([0, -1])}, "label -1 lies outside"),
        ({"images": np.zeros((2, 3, 3), np.uint8), "labels": np.array([0, 2**40])}, "lies outside 0..99999"),
        ({"images": np.full((2, 3, 3), np.nan)}, "NaN or infinite"),
        ({"images": np.full((2, 3, 3), np.inf)}, "NaN or infinite"),
        ({"images": np.full((2, 3, 3), 300)}, "int64 images span 300 to 300"),
        ({"images": np.array([[[-3.0, 1.0]]])}, "float images span -3 to 1"),
    ],
)
def test_arrays_that_are_not_images_are_refused_in_one_line(path, arrays, said):
    np.savez(path, **arrays)
    with pytest.raises(DataError, match=re.escape(said)) as caught:
        load(path, batch_size=1)
    assert "some" in str(caught.value) and "\n" not in str(caught.value)


def test_a_pickle_is_never_opened(path, tmp_path):
    class Trap:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "sprung"),)

    np.savez(path, images=np.array([Trap()], dtype=object))
    with pytest.raises(DataError, match="pickled objects"):
        read_npz(path)
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("shape", [(2, 3, 4), (10**6, 10**6, 10**6), (-2, -3, 4)])
def test_a_header_that_promises_more_than_its_member_holds_is_refused(path, shape):
    write_member(path, npy_header(shape) + bytes(20))
    with pytest.raises(DataError, match="promises"):
        read_npz(path)


def test_a_zip_directory_that_claims_the_impossible_is_refused(path):
    content = npy_header((10**9, 1, 1))
    write_member(path, content)
    raw, size = path.read_bytes(), len(content).to_bytes(4, "little")
    path.write_bytes(raw.replace(size, (10**9 + len(content)).to_bytes(4, "little")))
    with pytest.raises(DataError, match="claims"):
        read_npz(path)


@pytest.mark.parametrize(
    "content",
    [
        b"not an array",
        npy_header((2, 2, 2))[:20],
        b"",
        npy_header((2, 2, 2)).replace(b")", b"("),
    ],
)
def test_a_member_that_is_no_array_is_refused(path, content):
    write_member(path, content)
    with pytest.raises(DataError, match="is not a sound array"):
        read_npz(path)


def test_other_compression_is_refused_since_its_growth_has_no_bound(path, images):
    write_member(path, npy_header(images.shape) + images.tobytes(), method=zipfile.ZIP_BZIP2)
    with pytest.raises(DataError, match="compression method 12"):
        read_npz(path)


def test_a_damaged_archive_is_refused(path, images):
    path.write_bytes(b"PK\x03\x04 and so on")
    with pytest.raises(DataError, match=r"not a sound \.npz"):
        read_npz(path)
    np.savez(path, images=images)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"not a sound \.npz"):
        read_npz(path)
    flipped = bytearray(whole)
    flipped[300] ^= 1
    path.write_bytes(flipped)
    with pytest.raises(DataError, match="CRC"):
        read_npz(path)
    path.write_bytes(b"")
    with pytest.raises(DataError, match="is empty"):
        read_npz(path)


def test_no_flipped_byte_escapes_as_another_exception(path):
    np.savez_compressed(path, images=np.zeros((2, 3, 3), np.uint8), labels=np.zeros(2, np.uint8))
    whole, generator = path.read_bytes(), np.random.default_rng(0)
    for _ in range(400):
        damaged = bytearray(whole)
        damaged[generator.integers(len(whole))] = generator.integers(256)
        path.write_bytes(damaged)
        try:
            read_npz(path)
        except DataError as error:
            assert "\n" not in str(error)
