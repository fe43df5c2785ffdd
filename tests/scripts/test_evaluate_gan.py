import json

import keras
import numpy as np
import pytest

import kerasgan as kg

IDX = {"images-idx3": (28, 28), "labels-idx1": ()}


def generator(channels=1):
    """A network from 4 latents to 28x28, whose samples differ from each other."""
    layers = [keras.Input((4,)), keras.layers.Dense(28 * 28 * channels, activation="tanh")]
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


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory):
    """A run of a small GAN on 28x28 digits, one step long."""
    run = tmp_path_factory.mktemp("runs") / "gan"
    discriminator = keras.Sequential([keras.Input((28, 28, 1)), keras.layers.Flatten(), keras.layers.Dense(1)])
    gan = kg.GAN(generator(), discriminator, seed=0)
    gan.compile(optimizer={player: keras.optimizers.Adam(1e-3) for player in ("generator", "discriminator")})
    data = kg.data.load("digits", batch_size=16)
    kg.Trainer(run, max_steps=1, seed=0, callbacks=[kg.callbacks.Checkpoint()]).fit(gan, data)
    return run


def test_a_run_and_its_exported_generator_measure_the_same(script, run_dir, tmp_path):
    common = ["--samples", "150", "--seed", "3"]
    measured = script("evaluate_gan.py", run_dir, *common, "--json", "run.json")
    assert (measured.returncode, measured.stderr) == (0, "")
    assert "samples: 150 against 297 real images" in measured.stdout
    assert "real:    148 real images against 148 others" in measured.stdout
    assert "nearest: among 1,500 training images" in measured.stdout
    assert "128 features of mnist, SHA-256" in measured.stdout
    assert max(map(len, measured.stdout.splitlines()[:-1])) <= 80
    figures = json.loads((tmp_path / "run.json").read_text())
    assert (figures["fakes"], figures["step"], figures["dataset"], figures["seed"]) == (150, 1, "digits", 3)
    assert figures["digest"] == kg.metrics.feature_network("mnist").digest
    # Samples of a generator that has learned nothing are far from any digit.
    assert figures["samples"]["frechet_distance"] > 5 * figures["real"]["frechet_distance"]
    assert figures["samples"]["precision"] < 0.1 < 0.5 < figures["real"]["precision"]

    exported = run_dir / "generator.keras"
    line = [exported, "--dataset", "digits", "--trust", *common, "--json", "file.json"]
    again = script("evaluate_gan.py", *line)
    assert again.returncode == 0, again.stderr
    same = json.loads((tmp_path / "file.json").read_text())
    assert same["samples"] == figures["samples"] and same["real"] == figures["real"]

    untrusted = script("evaluate_gan.py", *[word for word in line if word != "--trust"])
    assert untrusted.returncode == 2 and "file.json is there already" in untrusted.stderr
    untrusted = script("evaluate_gan.py", exported, "--dataset", "digits")
    assert untrusted.returncode == 2 and "comes from elsewhere" in untrusted.stderr


def test_modes_of_stacked_mnist_are_counted(script, tmp_path):
    generator(channels=3).save(tmp_path / "generator.keras")
    line = ["generator.keras", "--dataset", "stacked_mnist", "--data-dir", mnist_of(tmp_path / "mnist"), "--stacked"]
    counted = script("evaluate_gan.py", *line, "--trust", "--samples", "60", "--json", "stacked.json")
    assert (counted.returncode, counted.stderr) == (0, "")
    assert "| 60 samples" in counted.stdout and "of 1,000" in counted.stdout
    figures = json.loads((tmp_path / "stacked.json").read_text())
    floor = kg.metrics.divergence_floor(np.full(1000, 1e-3), 60)
    for name in ("samples", "real"):
        assert figures[name]["count"] == 60 and 1 <= figures[name]["modes"] <= 60
        assert figures[name]["floor"] == pytest.approx(floor, abs=0.02)
