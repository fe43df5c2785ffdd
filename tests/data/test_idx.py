import gzip
import os
import re
import struct

import numpy as np
import pytest

from kerasgan.data import DataError
from kerasgan.data.idx import read_idx
from kerasgan.data.idx_folder import read_idx_folder


def write(path, *sizes, content=b"", magic=None):
    header = bytes([0, 0, 8, len(sizes)]) if magic is None else magic
    data = header + struct.pack(f">{len(sizes)}I", *sizes) + content
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


@pytest.fixture(params=["images", "images.gz"])
def path(request, tmp_path):
    return tmp_path / request.param


def test_values_and_shape_come_back(path):
    array = read_idx(write(path, 2, 3, 2, content=bytes(range(12))), 3)
    np.testing.assert_array_equal(array, np.arange(12, dtype=np.uint8).reshape(2, 3, 2))


@pytest.mark.parametrize(
    ("sizes", "content", "said"),
    [
        ((2, 3, 2), bytes(11), "truncated; its header promises 12 bytes"),
        ((2, 3, 2), bytes(13), "bytes trail after the 12"),
        ((0, 3, 2), b"", "every size must be >= 1"),
        ((2, 0, 2), b"", "every size must be >= 1"),
        ((2**32 - 1, 2**32 - 1, 2**32 - 1), bytes(12), "truncated; its header promises"),
    ],
)
def test_a_header_that_disagrees_with_the_content_is_refused(path, sizes, content, said):
    write(path, *sizes, content=content)
    with pytest.raises(DataError, match=re.escape(said)) as caught:
        read_idx(path, 3)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("magic", [b"\0\0\x0d\x03", b"\0\0\x08\x01", b"\x89PNG"])
def test_another_magic_number_is_refused(path, magic):
    write(path, 1, 2, 2, content=bytes(4), magic=magic)
    with pytest.raises(DataError, match=f"starts with 0x{magic.hex()}.*starts with 0x00000803"):
        read_idx(path, 3)


def test_a_header_cut_short_is_refused(path):
    write(path, 5)
    with pytest.raises(DataError, match=r"starts with|truncated"):
        read_idx(path, 3)
    write(path, 5, magic=b"\0\0\x08\x03")
    with pytest.raises(DataError, match="its header has 8 of 16 bytes"):
        read_idx(path, 3)


def test_an_empty_file_is_refused(path):
    path.write_bytes(b"")
    with pytest.raises(DataError, match="is empty"):
        read_idx(path, 3)


def test_a_gz_that_is_not_gzip_is_refused(tmp_path):
    path = tmp_path / "images.gz"
    path.write_bytes(b"\0\0\x08\x01" + bytes(50))
    with pytest.raises(DataError, match="is not valid gzip"):
        read_idx(path, 1)


def test_gzip_under_a_plain_name_is_told_apart(tmp_path):
    path = tmp_path / "images"
    path.write_bytes(gzip.compress(bytes(50)))
    with pytest.raises(DataError, match=r"rename it to images\.gz"):
        read_idx(path, 1)


@pytest.mark.parametrize("damage", ["cut", "flipped", "checksum"])
def test_damaged_gzip_is_refused(tmp_path, damage):
    path = write(tmp_path / "images.gz", 4000, content=np.random.default_rng(0).bytes(4000))
    content = bytearray(path.read_bytes())
    if damage == "cut":
        content = content[:2000]
    elif damage == "flipped":
        content[10:40] = bytes(30)
    else:
        content[-6] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match="gzip"):
        read_idx(path, 1)


def test_a_gzip_bomb_is_read_only_as_far_as_its_header_promises(tmp_path, monkeypatch):
    path = write(tmp_path / "bomb.gz", 10, content=bytes(50_000_000))
    taken = []
    read = gzip.GzipFile.read

    def counting_read(stream, size=-1):
        data = read(stream, size)
        taken.append(len(data))
        return data

    monkeypatch.setattr(gzip.GzipFile, "read", counting_read)
    with pytest.raises(DataError, match="trail"):
        read_idx(path, 1)
    assert sum(taken) < 100


def test_links_and_fifos_are_refused(tmp_path):
    real = write(tmp_path / "real", 1, content=b"x")
    (tmp_path / "link").symlink_to(real)
    with pytest.raises(DataError, match="symbolic link"):
        read_idx(tmp_path / "link", 1)
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(DataError, match="not a regular file"):
        read_idx(tmp_path / "fifo", 1)
    with pytest.raises(DataError, match="not a regular file"):
        read_idx(tmp_path, 1)


@pytest.mark.parametrize("compressed", [True, False])
def test_a_folder_gives_both_splits(tmp_path, write_idx_folder, images, labels, compressed):
    arrays = read_idx_folder(write_idx_folder(tmp_path, compressed=compressed))
    np.testing.assert_array_equal(arrays.images, images)
    np.testing.assert_array_equal(arrays.test_labels, labels[:10])


def test_a_folder_without_test_files_has_no_test_split(tmp_path, write_idx_folder):
    write_idx_folder(tmp_path)
    for file in tmp_path.glob("t10k-*"):
        file.unlink()
    assert read_idx_folder(tmp_path).test_images is None


@pytest.mark.parametrize("missing", ["train-images", "train-labels", "t10k-images", "t10k-labels"])
def test_a_folder_with_half_a_split_names_the_missing_file(tmp_path, write_idx_folder, missing):
    write_idx_folder(tmp_path)
    next(tmp_path.glob(f"{missing}*")).unlink()
    with pytest.raises(DataError, match=f"{missing}-idx.*is missing"):
        read_idx_folder(tmp_path)


def test_labels_of_another_count_are_refused(tmp_path, write_idx_folder):
    write_idx_folder(tmp_path)
    write(tmp_path / "train-labels-idx1-ubyte.gz", 7, content=bytes(7))
    with pytest.raises(DataError, match="7 labels for the 20 images"):
        read_idx_folder(tmp_path)


def test_the_spelling_with_a_dot_is_found(tmp_path, write_idx_folder):
    write_idx_folder(tmp_path, compressed=False)
    for file in list(tmp_path.iterdir()):
        file.rename(tmp_path / file.name.replace("-idx", ".idx"))
    assert read_idx_folder(tmp_path).images.shape == (20, 6, 5)
