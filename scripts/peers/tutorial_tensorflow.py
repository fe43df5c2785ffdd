"""The loop of TensorFlow's tutorial: `@tf.function` around a step with two tapes, over a `tf.data` pipeline.

Reference:
    https://www.tensorflow.org/tutorials/generative/dcgan
"""

from typing import Any

import keras
import tensorflow as tf

from peers import keras_networks, reading
from peers.worker import Gate
from peers.workloads import Workload


def pipeline(workload: Workload) -> tf.data.Dataset:
    """Return the batches of a round, in another order each time."""
    images = workload.images()
    return tf.data.Dataset.from_tensor_slices(images).shuffle(len(images)).batch(workload.batch_size)


def read(workload: Workload, gate: Gate) -> None:
    """Read round after round what the loop would train on."""
    reading.read(pipeline(workload), gate)


def train(workload: Workload, gate: Gate) -> None:
    """Train round after round."""
    dataset = pipeline(workload)
    generator, discriminator = keras_networks.build(workload)
    generator_optimizer = keras.optimizers.Adam(workload.learning_rate)
    discriminator_optimizer = keras.optimizers.Adam(workload.learning_rate)
    cross_entropy = keras.losses.BinaryCrossentropy(from_logits=True)

    @tf.function
    def train_step(images: Any) -> None:
        latents = tf.random.normal([workload.batch_size, workload.latent_dim])
        with tf.GradientTape() as generator_tape, tf.GradientTape() as discriminator_tape:
            fakes = generator(latents, training=True)
            real = discriminator(images, training=True)
            fake = discriminator(fakes, training=True)
            generator_loss = cross_entropy(tf.ones_like(fake), fake)
            discriminator_loss = cross_entropy(tf.ones_like(real), real) + cross_entropy(tf.zeros_like(fake), fake)
        for network, optimizer, tape, loss in (
            (generator, generator_optimizer, generator_tape, generator_loss),
            (discriminator, discriminator_optimizer, discriminator_tape, discriminator_loss),
        ):
            gradients = tape.gradient(loss, network.trainable_variables)
            optimizer.apply_gradients(zip(gradients, network.trainable_variables, strict=True))

    gate.ready(keras_networks.trained_weights(generator, discriminator))
    while True:
        gate.wait()
        for batch in dataset:
            train_step(batch)
        tf.test.experimental.sync_devices()  # a GPU may still be at work
