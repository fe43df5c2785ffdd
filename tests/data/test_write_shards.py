import json
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from kerasgan.data import DataError, load, write_shards


def test_files_are_filled_one_after_the_other(tmp_path, images, labels):
    folder = write_shards(tmp_path / "a" / "new", images, labels, images_per_shard=8)
    names = [f"images-0000{number}.array_record" for number in range(3)]
    assert sorted(os.listdir(folder)) == [*names, "index.json"]
    index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
    assert index["kerasgan_shards"] == 1 and index["image_shape"] == [6, 5, 1] and index["class_names"] is None
    assert [(shard["file"], shard["images"]) for shard in index["shards"]] == list(zip(names, (8, 8, 4), strict=True))
    assert [label for shard in index["shards"] for label in shard["labels"]] == labels.tolist()


def test_a_full_last_file_is_followed_by_no_empty_one(tmp_path, images):
    folder = write_shards(tmp_path / "new", images, images_per_shard=10)
    assert sorted(os.listdir(folder)) == ["images-00000.array_record", "images-00001.array_record", "index.json"]


def test_images_that_are_never_together_in_memory_can_be_written(tmp_path, images):
    def made():
        for number, image in enumerate(images):
            yield np.repeat(image[..., np.newaxis], 3, axis=-1) + np.uint8(number)

    data = load(write_shards(tmp_path / "new", made()), stream=True, batch_size=4)
    np.testing.assert_array_equal(data.train.images[np.arange(20)], np.stack([*made()]))
    assert data.image_shape == (6, 5, 3) and data.num_classes is None


def test_a_streamed_folder_of_pictures_is_written_as_it_is(tmp_path, images):
    for number, image in enumerate(images):
        path = tmp_path / "pictures" / ("cat", "dog")[number % 2] / f"{number:02d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    pictures = load(tmp_path / "pictures", stream=True, batch_size=4)
    write_shards(tmp_path / "new", pictures.train.images, pictures.train.labels, class_names=pictures.class_names)
    shards = load(tmp_path / "new", stream=True, batch_size=4)
    assert shards.class_names == ("cat", "dog")
    for one, other in zip(pictures.train, shards.train, strict=True):
        np.testing.assert_array_equal(one[0], other[0])
        np.testing.assert_array_equal(one[1], other[1])


GOOD = np.zeros((6, 5), np.uint8)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"images": []}, "images: there are none"),
        ({"images": iter([])}, "images: there are none"),
        ({"images": [GOOD, GOOD / 255]}, "image 1 has dtype float64; give uint8"),
        ({"images": [GOOD, GOOD[0]]}, r"image 1: images have shape \(1, 5\)"),
        ({"images": [GOOD, GOOD.T]}, r"image 1 is \(5, 6, 1\), the first \(6, 5, 1\); they must have one shape"),
        ({"images": [GOOD], "images_per_shard": 0}, "images_per_shard is 0; choose an integer of at least 1"),
        ({"images": [GOOD], "labels": [0, 1]}, "labels: 2 labels for 1 images"),
        ({"images": iter([GOOD]), "labels": [0, 1]}, "labels: 2 labels for 1 images"),
        ({"images": [GOOD], "labels": [1], "class_names": ["a"]}, r"label 1 lies outside 0\.\.0"),
        ({"images": [GOOD], "class_names": ["a"]}, "class_names are given but no labels"),
        ({"images": [GOOD], "labels": [0], "class_names": ["\ud800"]}, "class_names: .* is not text"),
    ],
)
def test_what_will_not_do_is_one_line_and_leaves_no_files(tmp_path, arguments, complaint):
    with pytest.raises(DataError, match=complaint) as caught:
        write_shards(tmp_path / "new", **arguments)
    assert "\n" not in str(caught.value) and [*tmp_path.glob("new/*")] == []


def test_a_writing_that_is_cut_short_leaves_no_files(tmp_path):
    def made():
        yield from [GOOD] * 5
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_shards(tmp_path / "new", made(), images_per_shard=2)
    assert [*(tmp_path / "new").iterdir()] == []


def test_a_full_disk_is_one_line_and_leaves_no_files(tmp_path):
    """In a process of its own, whose files may not grow beyond 100 kB."""
    script = (
        "import resource, signal, sys, numpy as np, kerasgan as kg\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "images = np.random.default_rng(0).integers(0, 256, (200, 64, 64), np.uint8)\n"
        "try:\n"
        "    kg.data.write_shards(sys.argv[1], images)\n"
        "except kg.data.DataError as error:\n"
        "    print(error)\n"
    )
    finished = subprocess.run(
        [sys.executable, "-c", script, tmp_path / "new"], capture_output=True, text=True, timeout=120, check=True
    )
    assert "images-00000.array_record: cannot be written (" in finished.stdout and finished.stdout.count("\n") == 1
    assert finished.stdout.endswith("; check the folder and the disk.\n")
    assert [*(tmp_path / "new").iterdir()] == []


def test_errors_of_whatever_makes_the_images_stay_their_own(tmp_path):
    def made():
        yield GOOD
        raise OSError("no more photographs")

    with pytest.raises(OSError, match="no more photographs"):
        write_shards(tmp_path / "new", made())
    assert [*(tmp_path / "new").iterdir()] == []


def test_what_lies_in_the_folder_already_is_not_touched(tmp_path, images):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(DataError, match="is not empty; name a new folder"):
        write_shards(tmp_path, images)
    with pytest.raises(DataError, match="cannot be made"):
        write_shards(tmp_path / "notes.txt" / "new", images)
    assert os.listdir(tmp_path) == ["notes.txt"] and (tmp_path / "notes.txt").read_text() == "mine"
