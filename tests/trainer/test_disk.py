"""A disk that is full, read-only or gone ends a run with one clear line, and harms nothing that was written before."""

import errno
import json
import os
import resource
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest

import kerasgan as kg
from kerasgan.callbacks import events
from kerasgan.checkpoints import files
from kerasgan.testing import tiny_gan, tiny_images
from kerasgan.trainer.run_directory import RunDirectory


class Full:
    """A disk on which files of some names cannot be written any more, from one moment on."""

    def __init__(self, patch, code=errno.ENOSPC):
        self.patch, self.code = patch, code

    def refuse(self, name):
        replace = os.replace

        def refusing(source, target):
            if Path(target).match(name):
                raise OSError(self.code, os.strerror(self.code))
            replace(source, target)

        self.patch.setattr(os, "replace", refusing)


class At(keras.callbacks.Callback):
    """Does something as an epoch begins, counted from zero."""

    def __init__(self, epoch, action):
        super().__init__()
        self.epoch, self.action = epoch, action

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == self.epoch:
            self.action()


def train(run_dir, *callbacks, **options):
    data = kg.data.DataModule(tiny_images(24), batch_size=8, seed=0)
    callbacks = [*callbacks, kg.callbacks.ImageGrid(count=4), kg.callbacks.Checkpoint()]
    resume = options.pop("resume", False)
    kg.Trainer(run_dir, seed=0, callbacks=callbacks, **options).fit(tiny_gan(), data, resume=resume)


def assert_nothing_half_written(run_dir):
    assert [path for path in run_dir.rglob("*") if path.name.startswith((".tmp-", ".lock"))] == []
    store = kg.checkpoints.CheckpointStore(run_dir / "checkpoints")
    for step in store.steps():
        store.load(step)
    for path in run_dir.glob("*.json"):
        json.loads(path.read_bytes())


@pytest.mark.parametrize("name", ["config.json", "metrics.csv", "samples/*.png", "results.json", "*.keras", "*.h5"])
def test_a_file_for_which_there_is_no_room_is_named_with_the_remedy(tmp_path, monkeypatch, name):
    run = tmp_path / "run"
    disk = Full(monkeypatch)
    disk.refuse(name)
    with pytest.raises(OSError, match="not written: No space left on device; free some space") as caught:
        train(run)
    assert caught.value.errno == errno.ENOSPC
    assert Path(caught.value.filename).match(name)
    assert "\n" not in str(caught.value)
    assert_nothing_half_written(run)
    monkeypatch.undo()
    if name not in ("config.json", "metrics.csv", "samples/*.png"):  # by then there is a checkpoint
        train(run, resume=True)
        assert (run / "generator.weights.h5").exists()


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EIO])
def test_a_disk_that_fails_in_the_second_epoch_leaves_the_first(tmp_path, monkeypatch, code):
    run = tmp_path / "run"
    disk = Full(monkeypatch, code)
    with pytest.raises(OSError, match="not written") as caught:
        train(run, At(1, lambda: disk.refuse("*")), max_epochs=2)
    # Not results.json, which could not be written either: the first error is the one to know of.
    assert caught.value.filename == str(run / "metrics.csv")
    monkeypatch.undo()
    assert_nothing_half_written(run)
    assert len((run / "metrics.csv").read_text().splitlines()) == 2
    if code == errno.ENOSPC:  # What is left is the same for all.
        train(run, max_epochs=2, resume=True)
        assert len((run / "metrics.csv").read_text().splitlines()) == 3


def test_a_failure_to_write_the_results_is_told_besides_the_error_that_ended_the_run(tmp_path, monkeypatch, capsys):
    def break_down():
        disk.refuse("*")
        raise ZeroDivisionError("the user's own error")

    disk = Full(monkeypatch)
    with pytest.raises(ZeroDivisionError, match="the user's own"):
        train(tmp_path / "run", At(0, break_down))
    assert "results.json" in (said := capsys.readouterr().err)
    assert said.startswith("warning: ") and said.count("\n") == 1


def test_a_run_directory_removed_during_training_is_an_error_and_not_made_anew(tmp_path, capsys):
    run = tmp_path / "run"
    with pytest.raises(OSError, match="the directory was removed or never made; create it or choose another"):
        train(run, At(1, lambda: shutil.rmtree(run)), max_epochs=2)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("callback", [kg.callbacks.ImageGrid, kg.callbacks.CSVLogger, kg.callbacks.Checkpoint])
def test_no_callback_makes_a_removed_directory_anew(tmp_path, callback):
    place = tmp_path / "out" / "place"
    with pytest.raises((OSError, kg.checkpoints.CheckpointError), match="removed or never made"):
        tiny_gan().fit(
            tiny_images(16),
            batch_size=8,
            epochs=2,
            verbose=0,
            callbacks=[callback(place), At(1, lambda: shutil.rmtree(tmp_path / "out"))],
        )
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_cannot_be_made_or_locked_is_named_before_training(tmp_path, monkeypatch):
    """A superuser may write into read-only directories, so the refusal is pretended."""

    def refuse(*arguments, **options):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(os, "mkdir", refuse)
    for make in (lambda: train(tmp_path / "run"), lambda: kg.fresh_run_dir(tmp_path, "gan")):
        with pytest.raises(OSError, match="not made: Read-only file system; make the directory writable") as caught:
            make()
        assert caught.value.filename.startswith(str(tmp_path))
    monkeypatch.undo()
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="not made: Not a directory"):
        train(tmp_path / "file" / "run")


def test_an_export_for_which_there_is_no_room_leaves_the_network_before(tmp_path):
    """A real failure of the kernel: no file may be larger than this."""
    network = keras.Sequential([keras.Input((100,)), keras.layers.Dense(200)])
    run = RunDirectory(tmp_path)
    run.export("model", network)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert sorted(before) == ["model.json", "model.keras", "model.weights.h5"]
    network.set_weights([np.ones_like(weight) for weight in network.get_weights()])
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
    try:
        with pytest.raises(OSError, match="not written: File too large; free some space") as caught:
            run.export("model", network)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert caught.value.filename == str(tmp_path / "model.keras")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_exported_weights_are_those_of_the_network(tmp_path):
    network = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2), keras.layers.BatchNormalization()])
    RunDirectory(tmp_path).export("model", network)
    other = keras.models.model_from_json((tmp_path / "model.json").read_text())
    other.load_weights(tmp_path / "model.weights.h5")
    for one, another in zip(network.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(one, another)


def test_events_for_which_there_is_no_room_are_one_error_and_those_before_stay(tmp_path):
    """The device that is always full takes nothing, and says so when it is flushed."""
    writer = events.open_writer(tmp_path, step=0)
    writer.scalar("loss", 1.0, 1)
    writer.flush()
    (written,) = tmp_path.iterdir()
    before = written.read_bytes()
    full = Path("/dev/full").open("wb")  # noqa: SIM115 - closed by the writer.
    os.dup2(full.fileno(), writer._records._writer.fileno())
    full.close()
    writer.scalar("loss", 2.0, 2)
    with pytest.raises(OSError, match="not written: No space left on device; free some space") as caught:
        writer.flush()
    assert caught.value.filename == str(written)
    writer.close()  # What ends the run is the first error, not this.
    assert written.read_bytes() == before
    again = events.open_writer(tmp_path, step=0)
    assert again is not writer
    again.close()


def test_a_report_for_whose_pictures_there_is_no_room_says_which(tmp_path, monkeypatch):
    labels = np.arange(24) % 2
    data = kg.data.DataModule(tiny_images(24), labels, batch_size=8, test=(tiny_images(8), labels[:8]), seed=0)
    network = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(2, "softmax")])
    classifier = kg.Classifier(network)
    classifier.compile("adam", "sparse_categorical_crossentropy")
    report = kg.callbacks.ClassificationReport(data, tmp_path / "report")

    def full(*arguments, **options):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files.os, "replace", full)
    with pytest.raises(OSError, match="not written: No space left on device; free some space") as caught:
        report.write(classifier)
    assert caught.value.filename.endswith(".png")
    assert [path for path in (tmp_path / "report").rglob("*") if path.is_file()] == []
    monkeypatch.undo()
    monkeypatch.setattr(type(data), "figure", full)
    with pytest.raises(OSError, match="not written: No space left on device; free some space") as caught:
        report.write(classifier)
    assert caught.value.filename.endswith("data.png")
