"""kerasgan as its users have it: `Trainer.fit` with all default callbacks, on either backend."""

import os
from typing import Any

import keras

import kerasgan as kg
from kerasgan import testing
from peers.keras_networks import trained_weights
from peers.keras_rounds import Rounds
from peers.worker import Gate
from peers.workloads import CLASSES, Workload


def build(workload: Workload) -> kg.Module:
    """Return the compiled module."""
    adam = keras.optimizers.Adam
    if workload.kind == "classifier":
        recipe = kg.classifier_recipe("cnn", dropout=workload.dropout, learning_rate=workload.learning_rate)
        return recipe.build(workload.image_shape, CLASSES)
    if workload.name == "dcgan":
        gan = kg.GAN.dcgan(workload.image_shape, workload.latent_dim, dropout=workload.dropout, seed=0)
    else:
        gan = testing.tiny_gan()
    gan.compile(optimizer={player: adam(workload.learning_rate) for player in ("generator", "discriminator")})
    return gan


def train(
    workload: Workload,
    gate: Gate,
    precision: str = "float32",
    steps_per_execution: int | str | None = None,
    profile: int | None = None,
    distribution: str | None = None,
) -> None:
    """Train round after round; `steps_per_execution` is the trainer's own choice if None."""
    more = {} if steps_per_execution is None else {"steps_per_execution": steps_per_execution}
    more |= {"max_epochs": 10**9, "callbacks": [Rounds(gate)], "precision": precision, "profile": profile}
    more |= {"distribution": distribution}
    trainer = kg.Trainer("run", seed=0, **more)
    labels = {}
    if workload.kind == "classifier":
        labels = {"labels": workload.labels(), "one_hot": True, "class_names": CLASSES}
    data = kg.data.DataModule(workload.pixels(), batch_size=workload.batch_size, **labels)
    module = build(workload)
    count_programs(module, gate)
    gate.ready(trained_weights(*(getattr(module, player) for player in module.players)))
    trainer.fit(module, data)


def count_programs(module: kg.Module, gate: Gate) -> None:
    """Have the gate report how many programs were made: all that XLA compiles, or TensorFlow's traces of the step."""
    if os.environ["KERAS_BACKEND"] == "jax":
        import jax.monitoring

        def compiled(event: str, seconds: float, **details: Any) -> None:
            gate.programs += event == "/jax/core/compile/backend_compile_duration"

        jax.monitoring.register_event_duration_secs_listener(compiled)
        return
    step = module.training_step

    def training_step(batch: Any) -> None:
        gate.programs += 1
        step(batch)

    object.__setattr__(module, "training_step", training_step)  # past Keras, which need not track it
