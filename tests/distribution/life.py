"""What a child process of the tests does: `python life.py TASKS`, a JSON list of `{"task": name, option: value}`.

The tests import it too, to run the same tasks in their own process, which has a single device. With LIFE_COORDINATOR it
is process LIFE_PROCESS of two.
"""

import json
import os
import sys
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

import kerasgan as kg
from kerasgan import testing
from kerasgan.networks import conditional

SHAPE = (8, 8, 1)
GANS = {"dcgan": lambda: kg.GAN.dcgan(SHAPE, latent_dim=8, dropout=0.0, seed=0), "tiny": testing.tiny_gan}
kept: dict[str, kg.GAN] = {}


def images(count: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, *SHAPE)).astype("uint8")


def gan_run(
    run_dir: str, *, network: str = "dcgan", resume: bool = False, max_steps: int = 50, **options: Any
) -> dict[str, Any]:
    """Train a GAN without dropout, six batches of 16 an epoch.

    A resume goes on with the module of the last run: its state is that of the checkpoint, and compiling takes seconds.
    """
    checkpoint = kg.callbacks.Checkpoint(every_n_steps=options.pop("every_n_steps", None))
    batch_size = options.pop("batch_size", 16)
    callbacks = [checkpoint, kg.callbacks.ImageGrid(count=9)]
    trainer = kg.Trainer(run_dir, max_steps=max_steps, seed=0, callbacks=callbacks, **options)
    if not (resume and network in kept):
        kept[network] = GANS[network]()
    data = kg.data.DataModule(images(96), batch_size=batch_size, seed=0)
    history = trainer.fit(kept[network], data, resume=resume).history
    image = kept[network].generate(3, seed=0)
    return {"history": history, "image": float(image.mean()), "process": kg.process_index()}


def classifier_run(run_dir: str, *, validation: int = 32, **options: Any) -> dict[str, Any]:
    """Train a classifier with BatchNormalization, validated after each epoch."""
    trainer = kg.Trainer(run_dir, max_epochs=4, seed=0, **options)
    network = keras.Sequential(
        [
            keras.Input(SHAPE),
            keras.layers.Conv2D(4, 3, activation="relu"),
            keras.layers.BatchNormalization(),
            keras.layers.Flatten(),
            keras.layers.Dense(3, activation="softmax"),
        ]
    )
    classifier = kg.Classifier(network)
    classifier.compile(optimizer=keras.optimizers.Adam(1e-3), loss="categorical_crossentropy", metrics=["accuracy"])
    labels = np.random.default_rng(1).integers(0, 3, 96 + validation)
    pictures = images(96 + validation)
    data = kg.data.DataModule(pictures, labels, batch_size=16, val_size=validation, one_hot=True, seed=0)
    history = trainer.fit(classifier, data).history
    return {"history": history, "validated": trainer.validate(classifier, data)}


def refusals() -> dict[str, str]:
    """Do what has to be refused on two devices, and return what is said of it."""
    early = testing.tiny_gan()
    said: dict[str, str] = {}

    def refused(name: str, call: Callable[[], Any]) -> None:
        try:
            call()
        except ValueError as error:
            said[name] = str(error)

    def module(count: int, **options: Any) -> kg.data.DataModule:
        return kg.data.DataModule(images(count), **{"batch_size": 16, **options})

    refused("word", lambda: kg.Trainer("unused", distribution="all"))
    refused("thing", lambda: kg.Trainer("unused", distribution=2))
    trainer = kg.Trainer("unused", max_epochs=1, seed=0, distribution="auto")
    refused("early", lambda: trainer.fit(early, module(32)))
    refused("early to validate", lambda: trainer.validate(early, images(32)))
    gan = testing.tiny_gan()
    refused("batch", lambda: trainer.fit(gan, module(32, batch_size=15)))
    refused("arrays", lambda: trainer.fit(gan, images(30).astype("float32"), batch_size=15))
    refused("last batch", lambda: trainer.fit(gan, module(33, drop_remainder=False)))
    refused("last batch of arrays", lambda: trainer.fit(gan, images(33).astype("float32"), batch_size=16))
    return said


def disagreements(run_dir: str) -> list[str]:
    """Give the two processes different settings, and return what is said of it."""
    other, said = kg.process_index(), []
    for name, options in (("a", {"max_steps": 5 + other}), ("b", {"batch_size": 16 - 8 * other})):
        try:
            gan_run(f"{run_dir}/{name}", network="tiny", **options)
        except ValueError as error:
            said.append(str(error))
    return said


def model_parallel_run(run_dir: str, **options: Any) -> dict[str, Any]:
    """Train a GAN whose dense layers lie in parts on all devices, or, on a single one, not; JAX only."""
    devices = keras.distribution.list_devices()
    layout = keras.distribution.LayoutMap(keras.distribution.DeviceMesh((1, len(devices)), ("batch", "model"), devices))
    layout[".*dense.*kernel"] = ("model", None)
    parts = keras.distribution.ModelParallel(layout_map=layout, batch_dim_name="batch")
    callbacks = [kg.callbacks.Checkpoint(), kg.callbacks.ImageGrid(count=9)]
    distribution = parts if len(devices) > 1 else None
    trainer = kg.Trainer(run_dir, seed=0, callbacks=callbacks, distribution=distribution, **options)
    gan = testing.tiny_gan()
    layouts = [variable.value.sharding.is_fully_replicated for variable in gan.variables]
    history = trainer.fit(gan, kg.data.DataModule(images(96), batch_size=16), resume="max_epochs" in options)
    return {"history": history.history, "divided": layouts.count(False)}


def small_run(name: str) -> dict[str, Any]:
    """Train a small module of one kind for two epochs, in batches that devices cannot share evenly, and judge it."""
    kg.Trainer("unused", seed=0, distribution="auto")  # for what it sets
    module = SMALL[name]()
    pictures = images(55).astype("float32") / 127.5 - 1.0
    labels = np.arange(55) % 3
    train = [part[:40] for part in ((pictures,) if name == "wgan_gp" else (pictures, labels))]
    history = dict(module.fit(*train, batch_size=15, epochs=2, shuffle=False, verbose=0).history)
    if module.validates:  # the last of these batches holds one image
        judged = module.evaluate(pictures[38:], labels[38:], batch_size=8, verbose=0, return_dict=True)
        history |= {f"val_{key}": [value] for key, value in judged.items()}
    return {"history": history}


def small_gan(
    dropout: float = 0.0, spectral: bool = False, adam: dict[str, Any] | None = None, **options: Any
) -> kg.GAN:
    judge = testing.tiny_discriminator(dropout=dropout)
    if spectral:
        flat, score = keras.layers.Flatten(), kg.layers.SpectralNormalization(keras.layers.Dense(1))
        judge = keras.Sequential([keras.Input(SHAPE), flat, score], name="discriminator")
    gan = kg.GAN(testing.tiny_generator(), judge, seed=0, **options)
    gan.compile(optimizer={name: keras.optimizers.Adam(1e-3, **adam or {}) for name in ("generator", "discriminator")})
    return gan


def small_conditional() -> kg.ConditionalGAN:
    makes = [keras.Input((7,)), keras.layers.Dense(64, "tanh"), keras.layers.Reshape(SHAPE)]
    judges = [keras.Input((8, 8, 4)), keras.layers.Flatten(), keras.layers.Dense(1)]
    generator = conditional.generator(keras.Sequential(makes), 3)
    gan = kg.ConditionalGAN(generator, conditional.discriminator(keras.Sequential(judges), 3), num_classes=3, seed=0)
    gan.compile(optimizer={name: keras.optimizers.Adam(1e-3) for name in ("generator", "discriminator")})
    return gan


def small_scratch() -> kg.ScratchClassifier:
    return kg.ScratchClassifier(kg.networks.scratch.classifier(SHAPE, 3, init="glorot"), learning_rate=0.1)


SMALL: dict[str, Callable[[], kg.Module]] = {
    "wgan_gp": testing.TinyWassersteinGAN,
    "lazy_r1": lambda: small_gan(
        adam={"clipnorm": 0.1, "gradient_accumulation_steps": 2, "use_ema": True},
        spectral=True,
        penalties="r1",
        penalty_every=2,
        ema=0.9,
        weight_clip=0.5,
    ),
    "dragan": lambda: small_gan(penalties="dragan", augment="color,translation,cutout"),
    "conditional": small_conditional,
    "scratch": small_scratch,
    "dropout": lambda: small_gan(dropout=0.3),
}
TASKS = {
    "gan": gan_run,
    "classifier": classifier_run,
    "small": small_run,
    "refusals": refusals,
    "disagreements": disagreements,
    "model_parallel": model_parallel_run,
}


def divide_processor(devices: int) -> None:
    """Let TensorFlow see so many devices, all of them cores of the processor; JAX is told by XLA_FLAGS."""
    import tensorflow as tf

    parts = [tf.config.LogicalDeviceConfiguration()] * devices
    tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], parts)


def main(tasks: list[dict[str, Any]]) -> None:
    if keras.backend.backend() == "tensorflow" and os.environ.get("LIFE_DEVICES", "1") != "1":
        divide_processor(int(os.environ["LIFE_DEVICES"]))
    if coordinator := os.environ.get("LIFE_COORDINATOR"):
        kg.connect(coordinator, 2, int(os.environ["LIFE_PROCESS"]), timeout_seconds=120)
    for options in tasks:
        task = TASKS[options.pop("task")]
        print("RESULT", json.dumps(kg.together(task)(**options)), flush=True)


if __name__ == "__main__":
    try:
        main(json.loads(sys.argv[1]))
    except kg.Interrupted as interrupted:
        print(interrupted, file=sys.stderr)
        sys.exit(128 + interrupted.signal)
    except (ValueError, kg.PeerLost) as error:
        print(f"error: {error}", file=sys.stderr)
        kg.leave(2 if isinstance(error, ValueError) else 1)
