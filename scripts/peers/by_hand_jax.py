"""The best step one would write by hand in JAX, on kerasgan's own networks: what does the comfort cost?

`stateless_call`, one forward pass for both players, one `jax.vjp` pulled back twice, donated buffers. With `scan` a
round is one XLA program, and the images lie on the device: nothing is left to do between the steps.

Reference:
    https://keras.io/guides/writing_a_custom_training_loop_in_jax/
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import keras
import numpy as np

from peers.keras_networks import trained_weights
from peers.kerasgan_trainer import build
from peers.worker import Gate
from peers.workloads import Workload


def training_step(workload: Workload) -> tuple[Callable[[Any, Any], Any], Any, int]:
    """Return a pure `step(state, images)` that gives `(state, losses)`, its first state, and the number of weights."""
    gan = build(workload)
    generator, discriminator = networks = gan.generator, gan.discriminator
    optimizers = tuple(keras.optimizers.Adam(workload.learning_rate) for _ in networks)
    for network, optimizer in zip(networks, optimizers, strict=True):
        optimizer.build(network.trainable_variables)

    def step(state: Any, images: Any) -> Any:
        trainable, untrained, slots, key = state
        key, draw = jax.random.split(key)
        latents = jax.random.normal(draw, (images.shape[0], workload.latent_dim))

        def losses(trainable: Any) -> Any:
            fakes, of_generator = generator.stateless_call(trainable[0], untrained[0], latents, training=True)
            real, of_discriminator = discriminator.stateless_call(trainable[1], untrained[1], images, training=True)
            fake, of_discriminator = discriminator.stateless_call(trainable[1], of_discriminator, fakes, training=True)
            generator_loss = jnp.mean(jax.nn.softplus(-fake))
            discriminator_loss = jnp.mean(jax.nn.softplus(-real)) + jnp.mean(jax.nn.softplus(fake))
            return (generator_loss, discriminator_loss), (of_generator, of_discriminator)

        values, pull_back, untrained = jax.vjp(losses, trainable, has_aux=True)
        gradients = pull_back((1.0, 0.0))[0][0], pull_back((0.0, 1.0))[0][1]
        updated = [
            optimizer.stateless_apply(slot, gradient, weights)
            for optimizer, slot, gradient, weights in zip(optimizers, slots, gradients, trainable, strict=True)
        ]
        return (tuple(w for w, _ in updated), untrained, tuple(s for _, s in updated), key), values

    state = (
        tuple([v.value for v in network.trainable_variables] for network in networks),
        tuple([v.value for v in network.non_trainable_variables] for network in networks),
        tuple([v.value for v in optimizer.variables] for optimizer in optimizers),
        jax.random.key(0),
    )
    # Copied: donation must not take the values of the networks away.
    return step, jax.tree.map(jnp.array, state), trained_weights(*networks)


def train(workload: Workload, gate: Gate, scan: bool = False) -> None:
    """Train round after round."""
    step, state, weights = training_step(workload)
    gate.ready(weights)
    images, random = workload.images(), np.random.default_rng(0)
    pixels = jnp.asarray(workload.pixels()) if scan else None

    def one_batch(state: Any, chosen: Any) -> Any:
        return step(state, pixels[chosen].astype("float32") / 127.5 - 1.0)

    one = jax.jit(step, donate_argnums=0)
    all_of_them = jax.jit(lambda state, order: jax.lax.scan(one_batch, state, order), donate_argnums=0)
    while True:
        gate.wait()
        order = random.permutation(len(images)).reshape(workload.steps, workload.batch_size)
        if scan:
            state, losses = all_of_them(state, order)
        else:
            for chosen in order:
                state, losses = one(state, images[chosen])
        jax.block_until_ready((state, losses))
