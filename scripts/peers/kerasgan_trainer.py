"""kerasgan as its users have it: `Trainer.fit` with all default callbacks, on either backend."""

import keras

import kerasgan as kg
from kerasgan import testing
from peers.keras_networks import trained_weights
from peers.keras_rounds import Rounds
from peers.worker import Gate
from peers.workloads import Workload


def build(workload: Workload) -> kg.GAN:
    """Return the compiled GAN."""
    if workload.name == "dcgan":
        gan = kg.GAN.dcgan(workload.image_shape, workload.latent_dim, dropout=workload.dropout, seed=0)
    else:
        gan = testing.tiny_gan()
    adam = keras.optimizers.Adam
    gan.compile(optimizer={player: adam(workload.learning_rate) for player in ("generator", "discriminator")})
    return gan


def train(
    workload: Workload, gate: Gate, precision: str = "float32", steps_per_execution: int | str | None = None
) -> None:
    """Train round after round; `steps_per_execution` is the trainer's own choice if None."""
    more = {} if steps_per_execution is None else {"steps_per_execution": steps_per_execution}
    trainer = kg.Trainer("run", max_epochs=10**9, callbacks=[Rounds(gate)], precision=precision, seed=0, **more)
    data = kg.data.DataModule(workload.pixels(), batch_size=workload.batch_size)
    gan = build(workload)
    gate.ready(trained_weights(gan.generator, gan.discriminator))
    trainer.fit(gan, data)
