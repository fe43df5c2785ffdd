"""Folders of images that are damaged, huge, odd, or no images at all."""

import io
import os
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

import kerasgan as kg

SMALL = ["--model", "dense", "--batch-size", "4", "--fast-dev-run"]


def picture(path, value=0, *, size=(8, 8), mode="L", **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, value).save(path, **options)
    return path


def png(width, height, *, depth=8, colour=0, rows=b""):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def whole_bomb(side):
    """A sound PNG of black pixels: a byte a row of each filter, and one bit a pixel."""
    return png(side, side, depth=1, rows=bytes(side * (1 + -(-side // 8))))


@pytest.fixture
def folder(here):
    """Two classes of sound images; `cat/0.png` is the first file that is read."""
    for number in range(6):
        for name in ("cat", "dog"):
            picture(here / f"pets/{name}/{number}.png", 40 * number)
    return here / "pets"


def write(content):
    return lambda folder: (folder / "cat/0.png").write_bytes(content(folder) if callable(content) else content)


def truncated(folder):
    noise = np.random.default_rng(0).integers(0, 256, (8, 8), np.uint8)
    Image.fromarray(noise).save(folder / "cat/0.png")
    return (folder / "cat/0.png").read_bytes()[:90]


def instead(make):
    def put(folder):
        (folder / "cat/0.png").unlink()
        make(folder / "cat/0.png", folder)

    return put


def outside(folder):
    return picture(folder.parent / "private/face.png")


def animated(path):
    frames = [Image.new("L", (8, 8), shade) for shade in (0, 90, 180)]
    frames[0].save(path, save_all=True, append_images=frames[1:])


def emptied(folder):
    for file in [*folder.glob("*/*")]:
        file.unlink()
    for name in ("cat", "dog"):
        (folder / name).rmdir()


def emptied_class(folder):
    for file in [*folder.glob("cat/*")]:
        file.unlink()


ROWS = {
    "truncated": (write(truncated), "cat/0.png: cannot be decoded"),
    "zero bytes": (write(b""), "cat/0.png: is empty (0 bytes)"),
    "text named .png": (write(b"hello"), "cat/0.png: is not a PNG, JPEG, BMP or WebP image, whatever its name"),
    "a header and no more": (write(png(8, 8)), "cat/0.png: cannot be decoded"),
    "13,000 pixels square": (write(whole_bomb(13_000)), "cat/0.png: is over 64 megapixels"),
    "30,000 pixels square": (write(whole_bomb(30_000)), "cat/0.png: is over 64 megapixels"),
    "2 billion pixels wide": (write(png(2**31 - 1, 1)), "cat/0.png: is over 64 megapixels"),
    "8,001 pixels by 8,000": (write(png(8001, 8000)), "cat/0.png: is 8001x8000 pixels, over 64 megapixels; make it"),
    "no pixels": (write(png(0, 8)), "cat/0.png: "),
    "16-bit": (lambda folder: picture(folder / "cat/0.png", mode="I;16"), "mode I;16; save it as 8-bit grey or RGB"),
    "animated PNG": (lambda folder: animated(folder / "cat/0.png"), "cat/0.png: is animated; save each frame"),
    "animated WebP": (lambda folder: animated(folder / "cat/0.webp"), "cat/0.webp: is animated; save each frame"),
    "GIF named .png": (lambda folder: picture(folder / "cat/0.png", format="GIF"), "cat/0.png: is not a PNG, JPEG"),
    "transparent": (lambda folder: picture(folder / "cat/0.png", mode="RGBA"), "transparent pixels; flatten it onto"),
    "mixed sizes": (lambda folder: picture(folder / "dog/3.png", size=(9, 8)), "is 9x8 pixels, but 0.png is 8x8; res"),
    "a FIFO": (instead(lambda path, folder: os.mkfifo(path)), "cat/0.png: is not a regular file"),
    "a directory named .png": (instead(lambda path, folder: path.mkdir()), "cat/0.png: is a folder in a class folder"),
    "a link out of the folder": (instead(lambda path, folder: path.symlink_to(outside(folder))), "is a symbolic link"),
    "a linked class": (lambda folder: (folder / "elk").symlink_to(outside(folder).parent), "link to a folder; put"),
    "a loop of links": (instead(lambda path, folder: path.symlink_to(path)), "symbolic link that leads nowhere"),
    "a loop of folders": (lambda folder: (folder / "cat/up").symlink_to(folder), "cat/up: is a symbolic link to a"),
    "a loop of classes": (lambda folder: (folder / "elk").symlink_to("elk"), "elk: is a symbolic link that leads"),
    "empty folder": (emptied, "pets: holds no images (.bmp, .jpeg, .jpg, .png, .webp) and no folders"),
    "empty class": (emptied_class, "cat: this class holds no images"),
    "images beside classes": (lambda folder: picture(folder / "1.png"), "holds both images (1.png) and folders (cat)"),
    "too deep": (lambda folder: picture(folder / "cat/tabby/1.png"), "tabby: is a folder in a class folder"),
    "a class not in UTF-8": (lambda folder: picture(folder / os.fsdecode(b"\xff") / "1.png"), "is not UTF-8; rename"),
    "an odd name": (lambda folder: (folder / "cat/\x1b[31m\n.png").write_bytes(b"x"), r"cat/\x1b[31m\n.png: is not"),
}


@pytest.mark.parametrize(("spoil", "said"), ROWS.values(), ids=ROWS)
def test_a_folder_that_is_no_data_set_is_refused(folder, refused, spoil, said):
    spoil(folder)
    assert "pets" in refused(said, "train_classifier.py", "--run-dir", "new", "--dataset", "pets")


def test_the_bomb_is_one():
    assert len(whole_bomb(30_000)) < 2**20
    with Image.open(io.BytesIO(whole_bomb(1_000))) as image:  # in the same way, of a size that does no harm
        assert image.convert("L").getextrema() == (0, 0)


def test_sound_images_are_trained_on(folder, accepted):
    assert "8 x 8 x 1, 2 classes" in accepted("train_classifier.py", "--dataset", "pets", *SMALL)


# What is unusual and sound: accepted, and seen as it is meant.


def test_inks_become_the_colour_that_they_print(folder, accepted):
    picture(folder / "cat/0.png").unlink()
    picture(folder / "cat/0.jpg", (0, 255, 255, 0), mode="CMYK", quality=100)  # magenta and yellow: red
    assert "8 x 8 x 3, 2 classes" in accepted("train_classifier.py", "--dataset", "pets", *SMALL)
    (red,) = kg.data.load("pets", batch_size=4).train.images[:1, 4, 4]
    np.testing.assert_allclose(red, (255, 0, 0), atol=3)


def test_the_name_of_an_image_may_be_anything(folder, accepted):
    (folder / "cat/0.png").rename(folder / "cat" / os.fsdecode(b"\xff.png"))
    assert "8 x 8 x 1, 2 classes" in accepted("train_classifier.py", "--dataset", "pets", *SMALL)


def test_the_small_copy_in_a_photograph_is_no_animation(folder, accepted):
    shades = [Image.new("L", (8, 8), 90), Image.new("L", (4, 4), 90)]
    shades[0].save(folder / "cat/0.jpg", format="MPO", save_all=True, append_images=shades[1:])
    accepted("train_classifier.py", "--dataset", "pets", *SMALL)
