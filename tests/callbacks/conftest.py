"""The models that every callback is tried on: plain Keras, nothing of kerasgan's modules."""

import keras
import numpy as np
import pytest

from tests.reuse import as_made


class Dreamer(keras.Model):
    """A stock regression model that can also `generate`; counts how often it was asked."""

    def __init__(self):
        super().__init__()
        self.dense = keras.layers.Dense(3)
        self.painter = keras.layers.Dense(8 * 8, activation="tanh", trainable=False)
        self.dense.build((None, 4))
        self.painter.build((None, 4))
        self.asked = []

    def call(self, inputs):
        return self.dense(inputs)

    def generate(self, count, seed):
        self.asked.append((count, seed))
        latents = np.random.default_rng(seed).normal(size=(count, 4)).astype("float32")
        return keras.ops.convert_to_numpy(self.painter(latents)).reshape(count, 8, 8, 1)


def made():
    keras.utils.set_random_seed(0)
    model = Dreamer()
    model.compile(optimizer=keras.optimizers.SGD(0.1), loss="mse", metrics=["mae"])
    return model


@pytest.fixture
def fresh():
    """A model that has never been trained, and whose metrics Keras has not even built."""
    return made()


@pytest.fixture(scope="session")
def renew():
    """Return one and the same model, as it was before its first step."""
    return as_made(made())


@pytest.fixture
def model(renew):
    """A model before its first step; what Keras compiled for it serves all tests."""
    model = renew()
    model.asked.clear()
    keras.utils.set_random_seed(0)
    return model


@pytest.fixture(scope="session")
def data():
    """32 examples: four batches of eight."""
    rng = np.random.default_rng(0)
    return rng.normal(size=(32, 4)).astype("float32"), rng.normal(size=(32, 3)).astype("float32")


@pytest.fixture
def fit(model, data):
    """Train `model` quietly: `fit(callbacks, epochs=2)`."""

    def fit(callbacks, epochs=2, model=model, x=data[0], y=data[1], **options):
        return model.fit(x, y, batch_size=8, epochs=epochs, verbose=0, callbacks=callbacks, **options)

    return fit
