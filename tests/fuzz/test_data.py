"""No file makes a reader of data raise anything but `DataError`, on one line, or take more memory than it should."""

import gzip
import io
import json
import os
import struct
import zipfile

import numpy as np
import pytest
from hypothesis import strategies as st
from PIL import Image

import kerasgan as kg
from kerasgan.data.idx import read_idx
from tests.fuzz.mutations import fuzz, mutated, mutated_json
from tests.inputs import commands

PIXELS = np.random.default_rng(0).integers(0, 256, (4, 6, 5), np.uint8)
IDX = struct.pack(">4B3I", 0, 0, 8, 3, *PIXELS.shape) + PIXELS.tobytes()
EMPTY_IDX = struct.pack(">4B3I", 0, 0, 8, 3, 1, 1, 1) + b"\0"


def refused_or_read(read, *arguments, **options):
    """Return what was read, or None where it was refused as it should be."""
    try:
        return read(*arguments, **options)
    except kg.data.DataError as error:
        assert str(error).isprintable()
        return None


@pytest.fixture
def frugal():
    """No example may have taken much memory."""
    with commands.spent() as cost:
        yield
    assert cost[1] < commands.MOST_MEMORY


def packed(content):
    return gzip.compress(content, mtime=0)


def test_idx(tmp_path, frugal):
    def check(made):
        content, name = made
        (tmp_path / name).write_bytes(content)
        array = refused_or_read(read_idx, tmp_path / name, 3)
        assert array is None or (array.ndim == 3 and array.size > 0)

    plain = st.tuples(mutated(IDX, EMPTY_IDX), st.just("images"))
    inside = st.tuples(mutated(IDX, EMPTY_IDX).map(packed), st.just("images.gz"))
    outside = st.tuples(mutated(packed(IDX), packed(EMPTY_IDX) * 3), st.just("images.gz"))
    assert fuzz(plain | inside | outside, check, examples=400)


def archive(content, method):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as opened:
        opened.writestr("images.npy", content)
    return stream.getvalue()


def saved(save, **arrays):
    stream = io.BytesIO()
    save(stream, **arrays)
    return stream.getvalue()


def test_npz(tmp_path, frugal):
    def check(content):
        (tmp_path / "data.npz").write_bytes(content)
        data = refused_or_read(kg.data.load, tmp_path / "data.npz", batch_size=1)
        assert data is None or (data.train.images.dtype == np.uint8 and len(data.train))

    npy = saved(np.save, arr=PIXELS)
    halves = saved(np.save, arr=PIXELS / 255)
    whole = [
        saved(save, images=images, labels=np.arange(4))
        for save in (np.savez, np.savez_compressed)
        for images in (PIXELS, PIXELS / 255)
    ]
    inside = st.builds(archive, mutated(npy, halves), st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]))
    assert fuzz(mutated(*whole) | inside, check, examples=400)


def drawn(mode, ending, **options):
    stream = io.BytesIO()
    size = PIXELS.shape[:0:-1]
    Image.fromarray(PIXELS[0]).convert(mode).resize(size).save(stream, format=ending, **options)
    return stream.getvalue()


NAMES = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=40)
PICTURES = {
    "png": [drawn("L", "PNG"), drawn("P", "PNG"), drawn("RGBA", "PNG"), drawn("1", "PNG", optimize=True)],
    "jpg": [drawn("L", "JPEG"), drawn("RGB", "JPEG", progressive=True), drawn("CMYK", "JPEG")],
    "bmp": [drawn("L", "BMP"), drawn("RGB", "BMP"), drawn("P", "BMP")],
    "webp": [drawn("RGB", "WEBP"), drawn("RGBA", "WEBP", lossless=True)],
}


def test_image_folder(tmp_path):
    folder = tmp_path / "pets"

    def check(made):
        name, ending, content = made
        for old in [*folder.glob("*/*")]:
            old.unlink()
        for old in [*folder.glob("*")]:
            old.rmdir()
        try:
            (folder / name).mkdir(parents=True)
            path = folder / name / f"{name}.{ending}"
            path.write_bytes(content)
        except OSError:  # `..`, or a name whose bytes are too many
            return
        data = refused_or_read(kg.data.load, folder, batch_size=1)
        assert data is None or data.class_names == (name,)
        assert data is None or data.summary().replace("\n", "").isprintable()
        picture = refused_or_read(kg.data.read_picture, path, (8, 8, 1))
        assert picture is None or np.isfinite(picture).all()

    every = [content for contents in PICTURES.values() for content in contents]
    kinds = st.sampled_from(sorted(PICTURES))
    contents = kinds.flatmap(lambda ending: st.tuples(st.just(ending), mutated(*PICTURES[ending]) | mutated(*every)))
    made = st.builds(lambda name, content: (name, *content), NAMES | st.just("cat"), contents)
    assert fuzz(made, check, examples=200)


def damaged_shards(folder, content, sound, names):
    """Put content into each of the files in turn, and read what there is; the files are sound again afterwards."""
    name = names.pop(0)
    names.append(name)
    (folder / name).write_bytes(content)
    data = refused_or_read(kg.data.load, folder, batch_size=1, stream=True)
    pixels = None if data is None else refused_or_read(data.train.images.__getitem__, np.arange(len(data.train.images)))
    assert pixels is None or pixels.dtype == np.uint8
    (folder / name).write_bytes(sound[name])
    return pixels


def test_npz_shards(tmp_path, frugal):
    names = ["a.npz", "b.npz"]
    sound = {name: saved(np.savez, images=PIXELS, labels=np.arange(4)) for name in names}
    for name in names:
        (tmp_path / name).write_bytes(sound[name])
    inside = st.builds(archive, mutated(saved(np.save, arr=PIXELS)), st.just(zipfile.ZIP_STORED))
    made = mutated(sound["a.npz"], saved(np.savez_compressed, images=PIXELS, labels=np.arange(4))) | inside
    assert fuzz(made, lambda content: damaged_shards(tmp_path, content, sound, names), examples=300)
    assert len(damaged_shards(tmp_path, sound["a.npz"], sound, ["a.npz"])) == 8


def test_record_shards(tmp_path, frugal):
    folder = kg.data.write_shards(tmp_path / "shards", PIXELS, np.arange(4), images_per_shard=2)
    names = [path.name for path in sorted(folder.glob("*.array_record"))]
    sound = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert fuzz(
        mutated(*(sound[name] for name in names)),
        lambda content: damaged_shards(folder, content, sound, names),
        examples=200,
    )
    index = json.loads(sound["index.json"])
    indices = mutated(sound["index.json"]) | mutated_json(index).map(lambda made: json.dumps(made).encode())
    assert fuzz(indices, lambda content: damaged_shards(folder, content, sound, ["index.json"]), examples=400)
    np.testing.assert_array_equal(damaged_shards(folder, sound["index.json"], sound, ["index.json"])[..., 0], PIXELS)


def test_the_sound_files_are_read(tmp_path):
    (tmp_path / "images").write_bytes(IDX)
    np.testing.assert_array_equal(read_idx(tmp_path / "images", 3), PIXELS)
    for ending, contents in PICTURES.items():
        for number, content in enumerate(contents):
            (tmp_path / f"{number}.{ending}").write_bytes(content)
            assert kg.data.read_picture(tmp_path / f"{number}.{ending}", (8, 8, 1)).shape == (8, 8, 1)
    os.remove(tmp_path / "images")
