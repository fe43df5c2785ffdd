import json
import signal
import subprocess
import time

import keras
import numpy as np
import pytest
from PIL import Image

import kerasgan as kg

SMALL = ["--batch-size", "16", "--latent-dim", "8", "--seed", "3"]


def test_a_run_is_trained_resumed_and_sampled(script, here, squares, tmp_path):
    trained = script("train_gan.py", "--dataset", squares, "--epochs", "1", "--run-dir", "run", *SMALL)
    assert trained.returncode == 0, trained.stderr
    assert trained.stderr == ""
    for line in ("epoch-0001.png", "generator.keras", "tensorboard --logdir run/tensorboard"):
        assert line in trained.stdout

    again = here("train_gan.py", "--dataset", squares, "--epochs", "1", "--run-dir", "run", *SMALL)
    assert again.returncode == 2
    assert again.stderr.startswith("error: run already holds a run")
    assert again.stderr.count("\n") == 1

    resumed = here("train_gan.py", "--dataset", squares, "--epochs", "2", "--run-dir", "run", "--resume", *SMALL)
    assert resumed.returncode == 0, resumed.stderr
    assert json.loads((tmp_path / "run/results.json").read_text())["steps"] == 8

    sampled = script("sample.py", "run", "--seed", "7", "--count", "16", "--rows", "2", "--steps", "5")
    assert sampled.returncode == 0, sampled.stderr
    grids = [tmp_path / "run/samples" / name for name in ("grid-seed-7.png", "interpolation-seed-7.png")]
    first = [grid.read_bytes() for grid in grids]
    for grid in grids:
        with Image.open(grid) as image:
            assert image.width > 300
    here("sample.py", "run", "--seed", "7", "--count", "16", "--rows", "2", "--steps", "5")  # in another process
    assert first == [grid.read_bytes() for grid in grids]


def test_a_fast_dev_run_on_the_default_data_leaves_nothing_behind(here, tmp_path):
    finished = here("train_gan.py", "--fast-dev-run")
    assert finished.returncode == 0, finished.stderr
    assert "digits, 1,500 images, 28x28x1" in finished.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--dataset", "mnits"], "mnits"),
        (["--loss", "cross"], "loss 'cross' is unknown; choose one of non_saturating"),
        (["--resume", "--run-dir", "nothing"], "nothing holds no run to resume"),
        (["--batch-size", "100000"], "batch_size 100000 is larger than the 1500 images"),
    ],
    ids=lambda value: value[1] if isinstance(value, list) else "",
)
def test_bad_input_is_one_line_and_leaves_nothing_behind(here, tmp_path, arguments, complaint):
    finished = here("train_gan.py", *arguments)
    assert finished.returncode == 2
    assert complaint in finished.stderr
    assert finished.stderr.startswith("error: ")
    assert finished.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_the_samples_of_a_class_have_a_file_of_their_own_and_are_counted(here, squares, tmp_path):
    line = ["--recipe", "acgan", "--dataset", squares, "--max-steps", "1", "--run-dir", "run", *SMALL]
    assert here("train_gan.py", *line).returncode == 0
    every, sevens = here("sample.py", "run", "--count", "3"), here("sample.py", "run", "--count", "3", "--label", "7")
    assert every.stdout.startswith("10 samples of step 1: run/samples/grid-seed-0.png")  # one of each class
    assert sevens.stdout.startswith("3 samples of step 1: run/samples/grid-label-7-seed-0.png")
    assert (tmp_path / "run/samples/interpolation-label-7-seed-0.png").exists()


def test_sampling_from_the_run_of_a_classifier_is_one_line(here, squares):
    line = ["--model", "dense", "--dataset", squares, "--epochs", "1", "--batch-size", "16", "--run-dir", "clf"]
    assert here("train_classifier.py", *line).returncode == 0
    refused = here("sample.py", "clf")
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert "clf is the run of a Classifier, not of a GAN; name one of train_gan.py." in refused.stderr


def test_sampling_from_a_directory_without_a_run_is_one_line(here, tmp_path):
    finished = here("sample.py", tmp_path)
    assert finished.returncode == 2
    assert "holds no run" in finished.stderr
    assert finished.stderr.count("\n") == 1


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_saves_the_state_and_is_told_by_the_exit_status(command, squares, tmp_path, number, status):
    line = command("train_gan.py", "--dataset", squares, "--epochs", "100000", "--run-dir", "run", *SMALL)
    log = tmp_path / "stderr"
    with log.open("w") as stderr:
        process = subprocess.Popen(line, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=stderr)
        deadline = time.monotonic() + 240
        while not (tmp_path / "run/samples/epoch-0002.png").exists():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline
            time.sleep(0.1)
        process.send_signal(number)
        assert process.wait(timeout=60) == status
    told = "SIGINT: finishing this step and saving; again to stop at once.\n" if number == signal.SIGINT else ""
    assert log.read_text() == f"{told}Stopped by {number.name}: the state is saved; resume to go on.\n"
    assert json.loads((tmp_path / "run/results.json").read_text())["status"] == "interrupted"


@pytest.mark.parametrize(("how", "returns"), [("stop", 0), ("restore", 3)])
def test_a_loss_that_is_nan_ends_the_script_with_status_1_and_names_the_player_and_the_step(
    here, squares, tmp_path, monkeypatch, how, returns
):
    healthy = kg.GAN.losses_of

    def losses_of(self, images, latents, training, labels=None):
        losses = healthy(self, images, latents, training)
        factor = keras.ops.where(self.optimizer.iterations >= 5, np.nan, 1.0)
        return losses | {"discriminator": losses["discriminator"] * factor}

    monkeypatch.setattr(kg.GAN, "losses_of", losses_of)
    line = ["--dataset", squares, "--epochs", "3", "--run-dir", "run", *SMALL, "--on-nan", how]
    ended = here("train_gan.py", *line)
    assert ended.returncode == 1, ended.stderr
    *before, error = ended.stderr.splitlines()
    # TensorFlow, too, says something where functions of one name are traced again and again in one process.
    warnings = [line for line in before if line.startswith("warning: ")]
    assert error.startswith("error: discriminator_loss is nan at step 6 (epoch 2): lower the learning rate")
    assert len(warnings) == returns
    assert all("going back to step 4" in warning for warning in warnings)
    results = json.loads((tmp_path / "run/results.json").read_text())
    assert (results["status"], results["restores"]) == ("failed", returns)
    assert [path.name for path in (tmp_path / "run/checkpoints").iterdir()] == ["step-000000004"]
