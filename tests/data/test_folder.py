import os
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from kerasgan.data import DataError, load
from kerasgan.data.folder import read_image_folder
from kerasgan.data.pictures import read_pictures


def save(path, value=0, size=(5, 6), mode="L"):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, value).save(path)
    return path


def huge_png(width, height):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


def test_sub_folders_are_the_classes_in_alphabetical_order(tmp_path):
    save(tmp_path / "dog" / "1.png", 10)
    save(tmp_path / "cat" / "1.bmp", 20)
    save(tmp_path / "cat" / "2.PNG", 30)
    (tmp_path / "README.txt").write_text("about")
    data = load(tmp_path, batch_size=2)
    assert data.class_names == ("cat", "dog") and data.image_shape == (6, 5, 1)
    np.testing.assert_array_equal(data.train.labels, [0, 0, 1])
    np.testing.assert_array_equal(data.train.images[:, 0, 0, 0], [20, 30, 10])


def test_a_flat_folder_has_no_labels(tmp_path):
    for number in range(3):
        save(tmp_path / f"{number}.png", number)
    data = load(tmp_path, batch_size=2)
    assert data.num_classes is None and data.train.num_examples == 3


@pytest.mark.parametrize("ending", ["png", "jpg", "jpeg", "bmp", "webp"])
def test_every_format_keeps_its_colours(tmp_path, ending):
    save(tmp_path / f"a.{ending}", (200, 100, 50), mode="RGB", size=(16, 16))
    pixels = read_image_folder(tmp_path).images
    assert pixels.shape == (1, 16, 16, 3)
    np.testing.assert_allclose(pixels[0, 8, 8], (200, 100, 50), atol=4)


def test_grey_images_join_coloured_ones_as_rgb(tmp_path):
    save(tmp_path / "a.png", 7)
    save(tmp_path / "b.png", (1, 2, 3), mode="RGB")
    pixels = read_image_folder(tmp_path).images
    np.testing.assert_array_equal(pixels[:, 0, 0], [[7, 7, 7], [1, 2, 3]])


def test_an_opaque_alpha_channel_is_dropped_and_a_transparent_one_refused(tmp_path):
    save(tmp_path / "a.png", (1, 2, 3, 255), mode="RGBA")
    assert read_image_folder(tmp_path).images.shape[-1] == 3
    save(tmp_path / "b.png", (1, 2, 3, 128), mode="RGBA")
    with pytest.raises(DataError, match=r"b\.png: has transparent pixels"):
        read_image_folder(tmp_path)


def test_sixteen_bits_a_channel_are_refused(tmp_path):
    save(tmp_path / "a.png", mode="I;16")
    with pytest.raises(DataError, match="mode I;16"):
        read_image_folder(tmp_path)


def test_mixed_sizes_are_refused(tmp_path):
    save(tmp_path / "a.png")
    save(tmp_path / "b.png", size=(6, 6))
    with pytest.raises(DataError, match=r"b\.png: is 6x6 pixels, but a\.png is 5x6"):
        read_image_folder(tmp_path)


def test_text_named_png_is_refused(tmp_path):
    (tmp_path / "a.png").write_text("hello")
    with pytest.raises(DataError, match=r"a\.png: is not a PNG"):
        read_image_folder(tmp_path)


def test_another_format_under_the_name_of_png_is_refused(tmp_path):
    Image.new("L", (5, 6)).save(tmp_path / "a.png", format="TIFF")
    with pytest.raises(DataError, match="is not a PNG"):
        read_image_folder(tmp_path)


@pytest.mark.parametrize(("width", "height"), [(8001, 8000), (10_000, 10_000), (60_000, 60_000)])
def test_too_many_pixels_are_refused_before_decoding(tmp_path, width, height):
    (tmp_path / "a.png").write_bytes(huge_png(width, height))
    with pytest.raises(DataError, match="over 64 megapixels"):
        read_image_folder(tmp_path)


@pytest.mark.parametrize("ending", ["png", "jpg", "bmp", "webp"])
def test_damaged_images_are_refused_whatever_the_damage(tmp_path, ending):
    generator = np.random.default_rng(0)
    noise = generator.integers(0, 256, (20, 20, 3), np.uint8)
    path = tmp_path / f"a.{ending}"
    Image.fromarray(noise).save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=f"a.{ending}"):
        read_pictures([path])
    for _ in range(60):  # A flipped byte may go unnoticed, but no other exception may get out.
        damaged = bytearray(whole)
        damaged[generator.integers(len(whole))] = generator.integers(256)
        path.write_bytes(damaged)
        try:
            read_pictures([path])
        except DataError as error:
            assert "\n" not in str(error)


def test_folders_that_are_no_data_set_are_refused(tmp_path):
    with pytest.raises(DataError, match="holds no images"):
        load(tmp_path)
    (tmp_path / "cat").mkdir()
    with pytest.raises(DataError, match="this class holds no images"):
        load(tmp_path)
    save(tmp_path / "cat" / "deeper" / "a.png")
    with pytest.raises(DataError, match="folder in a class folder"):
        load(tmp_path)
    save(tmp_path / "b.png")
    with pytest.raises(DataError, match="both images"):
        load(tmp_path)


def test_an_empty_image_file_a_link_and_a_fifo_are_refused(tmp_path):
    real = save(tmp_path / "real" / "a.png")
    (tmp_path / "flat").mkdir()
    path = tmp_path / "flat" / "b.png"
    path.write_bytes(b"")
    with pytest.raises(DataError, match="is empty"):
        load(path.parent)
    path.unlink()
    path.symlink_to(real)
    with pytest.raises(DataError, match="symbolic link"):
        load(path.parent)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(DataError, match="not a regular file"):
        load(path.parent)
    path.unlink()
    path.symlink_to(real.parent)
    with pytest.raises(DataError, match="symbolic link to a folder"):
        load(path.parent)


def test_a_folder_that_may_not_be_read_is_refused(tmp_path, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "listdir", refuse)  # Root may read everything, so permissions cannot play the part.
    with pytest.raises(DataError, match=r"cannot be listed \(Permission denied\)"):
        load(tmp_path)


def test_a_line_break_in_a_name_stays_out_of_the_message(tmp_path):
    (tmp_path / "a\nb\x1b[31m.png").write_text("hello")
    with pytest.raises(DataError) as caught:
        load(tmp_path)
    assert "\n" not in str(caught.value) and "\x1b" not in str(caught.value)
