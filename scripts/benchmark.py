"""Time a kerasgan DCGAN step against the same step written by hand in jitted JAX: what does the comfort cost?

    KERAS_BACKEND=jax python scripts/benchmark.py
    KERAS_BACKEND=jax python scripts/benchmark.py --stock-layers --steps 4 --repeats 3

All train the same networks from one shared forward pass on the same batches, by turns, so that a machine that
slows down slows all. The ratios are those of the medians. `--stock-layers` adds the same GAN with Keras's own
transposed convolution. On 2 cores of an AMD EPYC the first prints a
ratio of 0.955 to 1.010 from run to run.
"""

import os
import statistics
import time
from collections.abc import Callable
from typing import Any

import options


def handwritten_step(gan: Any) -> Callable[[Any], None]:
    """Return the best step one would write by hand: `stateless_call`, two optimizers, one `jax.vjp`, donation."""
    import jax
    import jax.numpy as jnp
    import keras

    generator, discriminator = gan.generator, gan.discriminator
    networks = (generator, discriminator)
    optimizers = (keras.optimizers.Adam(1e-4), keras.optimizers.Adam(1e-4))
    for network, optimizer in zip(networks, optimizers, strict=True):
        optimizer.build(network.trainable_variables)

    def step(state: Any, images: Any) -> Any:
        trainable, untrained, slots, key = state
        key, draw = jax.random.split(key)
        latents = jax.random.normal(draw, (images.shape[0], gan.latent_dim))

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
        return values, (tuple(w for w, _ in updated), untrained, tuple(s for _, s in updated), key)

    compiled = jax.jit(step, donate_argnums=0)
    copy = jax.tree.map(
        jnp.array,  # donation must not take the values of the module away
        (
            tuple([v.value for v in network.trainable_variables] for network in networks),
            tuple([v.value for v in network.non_trainable_variables] for network in networks),
            tuple([v.value for v in optimizer.variables] for optimizer in optimizers),
            jax.random.key(0),
        ),
    )
    state = [copy]

    def train(batches: Any) -> None:
        for images, *_ in (batches[index] for index in range(len(batches))):
            values, state[0] = compiled(state[0], images)
        jax.block_until_ready(values)

    return train


def fitting(gan: Any) -> Callable[[Any], None]:
    """Return what kerasgan's users call: plain `fit`."""
    return lambda batches: gan.fit(batches, verbose=0, shuffle=False)


def main(args: options.Namespace) -> None:
    import keras

    import kerasgan as kg

    if os.environ["KERAS_BACKEND"] != "jax":
        raise ValueError("the contestant is written in JAX; set KERAS_BACKEND=jax.")
    data = kg.data.load("digits", batch_size=args.batch_size)
    batches = data.train.limited(args.steps)
    gan = kg.GAN.dcgan(data.image_shape, seed=0)

    contestants = {"kerasgan": fitting(gan), "by hand": handwritten_step(gan)}
    if args.stock_layers:
        stock = kg.GAN(kg.layers.to_stock(gan.generator), kg.layers.to_stock(gan.discriminator), seed=0)
        stock.compile(optimizer={player: keras.optimizers.Adam(1e-4) for player in ("generator", "discriminator")})
        contestants["stock layers"] = fitting(stock)
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for repeat in range(args.repeats + 1):
        for name, train in contestants.items():
            began = time.perf_counter()
            train(batches)
            if repeat:  # the first one compiles
                seconds[name].append((time.perf_counter() - began) / len(batches))
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    for name, times in seconds.items():
        spread = f"{1e3 * min(times):.1f} to {1e3 * max(times):.1f}"
        speed = args.batch_size / medians[name]
        ratio = medians[name] / medians["kerasgan"]
        print(f"{name:12} {1e3 * medians[name]:8.1f} ms a step ({spread}), {speed:5.0f} images/s, x {ratio:.3f}")
    print(f"kerasgan over by hand: {medians['kerasgan'] / medians['by hand']:.3f}")


if __name__ == "__main__":
    parser = options.Parser(description="Time a kerasgan step against one written by hand in JAX.")
    parser.add_argument(
        "--batch-size", type=options.positive, default=64, metavar="N", help="images a step (default: %(default)s)"
    )
    parser.add_argument(
        "--steps",
        type=options.positive,
        default=10,
        metavar="N",
        help="timed steps in each repeat (default: %(default)s)",
    )
    parser.add_argument(
        "--repeats",
        type=options.positive,
        default=7,
        metavar="N",
        help="turns of each contestant (default: %(default)s)",
    )
    parser.add_argument("--stock-layers", action="store_true", help="add the same GAN of Keras's own layers")
    parser.add_argument("--debug", action="store_true", help="show where an error came from")
    options.run(main, parser)
