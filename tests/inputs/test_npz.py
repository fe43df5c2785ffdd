"""Arrays in an .npz that no images can be."""

import io
import os
import zipfile

import numpy as np
import pytest

SMALL = ["--model", "dense", "--batch-size", "4", "--fast-dev-run"]


def npy(shape, descr="|u1", content=b""):
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": descr, "fortran_order": False, "shape": shape})
    return stream.getvalue() + content


def header(shape):
    """The header of an array whose shape is an expression, as it stands in the file."""
    text = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}}}\n".encode()
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


def packed(content, *, method=zipfile.ZIP_STORED, key="images"):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method, compresslevel=9) as archive:
        archive.writestr(f"{key}.npy", content)
    return stream.getvalue()


def arrays(**named):
    stream = io.BytesIO()
    np.savez(stream, **named)
    return stream.getvalue()


def made_bomb(size=2**27):
    """As many zeros, whose thousandth part is what the disk holds."""
    return packed(npy((size // 64, 8, 8), content=bytes(size)), method=zipfile.ZIP_DEFLATED)


def claiming(archive, size):
    """The same archive, whose directory and local header say that its one member has another size."""
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        true = opened.infolist()[0].file_size
    assert archive.count(true.to_bytes(4, "little")) >= 2
    return archive.replace(true.to_bytes(4, "little"), size.to_bytes(4, "little"))


class Trap:
    def __reduce__(self):
        return os.mkdir, ("sprung",)


BOMB = made_bomb()
PIXELS = np.zeros((20, 8, 8), np.uint8)
NOT_A_NUMBER = np.where(np.arange(1280).reshape(20, 8, 8) == 700, np.nan, 0.5).astype(np.float32)
LIES = "its header promises 1,000,000,000,000,000,000 bytes, 20 follow"

ROWS = {
    "empty": (b"", "bad.npz: is empty (0 bytes)"),
    "not a zip": (b"PK\x03\x04 and so on", "bad.npz: is not a sound .npz"),
    "cut off": (arrays(images=PIXELS)[:-30], "bad.npz: is not a sound .npz"),
    "a pickled object": (arrays(images=np.array([Trap()], object)), "[images]: holds pickled objects"),
    "pickled labels": (arrays(images=PIXELS, labels=np.array([Trap()] * 20)), "[labels]: holds pickled objects"),
    "a huge shape in the header": (packed(npy((10**6,) * 3, content=bytes(20))), LIES),
    "a shape without end": (packed(header("1" + "+1j" * 3000)), "[images]: is not a sound array"),
    "a shape below below below": (packed(header("-" * 9000 + "1")), "[images]: is not a sound array"),
    "a huge shape of no bytes": (packed(npy((10**6, 0, 10**6))), "so there are none; every size must be >= 1"),
    "sizes below zero": (packed(npy((-20, -8, 8), content=bytes(1280))), "[images]: "),
    "a deflate bomb": (BOMB, "[images]: would unpack to 134,217,856 bytes, 1,0"),
    "a bomb that hides its size": (claiming(BOMB, 1408), "bad.npz"),
    "a size beyond the file": (claiming(packed(npy((20, 8, 8), content=bytes(1280))), 2**30), "[images]: claims"),
    "missing key": (arrays(pictures=PIXELS), "holds neither x_train nor images (found: pictures); expected x_train"),
    "wrong rank": (arrays(images=PIXELS[0]), "[images]: images have shape (8, 8); expected (count, height, width)"),
    "channels first": (arrays(images=np.zeros((20, 3, 8, 8), np.uint8)), "1 or 3 channels, last"),
    "strings": (arrays(images=np.full((20, 8, 8), "white")), "[images]: holds dtype <U5, which is not numbers"),
    "complex": (arrays(images=PIXELS * 1j), "[images]: holds dtype complex128, which is not numbers"),
    "NaN pixels": (arrays(images=NOT_A_NUMBER), "images hold NaN or infinite values; replace them by finite ones"),
    "infinite pixels": (arrays(images=np.full((20, 8, 8), np.inf)), "images hold NaN or infinite values"),
    "pixels over 255": (arrays(images=PIXELS + np.uint16(300)), "uint16 images span 300 to 300; integers must lie in"),
    "labels of halves": (arrays(images=PIXELS, labels=np.full(20, 0.5)), "labels have dtype float64; save them as"),
    "labels below zero": (arrays(images=PIXELS, labels=np.full(20, -1)), "label -1 lies outside 0..99999"),
    "labels for fewer": (arrays(images=PIXELS, labels=np.zeros(19, int)), "19 labels for 20 images"),
    "no image": (arrays(images=PIXELS[:0]), "images have shape (0, 8, 8), so there are none"),
    "a test split of another shape": (arrays(x_train=PIXELS, x_test=PIXELS[:, :4]), "those of train (8, 8, 1)"),
}


@pytest.mark.parametrize(("content", "said"), ROWS.values(), ids=ROWS)
def test_arrays_that_are_no_images_are_refused(here, refused, content, said):
    (here / "bad.npz").write_bytes(content)
    assert "bad" in refused(said, "train_gan.py", "--run-dir", "new", "--dataset", "bad.npz")
    assert not (here / "sprung").exists()


def test_the_pickle_would_have_sprung(here):
    (here / "bad.npz").write_bytes(ROWS["a pickled object"][0])
    with np.load("bad.npz", allow_pickle=True) as opened:
        opened["images"]
    assert (here / "sprung").exists()


def test_the_bomb_is_one():
    with zipfile.ZipFile(io.BytesIO(BOMB)) as archive:
        assert len(archive.read("images.npy")) > 1000 * archive.infolist()[0].compress_size


def test_sound_arrays_are_trained_on(here, accepted, images, labels):
    np.savez(here / "good.npz", images=images, labels=labels)
    assert "8 x 8 x 1, 10 classes" in accepted("train_classifier.py", "--dataset", "good.npz", *SMALL)


def test_compressed_black_images_of_harmless_size_are_no_bomb(here, accepted, labels):
    np.savez_compressed(here / "black.npz", images=PIXELS, labels=labels)
    assert "8 x 8 x 1, 10 classes" in accepted("train_classifier.py", "--dataset", "black.npz", *SMALL)
