import os
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageDraw

from kerasgan.data import DataError, read_picture

SQUARE = (8, 8, 1)


def draw(path, size, ground, ink, box, mode="L", **options):
    """Save a picture with a block of ink on a plain ground; the box is left, top, right, bottom, inclusive."""
    picture = Image.new(mode, size, ground)
    ImageDraw.Draw(picture).rectangle(box, fill=ink)
    picture.save(path, **options)
    return path


def levels(picture):
    """The picture in 0..255 again, where its numbers are easy to work out."""
    return (picture + 1) * 127.5


def test_a_picture_of_the_right_size_comes_back_as_it_is(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    picture = read_picture(tmp_path / "a.png", SQUARE)
    assert picture.shape == SQUARE and picture.dtype == np.float32
    np.testing.assert_allclose(levels(picture)[..., 0], pixels, atol=1e-4)
    assert picture.min() >= -1 and picture.max() <= 1


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("a.png", "1"),
        ("a.bmp", "L"),
        ("a.png", "LA"),
        ("a.png", "P"),
        ("a.webp", "RGB"),
        ("a.png", "RGBA"),
        ("a.jpg", "CMYK"),
        ("a.jpeg", "YCbCr"),
    ],
)
@pytest.mark.parametrize("shape", [(28, 28, 1), (28, 28, 3), (20, 40, 1)])
def test_every_format_and_mode_becomes_the_shape_asked_for(tmp_path, name, mode, shape):
    picture = Image.new("RGB", (50, 70), "white")
    ImageDraw.Draw(picture).rectangle((10, 15, 39, 54), fill="black")
    picture.convert(mode).save(tmp_path / name)
    read = read_picture(tmp_path / name, shape)
    assert read.shape == shape
    middle = read[shape[0] // 2, shape[1] // 2]
    np.testing.assert_allclose(middle, -1, atol=0.05)
    np.testing.assert_allclose(read[[0, -1]], 1, atol=0.05)


def test_grey_becomes_colour_and_colour_grey(tmp_path):
    Image.new("L", (8, 8), 51).save(tmp_path / "grey.png")
    np.testing.assert_allclose(levels(read_picture(tmp_path / "grey.png", (8, 8, 3))), 51, atol=1e-4)
    Image.new("RGB", (8, 8), (200, 100, 50)).save(tmp_path / "colour.png")
    np.testing.assert_allclose(
        levels(read_picture(tmp_path / "colour.png", (8, 8, 3)))[3, 3], (200, 100, 50), atol=1e-4
    )
    luma = 0.299 * 200 + 0.587 * 100 + 0.114 * 50
    np.testing.assert_allclose(levels(read_picture(tmp_path / "colour.png", SQUARE)), luma, atol=1)


def test_what_is_missing_to_a_square_gets_the_colour_of_the_border(tmp_path):
    wide = draw(tmp_path / "wide.png", (32, 16), (40, 50, 60), (200, 0, 0), (8, 4, 23, 11), mode="RGB")
    picture = levels(read_picture(wide, (8, 8, 3)))
    # 32x16 shrinks to 8x4, which leaves two rows above and two below.
    np.testing.assert_allclose(picture[[0, 1, 6, 7]], np.broadcast_to((40, 50, 60), (4, 8, 3)), atol=1e-4)
    assert (picture[3:5, 3:5, 0] > 180).all()
    tall = draw(tmp_path / "tall.png", (4, 16), 40, 200, (1, 4, 2, 11))
    picture = levels(read_picture(tall, SQUARE))
    np.testing.assert_allclose(picture[:, [0, 1, 2, 5, 6, 7]], 40, atol=1e-4)


def test_proportions_are_kept(tmp_path):
    path = draw(tmp_path / "a.png", (200, 300), 255, 0, (60, 90, 139, 169))
    dark = read_picture(path, (30, 30, 1))[..., 0] < 0
    assert dark.any(axis=0).sum() == dark.any(axis=1).sum() == 8  # 80 pixels of 300, in 30


def test_a_long_thin_picture_is_not_blown_up_to_a_square_first(tmp_path):
    Image.new("L", (1_000_000, 1), 90).save(tmp_path / "a.png")
    np.testing.assert_allclose(levels(read_picture(tmp_path / "a.png", SQUARE)), 90, atol=1e-4)


@pytest.mark.parametrize(
    ("ground", "background", "invert", "inverted"),
    [
        (255, "dark", None, True),
        (150, "dark", None, True),  # paper, photographed
        (0, "dark", None, False),
        (0, "light", None, True),
        (255, "light", None, False),
        (255, None, None, False),
        (0, None, None, False),
        (0, "dark", True, True),
        (255, "dark", False, False),
        (255, None, True, True),
    ],
)
def test_a_picture_is_inverted_if_it_lies_on_the_other_ground(tmp_path, ground, background, invert, inverted):
    ink = 0 if ground else 255
    path = draw(tmp_path / "a.png", (8, 8), ground, ink, (2, 2, 5, 5))
    picture = levels(read_picture(path, SQUARE, background=background, invert=invert))
    assert (picture[0, 0, 0] < picture[4, 4, 0]) == ((ground < ink) != inverted)
    if ground != 150:
        np.testing.assert_allclose(picture[0], 255 - ground if inverted else ground, atol=1e-4)
        np.testing.assert_allclose(picture[4, 4], 255 - ink if inverted else ink, atol=1e-4)


@pytest.mark.parametrize(
    ("ground", "ink", "background", "expected"),
    [
        (155, 55, "dark", (0, 255 * (200 - 100) / (255 - 100))),  # inverted: 100 and 200
        (51, 255, "dark", (0, 255)),
        (51, 153, "dark", (0, 127.5)),
        (51, 0, "dark", (0, 0)),  # darker than the ground: no ink
        (204, 102, "light", (255, 127.5)),
        (51, 153, "light", (255, 127.5)),  # inverted: 204 and 102
        (51, 153, None, (51, 153)),
    ],
)
@pytest.mark.parametrize("shape", [SQUARE, (8, 8, 3)])
def test_a_ground_that_is_nearly_plain_becomes_plain(tmp_path, ground, ink, background, expected, shape):
    path = draw(tmp_path / "a.png", (8, 8), ground, ink, (2, 2, 5, 5))
    picture = levels(read_picture(path, shape, background=background))
    np.testing.assert_allclose(picture[0], expected[0], atol=0.51)
    np.testing.assert_allclose(picture[4, 4], expected[1], atol=0.51)


def test_levels_stay_where_inversion_was_chosen_against_the_background(tmp_path):
    path = draw(tmp_path / "a.png", (8, 8), 204, 102, (2, 2, 5, 5))
    picture = levels(read_picture(path, SQUARE, background="dark", invert=False))
    np.testing.assert_allclose(picture[0], 204, atol=1e-4)
    np.testing.assert_allclose(picture[4, 4], 102, atol=1e-4)


def test_transparent_pixels_count_as_white(tmp_path):
    clear = draw(tmp_path / "a.png", (8, 8), (255, 0, 0, 0), (0, 0, 0, 255), (2, 2, 5, 5), mode="RGBA")
    picture = levels(read_picture(clear, (8, 8, 3)))
    np.testing.assert_allclose(picture[0], 255, atol=1e-4)
    np.testing.assert_allclose(picture[4, 4], 0, atol=1e-4)
    assert read_picture(clear, SQUARE, background="dark")[0, 0, 0] == -1
    half = draw(tmp_path / "b.png", (8, 8), (0, 128), (0, 255), (2, 2, 5, 5), mode="LA")
    np.testing.assert_allclose(levels(read_picture(half, SQUARE))[0], 127, atol=1)
    named = draw(tmp_path / "c.png", (8, 8), 7, 0, (2, 2, 5, 5), transparency=7)  # one grey value is see-through
    np.testing.assert_allclose(levels(read_picture(named, SQUARE))[0], 255, atol=1e-4)


def test_a_photograph_is_turned_upright(tmp_path):
    note = Image.Exif()
    note[0x0112] = 6  # held on its side: turn it by 90 degrees clockwise
    sideways = draw(tmp_path / "a.png", (8, 8), 0, 255, (0, 0, 3, 7), exif=note)
    picture = levels(read_picture(sideways, SQUARE))
    np.testing.assert_allclose(picture[:4], 255, atol=1e-4)
    np.testing.assert_allclose(picture[4:], 0, atol=1e-4)


def test_damaged_notes_of_a_camera_do_not_matter(tmp_path):
    note = Image.Exif()
    note[0x010E] = "a description"
    path = draw(tmp_path / "a.jpg", (16, 16), 90, 90, (0, 0, 1, 1), exif=note)
    content = path.read_bytes()
    start = content.index(b"Exif") + 24  # the length of the description
    path.write_bytes(content[:start] + b"\x00\x7f\xff\xff" + content[start + 4 :])
    with pytest.warns(UserWarning), Image.open(path) as damaged:
        damaged.getexif()
    np.testing.assert_allclose(levels(read_picture(path, SQUARE)), 90, atol=2)


def test_a_link_to_a_picture_is_followed(tmp_path):
    path = draw(tmp_path / "a.png", (8, 8), 0, 255, (2, 2, 5, 5))
    link = tmp_path / "link.png"
    link.symlink_to(path)
    np.testing.assert_array_equal(read_picture(link, SQUARE), read_picture(str(path), SQUARE))


def huge_png(width, height):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, "cannot be looked at"),
        (b"", "is empty"),
        (b"hello", "is not a PNG, JPEG, BMP or WebP image"),
        (huge_png(8001, 8000), "over 64 megapixels"),
        (huge_png(60_000, 60_000), "over 64 megapixels"),
        (huge_png(8, 8), "cannot be decoded"),
    ],
)
def test_a_file_that_is_no_good_picture_is_one_line(tmp_path, content, complaint):
    path = tmp_path / "a\nb.png"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=complaint) as caught:
        read_picture(path, SQUARE)
    assert "\n" not in str(caught.value) and "b.png" in str(caught.value)


def test_what_is_no_file_or_has_too_many_bits_is_refused(tmp_path):
    with pytest.raises(DataError, match="is not a regular file"):
        read_picture(tmp_path, SQUARE)
    os.mkfifo(tmp_path / "fifo.png")
    with pytest.raises(DataError, match="is not a regular file"):
        read_picture(tmp_path / "fifo.png", SQUARE)
    (tmp_path / "loop.png").symlink_to(tmp_path / "loop.png")
    with pytest.raises(DataError, match="symbolic link"):
        read_picture(tmp_path / "loop.png", SQUARE)
    Image.new("I;16", (8, 8)).save(tmp_path / "deep.png")
    with pytest.raises(DataError, match="mode I;16; save it as 8-bit"):
        read_picture(tmp_path / "deep.png", SQUARE)


def test_bad_options_are_named(tmp_path):
    path = draw(tmp_path / "a.png", (8, 8), 0, 255, (2, 2, 5, 5))
    for shape in [(8, 8), (8, 8, 2), (0, 8, 1)]:
        with pytest.raises(DataError, match="image_shape is"):
            read_picture(path, shape)
    with pytest.raises(DataError, match="background is 'black'; choose 'dark', 'light' or None"):
        read_picture(path, SQUARE, background="black")
