"""Fifty epochs in a process of their own: nothing of them may stay in memory, and nothing is compiled anew."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import kerasgan as kg

TRAIN = """
import json, tempfile
import keras
import numpy as np
import kerasgan as kg
from kerasgan.testing import tiny_gan, tiny_images

EPOCHS = 50
programs = 0
if kg.backends.name == "jax":
    import jax.monitoring

    def compiled(event, seconds, **details):
        global programs
        programs += event == "/jax/core/compile/backend_compile_duration"

    jax.monitoring.register_event_duration_secs_listener(compiled)

class Traced(kg.GAN):
    def training_step(self, batch):
        global programs
        programs += 1
        super().training_step(batch)

class Watch(keras.callbacks.Callback):
    # Notes what the process has at the end of each epoch; as a control, it first leaks some bytes by a new program.
    def __init__(self, leak):
        super().__init__()
        self.leak, self.leaked, self.noted = leak, [], []

    def on_epoch_end(self, epoch, logs=None):
        if self.leak:
            self.leaked.append(np.asarray(keras.ops.ones(self.leak + epoch, "uint8")))
        with open("/proc/self/status") as status:
            sizes = dict(line.split(":", 1) for line in status)
        # Not getrusage, whose peak begins with that of the process that started this one.
        resident, peak = (int(sizes[name].removesuffix("kB\\n")) for name in ("VmRSS", "VmHWM"))
        self.noted.append({"resident": resident, "peak": peak, "programs": programs})

plain = tiny_gan()
gan = Traced(plain.generator, plain.discriminator, seed=0)
gan.compile(optimizer={player: keras.optimizers.Adam(1e-3) for player in ("generator", "discriminator")})
data = kg.data.DataModule(tiny_images(32), batch_size=8)
for leak in (0, 2**18):
    watch = Watch(leak)
    callbacks = [kg.callbacks.Checkpoint(), watch]
    kg.Trainer(tempfile.mkdtemp(dir="."), max_epochs=EPOCHS, callbacks=callbacks).fit(gan, data)
    print(json.dumps(watch.noted))
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux says how much memory a process has")
def test_memory_is_flat_from_the_second_epoch_to_the_fiftieth_and_nothing_is_compiled_anew(tmp_path):
    done = subprocess.run([sys.executable, "-c", TRAIN], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    sound, leaking = (json.loads(line) for line in done.stdout.splitlines() if line.startswith("[{"))
    assert len(sound) == len(leaking) == 50
    # The control keeps 12 MB in 48 epochs, which is seen.
    for kind in ("resident", "peak"):
        assert growth(sound, kind) < 0.01 < growth(leaking, kind)
    assert sound[0]["programs"] == sound[-1]["programs"] > 0
    if kg.backends.name == "jax":  # TensorFlow makes such an array without a program
        assert leaking[-1]["programs"] - leaking[0]["programs"] == 49


def growth(epochs, kind):
    """Return how much more there is after the last epoch than after the second, as a share."""
    return epochs[-1][kind] / epochs[1][kind] - 1
