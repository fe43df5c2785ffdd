"""The GAN family, each loss, regularizer and aid in a case of its own: 20 steps of tiny networks on 8x8 images."""

import keras
import numpy as np
from fixed import draws_from_numpy, set_weights_from_numpy

import kerasgan as kg
from kerasgan.layers import Conv2D, Conv2DTranspose, SpectralNormalization
from kerasgan.networks import conditional, residual

STEPS, BATCH, CLASSES, LATENT_DIM = 20, 16, 10, 4
IMAGE_SHAPE = (8, 8, 3)  # in colour, or there would be no saturation to augment
PLAYERS = ("generator", "discriminator")
# A constant added to all scores changes nothing here: the gradient of a last bias is rounding noise.
BLIND_TO_CONSTANTS = ("wasserstein", "relativistic")


class FixedDraws:
    """What makes a training step draw from NumPy; `draws` is the seed."""

    draws = 0

    def training_step(self, batch):
        with draws_from_numpy(keras.ops.convert_to_tensor(self.optimizer.iterations), STEPS, self.draws):
            super().training_step(batch)


class FixedGAN(FixedDraws, kg.GAN):
    pass


class FixedConditionalGAN(FixedDraws, kg.ConditionalGAN):
    pass


# Activations are smooth: where one bends, the backends would round to either side, and a slope differ out of nothing.


def generator(latent_dim=LATENT_DIM):
    layers = [
        keras.Input((latent_dim,)),
        keras.layers.Dense(4 * 4 * 8, use_bias=False),
        keras.layers.BatchNormalization(),
        keras.layers.Activation("silu"),
        keras.layers.Reshape((4, 4, 8)),
        Conv2DTranspose(IMAGE_SHAPE[2], 4, strides=2, padding="same", activation="tanh"),
    ]
    return keras.Sequential(layers, name="generator")


def discriminator(output_bias=True, spectral_normalization=False, planes=0):
    """Return a network from images, with planes that tell the label, to logits."""
    wrap = SpectralNormalization if spectral_normalization else lambda layer: layer
    layers = [
        keras.Input((*IMAGE_SHAPE[:2], IMAGE_SHAPE[2] + planes)),
        wrap(Conv2D(8, 3, strides=2, padding="same")),
        keras.layers.Activation("silu"),
        keras.layers.Flatten(),
        wrap(keras.layers.Dense(1, use_bias=output_bias)),
    ]
    return keras.Sequential(layers, name="discriminator")


def gan(networks=None, optimizers=None, *, rate=0.05, gain=2.0, draws=0, **options):
    """Return a compiled GAN that starts from weights of NumPy."""
    networks = networks or (generator(), discriminator(options.get("loss") not in BLIND_TO_CONSTANTS))
    # Before the moving average copies them; with a gain that brings scores to both sides of the hinge loss's margin.
    set_weights_from_numpy(*networks, gain=gain)
    built = (FixedConditionalGAN if "num_classes" in options else FixedGAN)(*networks, **options)
    built.draws = draws
    # No Adam where it need not be: it hides a gradient that is twice too large, and makes one of rounding noise large.
    built.compile(optimizer=optimizers or {player: keras.optimizers.SGD(rate) for player in PLAYERS})
    return built


def conditional_gan(judge, **options):
    told = conditional.generator(generator(LATENT_DIM + CLASSES), CLASSES)
    return gan((told, judge), num_classes=CLASSES, **options)


def cgan(**options):
    return conditional_gan(conditional.discriminator(discriminator(planes=CLASSES), CLASSES), **options)


def acgan(**options):
    return conditional_gan(conditional.auxiliary_classifier(discriminator(), CLASSES), **options)


def projection(**options):
    judge = conditional.projection_discriminator(discriminator(spectral_normalization=True), CLASSES)
    return conditional_gan(judge, **options)


def r3gan(first_weight=1.0):
    """Return the parts of `kg.recipes.r3gan`, narrow, with schedules that end with the steps recorded."""

    def burn_in(first, last):
        return keras.optimizers.schedules.CosineDecay(first, STEPS, alpha=last / first)

    return gan(
        (residual.generator(IMAGE_SHAPE, LATENT_DIM, width=4), residual.discriminator(IMAGE_SHAPE, width=4)),
        {
            player: kg.recipes.ScheduledAdam(burn_in(2e-4, 5e-5), beta_1=0.0, beta_2=burn_in(0.9, 0.99))
            for player in PLAYERS
        },
        loss="relativistic",
        penalties={name: burn_in(first_weight, 0.1) for name in ("r1", "r2")},
        ema=0.5,
        gain=1.0,
    )


OPTIONS = {
    **{loss: {"loss": loss} for loss in kg.losses.ADVERSARIAL_LOSSES},
    **{penalty: {"penalties": penalty} for penalty in kg.losses.GRADIENT_PENALTIES},
    "wasserstein": {"loss": "wasserstein", "rate": 0.01},  # slower: nothing holds it
    "wgan_gp": {"loss": "wasserstein", "penalties": "wgan_gp", "rate": 0.01},
    "r1_every_4_steps": {"penalties": "r1", "penalty_every": 4, "rate": 0.01},  # slower: four times the penalty at once
    "weight_clip": {"loss": "wasserstein", "weight_clip": 0.1},
    "critic_steps_and_ema": {"critic_steps": 3, "ema": 0.5},
    "diff_augment": {"augment": "color,translation,cutout"},
}
CASES = {
    **{name: lambda options=options: gan(**options) for name, options in OPTIONS.items()},
    "spectral_normalization": lambda: gan((generator(), discriminator(spectral_normalization=True))),
    "cgan": cgan,
    "acgan": acgan,
    "projection": projection,
    "r3gan": r3gan,
}


def almost(name, **options):
    return lambda: gan(**{**OPTIONS[name], **options})


# The same with one number a hundredth larger, or with other draws: these must not agree with those above.
CONTROLS = {
    "r1": almost("r1", penalties={"r1": 10.1}),
    "r2": almost("r2", penalties={"r2": 10.1}),
    "wgan_gp": almost("wgan_gp", penalties={"wgan_gp": 10.1}),
    "dragan": almost("dragan", penalties={"dragan": 10.1}),
    "r1_every_4_steps": almost("r1_every_4_steps", penalties={"r1": 10.1}),
    "weight_clip": almost("weight_clip", weight_clip=0.101),
    "critic_steps_and_ema": almost("critic_steps_and_ema", ema=0.505),
    "diff_augment": almost("diff_augment", draws=1),
    "acgan": lambda: acgan(class_weight=1.01),
    "r3gan": lambda: r3gan(first_weight=1.01),
}


def record(build):
    """Train; return `{loss: (STEPS,)}`, and how far each variable went: `{"changes/network/number": (...)}`."""
    trained = build()
    networks = {player: getattr(trained, player) for player in PLAYERS}
    if trained.ema is not None:
        networks["average"] = trained.sampling_generator
    before = {name: network.get_weights() for name, network in networks.items()}
    images, labels = stacked_digits()
    arguments = (labels,) if isinstance(trained, kg.ConditionalGAN) else ()
    history = [
        trained.train_on_batch(images[step], *(part[step] for part in arguments), return_dict=True)
        for step in range(STEPS)
    ]
    recorded = {name: np.array([logs[name] for logs in history]) for name in history[0]}
    for name, network in networks.items():
        for number, (old, new) in enumerate(zip(before[name], network.get_weights(), strict=True)):
            recorded[f"changes/{name}/{number:02}"] = new - old
    return recorded


def stacked_digits():
    """Return images of three digits in three colours, `(STEPS, BATCH, 8, 8, 3)`, and what the first one shows."""
    images, labels = kg.data.load("digits", batch_size=3 * STEPS * BATCH).train.unshuffled()[0]
    images = np.asarray(images)[:, 6:22:2, 6:22:2].reshape(STEPS, BATCH, 3, 8, 8).transpose(0, 1, 3, 4, 2)
    return images, np.asarray(labels)[::3].reshape(STEPS, BATCH)
