"""Stock Keras on JAX: its layers, its `fit` with its defaults, and a stateless `train_step` as its guide has it.

Both players learn from one batch of latents, as in the tutorial for TensorFlow. The two gradients are of the same pure
function, from the same state, so that XLA computes what they have in common once.

Reference:
    https://keras.io/guides/custom_train_step_in_jax/ and https://keras.io/examples/generative/dcgan_overriding_train_step/
"""

from typing import Any

import jax
import keras
from keras import ops

from peers import keras_networks
from peers.keras_rounds import Rounds
from peers.worker import Gate
from peers.workloads import Workload


class GAN(keras.Model):
    """A generator and a discriminator."""

    def __init__(self, generator: keras.Model, discriminator: keras.Model, latent_dim: int) -> None:
        super().__init__()
        self.generator, self.discriminator = generator, discriminator
        self.latent_dim, self.seed_generator = latent_dim, keras.random.SeedGenerator(0)
        self.generator_loss_tracker = keras.metrics.Mean(name="generator_loss")
        self.discriminator_loss_tracker = keras.metrics.Mean(name="discriminator_loss")
        self.cross_entropy = keras.losses.BinaryCrossentropy(from_logits=True)
        self.built = True

    def call(self, images: Any, training: bool = True) -> Any:
        """Return the logits of images and of as many fakes."""
        latents = keras.random.normal((ops.shape(images)[0], self.latent_dim), seed=self.seed_generator)
        fakes = self.generator(latents, training=training)
        return self.discriminator(images, training=training), self.discriminator(fakes, training=training)

    def train_step(self, state: Any, data: Any) -> Any:
        """Update both players once."""
        trainable, untrained, slots, metrics = state
        images, _, _ = keras.utils.unpack_x_y_sample_weight(data)
        count = len(self.generator.trainable_variables)  # those of the generator come first

        def generator_loss(own: Any) -> Any:
            (_, fake), after = self.stateless_call(own + trainable[count:], untrained, images, training=True)
            return self.cross_entropy(ops.ones_like(fake), fake), after

        def discriminator_loss(own: Any) -> Any:
            (real, fake), _ = self.stateless_call(trainable[:count] + own, untrained, images, training=True)
            return self.cross_entropy(ops.ones_like(real), real) + self.cross_entropy(ops.zeros_like(fake), fake)

        (of_generator, untrained), first = jax.value_and_grad(generator_loss, has_aux=True)(trainable[:count])
        of_discriminator, second = jax.value_and_grad(discriminator_loss)(trainable[count:])
        # One Adam for both: how it changes a weight depends on that weight's own gradients alone.
        trainable, slots = self.optimizer.stateless_apply(slots, first + second, trainable)

        logs, updated = {}, []
        for metric, loss in zip(self.metrics, (of_generator, of_discriminator), strict=True):
            values = metrics[len(updated) : len(updated) + len(metric.variables)]
            values = metric.stateless_update_state(values, loss)
            logs[metric.name] = metric.stateless_result(values)
            updated += values
        return logs, (trainable, untrained, slots, updated)

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """Those that Keras resets at the beginning of an epoch."""
        return [self.generator_loss_tracker, self.discriminator_loss_tracker]


def train(workload: Workload, gate: Gate) -> None:
    """Train round after round."""
    networks = keras_networks.build(workload)
    gan = GAN(*networks, workload.latent_dim)
    gan.compile(optimizer=keras.optimizers.Adam(workload.learning_rate))
    gate.ready(keras_networks.trained_weights(*networks))
    gan.fit(workload.images(), batch_size=workload.batch_size, epochs=10**9, callbacks=[Rounds(gate)])
