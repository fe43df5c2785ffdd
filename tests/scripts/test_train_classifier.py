import json

import keras
import numpy as np
import pytest

from kerasgan.testing import tiny_images

SMALL = ["--batch-size", "16", "--seed", "3"]


@pytest.fixture
def labelled(tmp_path):
    """The path of an .npz of 12x12 images, a square in the left or the right half, with a test split."""
    images = np.pad(((tiny_images(128) + 1) * 127.5).astype("uint8"), ((0, 0), (2, 2), (2, 2), (0, 0)))
    labels = (images[:, :, :6].sum(axis=(1, 2, 3)) < images[:, :, 6:].sum(axis=(1, 2, 3))).astype("uint8")
    path = tmp_path / "squares.npz"
    np.savez(path, x_train=images[:96], y_train=labels[:96], x_test=images[96:], y_test=labels[96:])
    return path


def test_a_run_is_trained_reported_stopped_and_resumed(script, here, labelled, tmp_path):
    arguments = ["--model", "cnn", "--dataset", labelled, "--run-dir", "run", "--augment", "shift", *SMALL]
    more = ["--weight-decay", "1e-3", "--reduce-lr", "2"]
    first = script("train_classifier.py", *arguments, *more, "--max-steps", "7")
    assert first.returncode == 0, first.stderr
    assert first.stderr == ""
    resumed = here("train_classifier.py", *arguments, *more, "--epochs", "4", "--resume")
    assert resumed.returncode == 0, resumed.stderr
    for line in ("report.md", "model.keras", "test  loss"):
        assert line in resumed.stdout
    results = json.loads((tmp_path / "run/results.json").read_text())
    assert results["steps"] == 4 * 5
    assert f"accuracy {results['test']['accuracy']:.4f}" in resumed.stdout
    assert (tmp_path / "run/metrics.csv").read_text().count("\n") == 5
    assert (tmp_path / "run/checkpoints/best.json").exists()
    kinds = {type(layer) for layer in keras.saving.load_model(tmp_path / "run/model.keras").layers}
    assert keras.layers.MaxPooling2D in kinds
    again = here("train_classifier.py", *arguments)
    assert (again.returncode, again.stderr.count("\n")) == (2, 1)


def test_a_rehearsal_on_the_default_data_leaves_nothing_behind(here, tmp_path):
    finished = here("train_classifier.py", "--model", "scratch", "--init", "glorot", "--fast-dev-run")
    assert finished.returncode == 0, finished.stderr
    assert "digits, 1,350 images, 28x28x1" in finished.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--model", "resnet"], "model 'resnet' is unknown; choose one of dense, cnn, low_level, scratch"),
        (["--augment", "spin"], "augmentation 'spin' is unknown; choose from shift, rotate, zoom, flip, erase"),
        (["--model", "scratch", "--dropout", "0.5"], "knows neither dropout nor weight decay"),
        (["--val-size", "1.5"], "1.5 is neither a whole number nor a fraction below 1"),
    ],
    ids=lambda value: value[1] if isinstance(value, list) else "",
)
def test_bad_input_is_one_line_and_leaves_nothing_behind(here, tmp_path, arguments, complaint):
    finished = here("train_classifier.py", *arguments)
    assert finished.returncode == 2
    assert complaint in finished.stderr
    assert finished.stderr.startswith("error: ")
    assert finished.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
