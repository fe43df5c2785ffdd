"""`--stream` leaves a directory of images on the disk."""

import pytest
from PIL import Image

from kerasgan.testing import tiny_images


@pytest.fixture
def folder(tmp_path):
    for number, image in enumerate(tiny_images(16)):
        path = tmp_path / "pictures" / "ab"[number % 2] / f"{number:02d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(((image[..., 0] + 1) * 127.5).astype("uint8")).resize((32, 32)).save(path)
    return tmp_path / "pictures"


def test_a_classifier_trains_on_a_streamed_folder_without_a_word_on_stderr(script, here, folder):
    small = ["--model", "dense", "--dataset", folder, "--batch-size", "4", "--val-size", "4", "--fast-dev-run"]
    streamed = script("train_classifier.py", "--stream", *small)
    assert (streamed.returncode, streamed.stderr) == (0, "")
    assert "pixels on the disk" in streamed.stdout
    # The control: without the option they are read.
    in_memory = here("train_classifier.py", *small)
    assert in_memory.returncode == 0 and "pixels 0..255 in memory" in in_memory.stdout


def test_what_cannot_be_streamed_is_said_in_one_line(here):
    finished = here("train_gan.py", "--stream")
    assert finished.returncode == 2 and finished.stderr.count("\n") == 1
    assert finished.stderr.startswith("error: digits: cannot be streamed, as it is no folder of images")
