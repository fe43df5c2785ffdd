"""What a compiled step computes on each of two devices, as XLA counts it: half, or they were in vain."""

import json
import subprocess
import sys

# Of its own process: the number of devices is fixed as JAX starts.
PROGRAM = """
import json
import jax, keras
import kerasgan as kg
from kerasgan import backends

def flops():
    layers = keras.layers
    generator = keras.Sequential([keras.Input((64,)), layers.Dense(256), layers.Dense(64), layers.Reshape((8, 8, 1))])
    discriminator = keras.Sequential([keras.Input((8, 8, 1)), layers.Flatten(), layers.Dense(64), layers.Dense(1)])
    gan = kg.GAN(generator, discriminator, seed=0)
    sgd = keras.optimizers.SGD
    gan.compile(optimizer={"generator": sgd(0.1), "discriminator": sgd(0.1)})
    gan.optimizer.build(gan.trainable_variables)
    images, distribution = jax.numpy.zeros((64, 8, 8, 1)), keras.distribution.distribution()
    if distribution is not None:
        distribution.divides = True
        layout = distribution.get_data_layout(images.shape)
        images = keras.distribution.distribute_tensor(images, layout)
    state = tuple([variable.value for variable in group] for group in gan.step_variables())
    return jax.jit(gan.train_step).lower(state, images).compile().cost_analysis()["flops"]

counted = {"one": flops()}
backends.distribute("auto")
counted["two"] = flops()
backends.beside_batch = lambda values: values
counted["control"] = flops()
print(json.dumps(counted))
"""


def test_two_devices_make_half_of_the_fakes_each_and_a_control_all_of_them(monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "--xla_force_host_platform_device_count=2")
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    counted = json.loads(done.stdout.splitlines()[-1])
    assert 0.45 < counted["two"] / counted["one"] < 0.6
    assert counted["control"] / counted["one"] > 0.8
