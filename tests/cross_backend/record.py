"""Write what one backend learns, from weights and noise fixed in NumPy, into a folder: `python record.py FOLDER`.

It runs where only the backend of `KERAS_BACKEND` is installed; the tests beside it compare two such folders. Each
gets `losses.npz`, `family.npz`, `predictions.npy`, and `run/`, a run directory with the classifier that made the
predictions.
"""

import sys
from pathlib import Path

import family
import keras
import numpy as np
from fixed import set_weights_from_numpy

import kerasgan as kg
from kerasgan.testing import TinyWassersteinGAN

STEPS, BATCH = 50, 28


def real_digits(count):
    """Images of scikit-learn's digits, `(count, 28, 28, 1)`, the same everywhere."""
    return kg.data.load("digits", batch_size=count).train.unshuffled()[0][0]


class FedGAN(kg.GAN):
    """A GAN whose latents come with the batch."""

    def training_step(self, batch):
        images, self.fed = batch
        super().training_step(images)

    def sample_latents(self, count):
        return self.fed


class FedWassersteinGAN(TinyWassersteinGAN):
    """WGAN-GP, its noise drawn in NumPy and fed with the batch, one array for each time it is asked for."""

    def training_step(self, batch):
        images, noise = batch
        self.noise = iter([noise[:, i] for i in range(noise.shape[1])])
        super().training_step(images)

    def sample_latents(self, count):
        return next(self.noise)[:, :4]

    def sample_mix(self, count):
        return keras.ops.reshape(next(self.noise)[:, 4], (-1, 1, 1, 1))


def losses_of_each_step(module, images, noise):
    """Train one step at a time; return `{name: (STEPS,)}`."""
    history = [module.train_on_batch(images[step], noise[step], return_dict=True) for step in range(STEPS)]
    return {name: np.array([logs[name] for logs in history]) for name in history[0]}


def record_dcgan():
    """The DCGAN step at its full size, dropout off."""
    gan = FedGAN(kg.networks.dcgan.generator(), kg.networks.dcgan.discriminator(dropout=0.0))
    set_weights_from_numpy(gan.generator, gan.discriminator)
    gan.compile(optimizer={player: keras.optimizers.Adam(1e-4) for player in ("generator", "discriminator")})
    images = real_digits(STEPS * BATCH).reshape(STEPS, BATCH, 28, 28, 1)
    latents = np.random.default_rng(1).standard_normal((STEPS, BATCH, 100)).astype("float32")
    return losses_of_each_step(gan, images, latents)


def record_wgan_gp():
    """The WGAN-GP step with BatchNormalization in the critic, two critic updates."""
    gan = FedWassersteinGAN(critic_steps=2)
    set_weights_from_numpy(gan.generator, gan.critic)
    rng = np.random.default_rng(2)
    images = real_digits(STEPS * BATCH)[:, 6:22:2, 6:22:2].reshape(STEPS, BATCH, 8, 8, 1)
    # No pixel may be constant over a batch: the gradient of its weight is rounding noise, BatchNormalization
    # having removed the rest, and Adam would make that as large as any other.
    images = images + 0.1 * rng.standard_normal(images.shape).astype("float32")
    noise = rng.standard_normal((STEPS, BATCH, 5, 5)).astype("float32")
    noise[..., 4] = rng.uniform(size=(STEPS, BATCH, 5))
    return losses_of_each_step(gan, images, noise)


def record_classifier(folder):
    """A convolutional classifier under `Trainer`, dropout off; its run and its predictions stay in the folder."""
    data = kg.data.load("digits", batch_size=BATCH, one_hot=True)
    recipe = kg.classifier_recipe("cnn", dropout=0.0, learning_rate=1e-3)
    network = recipe.build(data.image_shape, data.class_names)
    set_weights_from_numpy(network.network)
    history = kg.Trainer(folder / "run", max_epochs=5, limit_train_batches=10).fit(network, data)
    np.save(folder / "predictions.npy", network.network.predict(data.test[0][0], verbose=0))
    return {name: np.array(values) for name, values in history.history.items()}


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True)
    recorded = {"backend": np.array(keras.backend.backend())}
    cases = {"dcgan": record_dcgan, "wgan_gp": record_wgan_gp, "classifier": lambda: record_classifier(folder)}
    for case, record in cases.items():
        recorded |= {f"{case}/{name}": losses for name, losses in record().items()}
    np.savez(folder / "losses.npz", **recorded)
    recorded = {"backend": np.array(keras.backend.backend())}
    for kind, builders in {"case": family.CASES, "control": family.CONTROLS}.items():
        for name, build in builders.items():
            recorded |= {f"{kind}/{name}/{part}": values for part, values in family.record(build).items()}
    np.savez(folder / "family.npz", **recorded)
