"""Stock Keras on TensorFlow: its layers, its `fit` with its defaults, and a `train_step` as its guide has it.

Both players learn from one forward pass under two tapes, as in the tutorial for TensorFlow, where the example of Keras
would make fakes twice.

Reference:
    https://keras.io/guides/custom_train_step_in_tensorflow/ and
    https://keras.io/examples/generative/dcgan_overriding_train_step/
"""

from typing import Any

import keras
import tensorflow as tf
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

    def compile(self, generator_optimizer: Any, discriminator_optimizer: Any) -> None:
        """Give each player its optimizer."""
        super().compile()
        self.generator_optimizer, self.discriminator_optimizer = generator_optimizer, discriminator_optimizer

    def train_step(self, images: Any) -> Any:
        """Update both players once."""
        latents = keras.random.normal((ops.shape(images)[0], self.latent_dim), seed=self.seed_generator)
        with tf.GradientTape() as generator_tape, tf.GradientTape() as discriminator_tape:
            fakes = self.generator(latents, training=True)
            real = self.discriminator(images, training=True)
            fake = self.discriminator(fakes, training=True)
            generator_loss = self.cross_entropy(ops.ones_like(fake), fake)
            discriminator_loss = self.cross_entropy(ops.ones_like(real), real)
            discriminator_loss += self.cross_entropy(ops.zeros_like(fake), fake)
        for network, optimizer, tape, loss in (
            (self.generator, self.generator_optimizer, generator_tape, generator_loss),
            (self.discriminator, self.discriminator_optimizer, discriminator_tape, discriminator_loss),
        ):
            gradients = tape.gradient(loss, network.trainable_variables)
            optimizer.apply_gradients(zip(gradients, network.trainable_variables, strict=True))
        self.generator_loss_tracker.update_state(generator_loss)
        self.discriminator_loss_tracker.update_state(discriminator_loss)
        return {metric.name: metric.result() for metric in self.metrics}

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """Those that Keras resets at the beginning of an epoch."""
        return [self.generator_loss_tracker, self.discriminator_loss_tracker]


def train(workload: Workload, gate: Gate) -> None:
    """Train round after round."""
    generator, discriminator = keras_networks.build(workload)
    gan = GAN(generator, discriminator, workload.latent_dim)
    adams = [keras.optimizers.Adam(workload.learning_rate) for _ in range(2)]
    for adam, network in zip(adams, (generator, discriminator), strict=True):
        adam.build(network.trainable_variables)
    gan.compile(*adams)
    gate.ready(keras_networks.trained_weights(generator, discriminator))
    gan.fit(workload.images(), batch_size=workload.batch_size, epochs=10**9, callbacks=[Rounds(gate)])
