"""A run on images streamed from the disk is the run on the same images in memory."""

import json
import os
import signal
import subprocess
import sys

import keras
import numpy as np
import pytest
from PIL import Image

import kerasgan as kg
from kerasgan.testing import tiny_gan, tiny_images


@pytest.fixture
def folder(tmp_path):
    for number, image in enumerate(tiny_images(40)):
        path = tmp_path / "squares" / f"{number:02d}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(((image[..., 0] + 1) * 127.5).astype("uint8")).save(path)
    return tmp_path / "squares"


def train(run_dir, folder, *, stream=True, resume=False, callbacks=(), **options):
    keras.utils.set_random_seed(0)
    gan = tiny_gan()
    trainer = kg.Trainer(run_dir, callbacks=[kg.callbacks.Checkpoint(), *callbacks], seed=0, **options)
    data = kg.data.load(folder, batch_size=8, val_size=8, stream=stream)
    return gan, trainer.fit(gan, data, resume=resume)


def assert_same_state(one, other):
    one, other = kg.checkpoints.capture(one), kg.checkpoints.capture(other)
    assert one.keys() == other.keys()
    for name in [name for name in one if not name.startswith("metric/")]:
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)


def test_a_streamed_run_stopped_in_mid_epoch_and_resumed_is_the_run_in_memory(tmp_path, folder):
    whole, _ = train(tmp_path / "whole", folder, stream=False, max_epochs=3)
    for step in (2, 5):
        train(tmp_path / "cut", folder, max_steps=step, resume=step > 2)
    cut, _ = train(tmp_path / "cut", folder, max_epochs=3, resume=True)
    assert_same_state(whole, cut)


@pytest.fixture(params=["npz", "records"])
def shards(request, tmp_path, folder):
    """The same images in three files."""
    images = kg.data.load(folder, batch_size=8).train.images
    path = tmp_path / request.param
    if request.param == "records":
        return kg.data.write_shards(path, images, images_per_shard=15)
    path.mkdir()
    for number, part in enumerate(np.split(images, [15, 30])):
        np.savez(path / f"{number}.npz", images=part)
    return path


def test_a_run_on_shards_stopped_in_mid_epoch_and_resumed_is_the_run_on_the_pictures_in_memory(
    tmp_path, folder, shards
):
    whole, _ = train(tmp_path / "whole", folder, stream=False, max_epochs=3)
    for step in (2, 5):
        train(tmp_path / "cut", shards, max_steps=step, resume=step > 2)
    cut, _ = train(tmp_path / "cut", shards, max_epochs=3, resume=True)
    assert_same_state(whole, cut)


def test_a_run_is_not_resumed_on_shards_whose_order_is_another(tmp_path, shards):
    train(tmp_path / "run", shards, max_steps=2)
    if (shards / "index.json").exists():
        index = json.loads((shards / "index.json").read_text(encoding="utf-8"))
        index["shards"].reverse()
        (shards / "index.json").write_text(json.dumps(index), encoding="utf-8")
    else:
        (shards / "0.npz").rename(shards / "3.npz")
    with pytest.raises(ValueError, match=r"cannot be resumed with other settings: data"):
        train(tmp_path / "run", shards, max_steps=5, resume=True)


def test_a_shard_that_turns_bad_in_the_middle_of_a_run_ends_it_with_one_line(tmp_path, shards):
    class Spoil(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            for path in [*shards.glob("*.npz"), *shards.glob("*.array_record")]:
                content = path.read_bytes()
                # In place, for files of ArrayRecord stay open.
                with open(path, "r+b") as file:
                    file.write(bytes(len(content)))

    with pytest.raises(kg.data.DataError, match=r"(changed since|cannot be read)") as raised:
        train(tmp_path / "run", shards, max_epochs=50, callbacks=[Spoil()])
    assert "\n" not in str(raised.value)


def test_limits_and_overfitting_are_those_of_the_run_in_memory(tmp_path, folder):
    for number, options in enumerate([{"limit_train_batches": 3, "limit_val_batches": 1}, {"overfit_batches": 2}]):
        one, _ = train(tmp_path / f"memory{number}", folder, stream=False, max_epochs=2, **options)
        other, _ = train(tmp_path / f"stream{number}", folder, max_epochs=2, **options)
        assert_same_state(one, other)


class Break(keras.callbacks.Callback):
    """Truncates every picture once the first epoch is over, as a failing disk would."""

    def __init__(self, folder):
        super().__init__()
        self.folder = folder

    def on_epoch_end(self, epoch, logs=None):
        for path in self.folder.iterdir():
            path.write_bytes(path.read_bytes()[:60])


def test_a_file_that_turns_bad_in_the_middle_of_a_run_ends_it_with_one_line(tmp_path, folder):
    with pytest.raises(kg.data.DataError, match=r"\d\d\.png: cannot be decoded .*copy or save it again\.$") as raised:
        train(tmp_path / "run", folder, max_epochs=50, callbacks=[Break(folder)])
    assert "\n" not in str(raised.value)
    step = kg.checkpoints.CheckpointStore(tmp_path / "run" / "checkpoints").load().step
    assert step >= 4 and step < 200


SCRIPT = """
import signal, sys, keras, kerasgan as kg
from kerasgan.testing import tiny_gan

signal.signal(signal.SIGINT, signal.default_int_handler)  # A shell's background jobs, as these tests may be, ignore it.

class Tell(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        print("epoch", epoch, flush=True)

data = kg.data.load(sys.argv[1], batch_size=8, val_size=8, stream=True)
try:
    kg.Trainer(sys.argv[2], max_epochs=100_000, callbacks=[kg.callbacks.Checkpoint(), Tell()]).fit(tiny_gan(), data)
except kg.Interrupted as interrupted:
    print(interrupted, file=sys.stderr)
    sys.exit(130)
"""


@pytest.mark.parametrize("plain", [False, True])
def test_control_c_leaves_no_process_no_traceback_and_no_wait(tmp_path, folder, plain):
    script = SCRIPT
    if plain:  # Under Keras's own fit, Python itself prints the one traceback there is: that of KeyboardInterrupt.
        script = script[: script.index("try:")] + "tiny_gan().fit(data.train, epochs=100_000, shuffle=False, verbose=0,"
        script += " callbacks=[Tell()], validation_data=data.validation)\n"
    process = subprocess.Popen(
        [sys.executable, "-c", script, folder, tmp_path / "run"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    for line in process.stdout:
        if line.startswith("epoch 1"):
            break
    os.killpg(process.pid, signal.SIGINT)  # As a terminal does: to the process and all it has started.
    _, errors = process.communicate(timeout=60)
    assert process.returncode == (-signal.SIGINT if plain else 130), errors
    assert errors.count("Traceback") == plain, errors
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)
