"""IDX files, plain and compressed, that are not what they say."""

import gzip
import struct

import pytest

SMALL = ["--model", "dense", "--batch-size", "4", "--fast-dev-run"]


def idx(*sizes, content=b"", magic=None, kind=8):
    start = bytes([0, 0, kind, len(sizes)]) if magic is None else magic
    return start + struct.pack(f">{len(sizes)}I", *sizes) + content


@pytest.fixture
def folder(here, images, labels):
    """A sound data set of four files, for the rows to spoil one of."""
    path = here / "faces"
    path.mkdir()
    for split in ("train", "t10k"):
        (path / f"{split}-images-idx3-ubyte").write_bytes(idx(*images.shape, content=images.tobytes()))
        (path / f"{split}-labels-idx1-ubyte").write_bytes(idx(len(labels), content=labels.tobytes()))
    return path


THREE = "an IDX file of unsigned bytes with 3 dimension(s) starts with 0x00000803"

IMAGES = {
    "empty": (b"", "is empty (0 bytes); copy"),
    "3 bytes": (b"\0\0\x08", "its header has 3 of 16 bytes"),
    "bad magic": (idx(2, 8, 8, magic=b"\x12\x34\x08\x03", content=bytes(128)), f"starts with 0x12340803; {THREE}"),
    "bad type code": (idx(2, 8, 8, kind=0x0D, content=bytes(512)), f"starts with 0x00000d03; {THREE}"),
    "0 dimensions": (idx(), f"starts with 0x00000800; {THREE}"),
    "255 dimensions": (idx(*[1] * 255, content=b"x"), f"starts with 0x000008ff; {THREE}"),
    "a dimension of 2^32-1": (idx(2**32 - 1, 8, 8, content=bytes(128)), "promises 274,877,906,880 bytes"),
    "a product over 2^64": (idx(*[2**32 - 1] * 3, content=bytes(9)), "promises 79,228,162,458,924,105,385,300,197,375"),
    "zero images": (idx(0, 8, 8), "its header gives sizes (0, 8, 8); every size must be >= 1"),
    "images of no width": (idx(20, 8, 0), "its header gives sizes (20, 8, 0); every size must be >= 1"),
    "short payload": (idx(20, 8, 8, content=bytes(1279)), "promises 1,280 bytes, the file holds at most 1,279; copy"),
    "trailing bytes": (idx(20, 8, 8, content=bytes(1281)), "bytes trail after the 1,280 that its header promises"),
    "gzip under a plain name": (gzip.compress(idx(20, 8, 8)), "rename it to train-images-idx3-ubyte.gz"),
}


@pytest.mark.parametrize(("content", "said"), IMAGES.values(), ids=IMAGES)
def test_images_that_are_not_what_they_say_are_refused(folder, refused, content, said):
    (folder / "train-images-idx3-ubyte").write_bytes(content)
    assert "train-images-idx3-ubyte: " in refused(said, "train_gan.py", "--run-dir", "new", "--dataset", "faces")


LABELS = {
    "labels fewer than images": (idx(19, content=bytes(19)), "19 labels for the 20 images of train-images-idx3-ubyte"),
    "labels of images": (idx(20, 1, 1, content=bytes(20)), "with 1 dimension(s) starts with 0x00000801"),
    "labels cut off": (idx(20, content=bytes(3)), "promises 20 bytes, the file holds at most 3"),
}


@pytest.mark.parametrize(("content", "said"), LABELS.values(), ids=LABELS)
def test_labels_that_do_not_belong_to_the_images_are_refused(folder, refused, content, said):
    (folder / "train-labels-idx1-ubyte").write_bytes(content)
    assert "train-labels-idx1-ubyte: " in refused(said, "train_classifier.py", "--run-dir", "new", "--dataset", "faces")


def test_a_label_beyond_the_classes_is_refused(folder, refused):
    # Only of data known by name is it known how many classes there are.
    (folder / "train-labels-idx1-ubyte").write_bytes(idx(20, content=bytes([*range(10), 10, *range(9)])))
    said = "mnist train: label 10 lies outside 0..9; number classes from 0"
    refused(said, "train_classifier.py", "--run-dir", "new", "--dataset", "mnist", "--data-dir", "faces")


def test_a_missing_file_is_named(folder, refused):
    (folder / "t10k-labels-idx1-ubyte").unlink()
    said = "faces: t10k-labels-idx1-ubyte[.gz] is missing; put it next to the others"
    refused(said, "train_gan.py", "--run-dir", "new", "--dataset", "faces")


# Compressed


def compressed(content=bytes(20 * 64)):
    return gzip.compress(idx(20, 8, 8, content=content), mtime=0)


def with_another_checksum():
    whole = bytearray(compressed())
    whole[-8] ^= 1  # the last eight bytes are the CRC and the length
    return bytes(whole)


def bomb(promised):
    """Ten gigabytes of zeros after a header: members of gzip that follow one another unpack to all of their content."""
    return gzip.compress(idx(*promised)) + gzip.compress(bytes(10 * 2**20), mtime=0) * 1024


GZIP = {
    "not gzip": (idx(20, 8, 8, content=bytes(1280)), "is not valid gzip"),
    "truncated": (compressed()[:-12], "damaged gzip"),
    "cut in the header": (compressed()[:7], "damaged gzip"),
    "bad CRC": (with_another_checksum(), "is not valid gzip (CRC check failed"),
    "damaged stream": (compressed()[:10] + b"\x07" * 30, "damaged gzip"),  # 7: the last block, of a kind that is not
    "a 10 GB bomb": (bomb((20, 8, 8)), "bytes trail after the 1,280 that its header promises"),
    "a 10 GB bomb that says so": (bomb((160 * 2**20, 8, 8)), "would unpack to 10,737,418,240 bytes, 1,0"),
    "promises more than gzip can hold": (gzip.compress(idx(2**32 - 1, 8, 8)), "truncated; its header promises"),
}


@pytest.mark.parametrize(("content", "said"), GZIP.values(), ids=GZIP)
def test_gzip_that_is_damaged_or_grows_without_end_is_refused(folder, refused, content, said):
    (folder / "train-images-idx3-ubyte").unlink()
    (folder / "train-images-idx3-ubyte.gz").write_bytes(content)
    assert "train-images-idx3-ubyte.gz: " in refused(said, "train_gan.py", "--run-dir", "new", "--dataset", "faces")


def test_the_bomb_is_one():
    member = gzip.compress(bytes(10 * 2**20), mtime=0)
    assert len(gzip.decompress(member)) * bomb((20, 8, 8)).count(member) == 10 * 2**30
    assert len(bomb((20, 8, 8))) < 12 * 2**20


# Controls


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_sound_files_are_trained_on(folder, accepted, packed):
    if packed:
        for file in list(folder.iterdir()):
            file.with_name(f"{file.name}.gz").write_bytes(gzip.compress(file.read_bytes()))
            file.unlink()
    assert "8 x 8 x 1, 10 classes" in accepted("train_classifier.py", "--dataset", "faces", *SMALL)
