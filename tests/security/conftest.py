"""Model files as an attacker would make them, a canary that they are after, and how much memory a call took."""

import io
import json
import shutil
import zipfile
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

import kerasgan as kg
from kerasgan.testing import tiny_images

SONG = "I sing.\n"


@pytest.fixture
def canary(tmp_path):
    """The path of a file that no attack may touch; a test that wants to show that it can be touched heals it."""
    path = tmp_path / "canary.txt"
    path.write_text(SONG)
    yield path
    assert path.read_text() == SONG


@pytest.fixture
def dies(canary):
    """Run something that kills the canary, make sure that it did, and heal the canary."""

    def run(attack):
        attack()
        assert canary.read_text() != SONG
        canary.write_text(SONG)

    return run


@pytest.fixture
def growth():
    """Run something; return by how many MiB the peak of this process's memory rose meanwhile."""

    def peak():
        (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
        return int(line.split()[1]) / 1024

    def measure(function):
        Path("/proc/self/clear_refs").write_text("5")
        before = peak()
        function()
        return peak() - before

    return measure


@pytest.fixture(scope="session")
def network():
    """A network of two classes of 8x8 images."""
    layers = [keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(2, activation="softmax")]
    return keras.Sequential(layers, name="small")


@pytest.fixture(scope="session")
def weights(network, tmp_path_factory):
    """The bytes of its weights file."""
    path = tmp_path_factory.mktemp("weights") / "small.weights.h5"
    network.save_weights(path)
    return path.read_bytes()


@pytest.fixture
def config(network):
    """A copy of its configuration, as JSON gives it back."""
    return json.loads(json.dumps(keras.saving.serialize_keras_object(network)))


@pytest.fixture
def archive(tmp_path, weights):
    """Write a .keras file of a configuration and perhaps other weights or members; return its path."""

    def write(config, weights=weights, compression=zipfile.ZIP_STORED, **others):
        path = tmp_path / "attack.keras"
        with zipfile.ZipFile(path, "w", compression) as file:
            file.writestr("metadata.json", json.dumps({"keras_version": keras.__version__}))
            file.writestr("config.json", config if isinstance(config, str | bytes) else json.dumps(config))
            file.writestr("model.weights.h5", weights)
            for name, data in others.items():
                file.writestr(name, data)
        return path

    return write


@pytest.fixture
def parts(tmp_path, weights):
    """Write an architecture, and weights beside it; return the path of the first."""

    def write(config, weights=weights):
        (tmp_path / "attack.weights.h5").write_bytes(weights)
        path = tmp_path / "attack.json"
        path.write_text(config if isinstance(config, str) else json.dumps(config))
        return path

    return write


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory, network):
    """A run of a classifier that was trained for one step."""
    path = tmp_path_factory.mktemp("runs") / "run"
    classifier = kg.Classifier(keras.models.clone_model(network))
    classifier.compile("adam", "sparse_categorical_crossentropy", ["accuracy"])
    data = kg.data.DataModule(tiny_images(8), np.zeros(8, "uint8"), batch_size=8)
    kg.Trainer(path, max_steps=1, callbacks=[kg.callbacks.Checkpoint()]).fit(classifier, data)
    return path


@pytest.fixture
def run(finished_run, tmp_path):
    """A copy of that run, whose config.json may be changed: `run(lambda config: ...)`; return its path."""

    def write(change=lambda config: None):
        path = tmp_path / "run"
        shutil.copytree(finished_run, path)
        config = json.loads((path / "config.json").read_text())
        change(config)
        (path / "config.json").write_text(json.dumps(config))
        return path

    return write


@pytest.fixture
def hdf5():
    """Write an HDF5 file with a function of it; return its bytes."""

    def write(fill):
        memory = io.BytesIO()
        with h5py.File(memory, "w") as file:
            fill(file)
        return memory.getvalue()

    return write
