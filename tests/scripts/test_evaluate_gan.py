import json
import runpy
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from PIL import Image

import kerasgan as kg

SCRIPTS = Path(__file__).parents[2] / "scripts"
IDX = {"images-idx3": (28, 28), "labels-idx1": ()}


def generator(channels=1, latents=4):
    """A network from latents to 28x28, whose samples differ from each other."""
    layers = [keras.Input((latents,)), keras.layers.Dense(28 * 28 * channels, activation="tanh")]
    return keras.Sequential([*layers, keras.layers.Reshape((28, 28, channels))], name="generator")


def mnist_of(folder, count=40):
    """Write the four files of a data set that is called MNIST; return where they lie."""
    rng = np.random.default_rng(0)
    folder.mkdir()
    for split in ("train", "t10k"):
        for kind, shape in IDX.items():
            array = rng.integers(0, 256, (count, *shape), np.uint8) if shape else np.arange(count, dtype=np.uint8) % 10
            header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
            (folder / f"{split}-{kind}-ubyte").write_bytes(header + array.tobytes())
    return folder


def trained(run, steps):
    """Train a small GAN on 28x28 digits, with a checkpoint of every step."""
    discriminator = keras.Sequential([keras.Input((28, 28, 1)), keras.layers.Flatten(), keras.layers.Dense(1)])
    gan = kg.GAN(generator(), discriminator, seed=0)
    gan.compile(optimizer={player: keras.optimizers.Adam(1e-3) for player in ("generator", "discriminator")})
    data = kg.data.load("digits", batch_size=16)
    checkpoint = kg.callbacks.Checkpoint(every_n_steps=1, keep_last=9)
    kg.Trainer(run, max_steps=steps, seed=0, callbacks=[checkpoint]).fit(gan, data)
    return run


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory):
    """A run that is one step long."""
    return trained(tmp_path_factory.mktemp("runs") / "gan", 1)


def test_a_run_and_its_exported_generator_measure_the_same(script, run_dir, tmp_path):
    common = ["--samples", "150", "--seed", "3"]
    (run_dir / "quality.json").write_text("of an earlier step")
    measured = script("evaluate_gan.py", run_dir, *common, "--json", "run.json")
    assert (measured.returncode, measured.stderr) == (0, "")
    assert "samples: 150 against 297 real images" in measured.stdout
    assert "real:    148 real images against 148 others" in measured.stdout
    assert "nearest: among 1,500 training images" in measured.stdout
    assert "128 features of mnist, SHA-256" in measured.stdout
    *lines, figures, pictures, more = measured.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert (figures, pictures) == (f"figures: {run_dir}/quality.json", f"pictures: {run_dir}/quality.png")
    assert more == "figures: run.json"
    figures = json.loads((tmp_path / "run.json").read_text())
    assert (figures["fakes"], figures["step"], figures["dataset"], figures["seed"]) == (150, 1, "digits", 3)
    assert figures["digest"] == kg.metrics.feature_network("mnist").digest
    # Samples of a generator that has learned nothing are far from any digit.
    assert figures["samples"]["frechet_distance"] > 5 * figures["real"]["frechet_distance"]
    assert figures["samples"]["precision"] < 0.1 < 0.5 < figures["real"]["precision"]

    assert json.loads((run_dir / "quality.json").read_text()) == figures
    with Image.open(run_dir / "quality.png") as sheet:
        assert sheet.width == 1600 and sheet.height > 800
    left = {path.name for path in run_dir.iterdir()}
    assert "quality_curves.png" not in left and not any(".tmp" in name for name in left)

    (run_dir / "quality.json").unlink(), (run_dir / "quality.png").unlink()
    exported = run_dir / "generator.keras"
    line = [exported, "--dataset", "digits", "--trust", *common, "--json", "file.json"]
    again = script("evaluate_gan.py", *line)
    assert again.returncode == 0, again.stderr
    same = json.loads((tmp_path / "file.json").read_text())
    assert same["samples"] == figures["samples"] and same["real"] == figures["real"]
    assert {path.name for path in run_dir.iterdir()} == left - {"quality.json", "quality.png"}

    untrusted = script("evaluate_gan.py", *[word for word in line if word != "--trust"])
    assert untrusted.returncode == 2 and "file.json is there already" in untrusted.stderr
    untrusted = script("evaluate_gan.py", exported, "--dataset", "digits")
    assert untrusted.returncode == 2 and "comes from elsewhere" in untrusted.stderr


def test_images_of_ones_own_without_a_test_split_are_held_against_those_trained_on(here, run_dir, tmp_path):
    np.savez(tmp_path / "photos.npz", images=np.random.default_rng(0).integers(0, 256, (60, 28, 28, 1), np.uint8))
    line = [run_dir, "--dataset", "photos.npz", "--features", "mnist", "--samples", "40"]
    refused = here("evaluate_gan.py", *line)
    assert refused.returncode == 2 and "--against train takes those it was trained on, and" in refused.stderr
    measured = here("evaluate_gan.py", *line, "--against", "train")
    assert (measured.returncode, measured.stderr) == (0, "")
    assert "samples: 40 against 60 real images" in measured.stdout and "nearest" not in measured.stdout
    figures = json.loads((run_dir / "quality.json").read_text())
    assert (figures["against"], figures["samples"]["closer"]) == ("train", None)


def test_a_generator_that_takes_labels_is_asked_for_every_class(script, tmp_path):
    told = kg.networks.conditional.generator(generator(latents=4 + 10), 10)
    told.save(tmp_path / "generator.keras")
    measured = script(
        "evaluate_gan.py", "generator.keras", "--dataset", "digits", "--trust", "--samples", "60", "--json", "file.json"
    )
    assert (measured.returncode, measured.stderr) == (0, "")
    assert 0 <= json.loads((tmp_path / "file.json").read_text())["samples"]["conditional_accuracy"] < 0.5


def test_modes_of_stacked_mnist_are_counted(script, tmp_path):
    generator(channels=3).save(tmp_path / "generator.keras")
    line = ["generator.keras", "--dataset", "stacked_mnist", "--data-dir", mnist_of(tmp_path / "mnist"), "--stacked"]
    counted = script("evaluate_gan.py", *line, "--trust", "--samples", "60", "--json", "stacked.json")
    assert (counted.returncode, counted.stderr) == (0, "")
    assert "| 60 samples" in counted.stdout and "of 1,000" in counted.stdout and "real: test images" in counted.stdout
    figures = json.loads((tmp_path / "stacked.json").read_text())
    floor = kg.metrics.divergence_floor(np.full(1000, 1e-3), 60)
    for name in ("samples", "real"):
        assert figures[name]["count"] == 60 and 1 <= figures[name]["modes"] <= 60
        assert figures[name]["floor"] == pytest.approx(floor, abs=0.02)


def test_curves_go_over_all_checkpoints_but_a_damaged_one(script, tmp_path):
    run = trained(tmp_path / "run", 4)
    with (run / "checkpoints/step-000000002/state.safetensors").open("r+b") as file:
        file.truncate(1000)
    measured = script("evaluate_gan.py", "run", "--samples", "30", "--curves")
    assert (measured.returncode, measured.stderr) == (0, "")
    assert "step 2 is left out: " in measured.stdout
    with Image.open(run / "quality_curves.png") as picture:
        assert 1500 < picture.width <= 1600
    figures = json.loads((run / "quality.json").read_text())
    rows = figures["curves"]
    assert [row["step"] for row in rows] == [1, 3, 4]
    # The last checkpoint is the one that all other figures are of.
    for name in ("frechet_distance", "precision", "recall"):
        assert rows[-1][name] == pytest.approx(figures["samples"][name], rel=1e-6)
    assert rows[-1]["kernel_distance"] == pytest.approx(figures["samples"]["kernel_distance"]["mean"], rel=1e-6)
    assert rows[0]["frechet_distance"] != rows[-1]["frechet_distance"]


def test_samples_of_a_conditional_gan_are_asked_for_as_the_data_are_labelled_and_shown_a_row_a_class(monkeypatch):
    monkeypatch.syspath_prepend(str(SCRIPTS))
    script = runpy.run_path(str(SCRIPTS / "evaluate_gan.py"))

    class Conditional:
        num_classes, global_step = 3, 7

        def generate(self, count, seed, labels):
            assert len(labels) == count
            return np.broadcast_to(np.float32(labels)[:, None, None, None] / 4, (count, 28, 28, 1))

        def interpolate(self, rows, steps, seed):
            return -np.ones((rows, steps, 28, 28, 1), "float32")

    gan = Conditional()
    train = SimpleNamespace(labels=np.array([0] * 90 + [1] * 10))  # of class 2 there is none
    data = SimpleNamespace(name="digits", class_names=["a", "b", "c"], num_classes=3, train=train)
    labels = script["labels_of"](gan, 1000, data, 0)
    assert np.bincount(labels) == pytest.approx([900, 100], abs=40)
    images = script["drawn"](gan, np.arange(7) % 3, 7, 0)
    assert (images[:, 0, 0, 0] * 4).tolist() == [0, 1, 2, 0, 1, 2, 0]
    sheet = script["contact_sheet"](gan, images, None, data, SimpleNamespace(source="run", seed=0))
    rows = np.flatnonzero((sheet == 191).all(axis=-1).any(axis=1))  # class 2: 0.5 of [-1, 1]
    assert (np.diff(rows) > 1).sum() == 1  # in the row of samples, and in the last row
    assert (sheet[rows[-1]] == 191).all(axis=-1).sum() > 10 * 84
