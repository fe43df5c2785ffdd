"""The generative adversarial network: a generator and a discriminator, updated together."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from kerasgan import backends
from kerasgan.layers import DiffAugment, WeightClip
from kerasgan.losses import adversarial_loss
from kerasgan.modules.checks import check_fit, check_scale, check_shape, is_count, warn_of_misuse
from kerasgan.modules.ema import averaging_copy, update_average, warmed_up
from kerasgan.modules.gradient import not_half
from kerasgan.modules.latents import great_circles
from kerasgan.modules.module import Module
from kerasgan.modules.penalties import Penalties, Weights
from kerasgan.networks import dcgan

Array = np.ndarray[Any, np.dtype[Any]]


@keras.saving.register_keras_serializable("kerasgan")
class GAN(Module):
    """Two players, `generator` and `discriminator`, that learn in one simultaneous update a step.

    One forward pass serves both: the images, the fakes and their scores are computed once, and each player
    takes the gradient of its own loss.

    Args:
        generator: Functional or sequential network from latents `(batch, latent_dim)` to images in [-1, 1].
        discriminator: Likewise from images to logits `(batch, 1)`; higher means more real.
        loss: Name of a pair in `kerasgan.losses.ADVERSARIAL_LOSSES`.
        penalties: What is added to the discriminator's loss: `{name: weight}` with names of
            `kerasgan.losses.GRADIENT_PENALTIES`, each weight a number or a `LearningRateSchedule` of the global step;
            or one such name, or several, with the weights of their papers. Logged as `gradient_penalty`.
        penalty_every: Apply the penalties every so many steps, multiplied by that number (lazy regularization).
        critic_steps: Updates of the discriminator in a step, each with fakes of its own against the same images; the
            generator takes part in the last one.
        weight_clip: Largest magnitude of the discriminator's weights; None for no limit.
        augment: Changes that images undergo before they are judged, in training: a policy of `DiffAugment` such as
            `"color,translation,cutout"`; None for none.
        ema: Decay of an exponential moving average of the generator's weights, in (0, 1), lower during the first
            steps after `compile`. What `generate` draws from and what is exported is then that average. None for the
            weights themselves.
        seed: Seed of the latents drawn in training; a random one if None.
        options: As in `keras.Model`, such as `name`.

    Raises:
        ValueError: A loss or penalty is unknown, a number is out of range, a network is subclassed, or the generator's
            images do not fit the discriminator.

    Warns:
        UserWarning: Penalties are asked for, and the discriminator holds BatchNormalization; it ends in a sigmoid or
            softmax, where losses expect logits; a Wasserstein loss is asked for and nothing bounds the critic; or it
            holds Keras's SpectralNormalization, which backends train differently.

    Example:
        >>> gan = kg.GAN.dcgan(image_shape=(28, 28, 1), latent_dim=100)
        >>> adam = keras.optimizers.Adam
        >>> gan.compile(optimizer={"generator": adam(2e-4, 0.5), "discriminator": adam(2e-4, 0.5)})
        >>> gan.fit(images, batch_size=256, epochs=50)
        >>> gan.generate(16).shape
        (16, 28, 28, 1)
    """

    def __init__(
        self,
        generator: keras.Model,
        discriminator: keras.Model,
        *,
        loss: str = "non_saturating",
        penalties: Weights | str | Sequence[str] | None = None,
        penalty_every: int = 1,
        critic_steps: int = 1,
        weight_clip: float | None = None,
        augment: str | None = None,
        ema: float | None = None,
        seed: int | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        check_fit(generator, discriminator)
        if not is_count(critic_steps):
            raise ValueError(f"critic_steps is {critic_steps!r}; choose a whole number of updates, at least 1.")
        if ema is not None and not 0 < ema < 1:
            raise ValueError(f"ema is {ema}; choose a share between 0 and 1 such as 0.999, or None.")
        self.generator = generator
        self.discriminator = discriminator
        self.loss_name = loss
        self.penalties = Penalties(penalties, penalty_every, discriminator)
        self.critic_steps, self.weight_clip, self.augment, self.ema = critic_steps, weight_clip, augment, ema
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        # With an underscore: these are no players.
        self._loss_pair = adversarial_loss(loss)
        # Of another seed: equal ones would draw brightness from the numbers that the latents are made of.
        self._augmentation = None if augment is None else DiffAugment(augment, None if seed is None else seed ^ 1)
        self._average = None if ema is None else averaging_copy(generator)
        warn_of_misuse(discriminator, loss, bounded=bool(self.penalties) or weight_clip is not None)
        if weight_clip is not None:
            for variable in discriminator.trainable_variables:
                variable.constraint = WeightClip(weight_clip)

    @classmethod
    def dcgan(
        cls,
        image_shape: tuple[int, int, int] = (28, 28, 1),
        latent_dim: int = 100,
        *,
        dropout: float = 0.3,
        **options: Any,
    ) -> "GAN":
        """Build the deep convolutional GAN of TensorFlow's tutorial, compiled with its optimizers, Adam at 1e-4.

        Args:
            image_shape: `(side, side, channels)`; side a multiple of 4 up to 128, channels 1 or 3.
            latent_dim: Length of a latent vector, at least 1.
            dropout: Share dropped after each convolution of the discriminator, in [0, 1).
            options: Further options of `GAN`, such as `loss` and `seed`.

        Returns:
            A compiled GAN. `kerasgan.recipes` has more of them.

        Raises:
            ValueError: The image shape or `latent_dim` is out of range.
        """
        gan = cls(dcgan.generator(image_shape, latent_dim), dcgan.discriminator(image_shape, dropout), **options)
        gan.compile(optimizer={player: keras.optimizers.Adam(1e-4) for player in ("generator", "discriminator")})
        return gan

    @property
    def latent_dim(self) -> int:
        """Length of a latent vector."""
        return int(self.generator.inputs[0].shape[-1])

    @property
    def sampling_generator(self) -> keras.Model:
        """The generator that samples come from: the moving average, where one is kept."""
        return self.generator if self._average is None else self._average

    @property
    def generator_optimizer(self) -> keras.optimizers.Optimizer:
        """The optimizer of the generator."""
        return self.optimizer.by_player["generator"]

    @property
    def discriminator_optimizer(self) -> keras.optimizers.Optimizer:
        """The optimizer of the discriminator."""
        return self.optimizer.by_player["discriminator"]

    def fit(self, x: Any = None, *arguments: Any, **options: Any) -> Any:
        """Train as `keras.Model.fit` does, after a look at how images in an array are scaled.

        Raises:
            ValueError: They go far beyond [-1, 1], or, in the first step, have another shape than the generator makes.

        Warns:
            UserWarning: They lie in [0, 1].
        """
        check_scale(x)
        return super().fit(x, *arguments, **options)

    def training_step(self, batch: Any) -> None:
        """Update the discriminator as often as was asked for, and with the last update the generator."""
        images, labels = self.read(batch)

        def losses() -> dict[str, Any]:
            return self.losses_of(images, self.sample_latents(ops.shape(images)[0]), True, labels)

        for _ in range(self.critic_steps - 1):
            self.minimize(lambda: {"discriminator": losses()["discriminator"]})
        self.minimize(losses)
        if self._average is not None:
            update_average(self._average, self.generator, warmed_up(self.ema, self.optimizer.iterations))

    def validation_step(self, batch: Any) -> None:
        """Log both losses on images that were not trained on, with dropout off and no penalties."""
        images, labels = self.read(batch)
        # The same latents for every batch and epoch: losses compare, and validating draws nothing from the stream
        # that training draws from.
        latents = keras.random.normal((ops.shape(images)[0], self.latent_dim), seed=0)
        for player, loss in self.losses_of(images, latents, False, labels).items():
            self.log(f"{player}_loss", loss)

    def losses_of(self, images: Any, latents: Any, training: bool, labels: Any = None) -> dict[str, Any]:
        """Judge images and fakes, and return each player's scalar loss.

        Args:
            images: `(batch, height, width, channels)` in [-1, 1].
            latents: `(batch, latent_dim)`, of the fakes.
            training: Whether Dropout and BatchNormalization act as in training, images are augmented and penalties
                counted.
            labels: What `read` made of the batch's labels.
        """
        fake_labels = self.labels_of_fakes(labels, training)
        fakes = not_half(self.make(backends.beside_batch(latents), fake_labels, training))
        check_shape(images, fakes)
        real, fake = self.judge(images, labels, training), self.judge(fakes, fake_labels, training)
        losses = self.losses_of_judgements(real, fake, labels, fake_labels)
        if training and self.penalties:
            penalty = self.penalties(
                # Image and fake show one class, and so does what lies between: see `labels_of_fakes`.
                lambda points: self.logits_of(self.judge(points, labels, training)),
                images,
                fakes,
                self.seed_generator,
                self.optimizer.iterations,
            )
            self.log("gradient_penalty", penalty)
            losses["discriminator"] += penalty
        return losses

    # What a GAN that knows classes does otherwise; see `ConditionalGAN`.

    def read(self, batch: Any) -> tuple[Any, Any]:
        """Return the images of a batch, and its labels if they matter: None here.

        Raises:
            ValueError: The images are whole numbers, as bytes of 0..255 are; or there are weights of samples.
        """
        images = batch[0] if isinstance(batch, tuple) else batch
        if isinstance(batch, tuple) and len(batch) > 2:
            raise ValueError("the losses of a GAN know no sample_weight or class_weight; leave it out.")
        if not keras.backend.is_float_dtype(images.dtype):
            raise ValueError(
                f"the images are {keras.backend.standardize_dtype(images.dtype)}, and a GAN trains on floats in "
                "[-1, 1]; give kg.data, or images / 127.5 - 1."
            )
        return images, None

    def labels_of_fakes(self, labels: Any, training: bool) -> Any:
        """Return what the fakes of a step shall show: None here."""
        return None

    def make(self, latents: Any, labels: Any, training: bool) -> Any:
        """Turn latents `(batch, latent_dim)` into images."""
        return self.generator(latents, training=training)

    def judge(self, images: Any, labels: Any, training: bool) -> Any:
        """Return what the discriminator says of images, augmented in training: logits `(batch, 1)` here."""
        return self.discriminator(self.augmented(images, training), training=training)

    def logits_of(self, judgement: Any) -> Any:
        """Return the logits of real or fake in what `judge` returned."""
        return judgement

    def losses_of_judgements(self, real: Any, fake: Any, labels: Any, fake_labels: Any) -> dict[str, Any]:
        """Return each player's loss, given what `judge` said of images and of fakes."""
        logits = [not_half(self.logits_of(judgement)) for judgement in (real, fake)]
        return {
            "generator": self._loss_pair.generator(*logits),
            "discriminator": self._loss_pair.discriminator(*logits),
        }

    def augmented(self, images: Any, training: bool) -> Any:
        """Change images as `augment` says, in training."""
        return images if self._augmentation is None else self._augmentation(images, training=training)

    def sample_latents(self, count: Any) -> Any:
        """Draw `(count, latent_dim)` latents from a standard normal distribution for one training step."""
        return keras.random.normal((count, self.latent_dim), seed=self.seed_generator)

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Turn what the generator takes into images."""
        return self.generator(inputs, training=training)

    def generate(self, count: int = 64, seed: int | None = None, latents: Array | None = None) -> Array:
        """Make images.

        Args:
            count: How many; ignored where `latents` are given.
            seed: Same seed, same latents, on either backend; a random draw if None.
            latents: `(count, latent_dim)` to use instead of a draw from a standard normal distribution.

        Returns:
            Float32 array `(count, height, width, channels)` in [-1, 1].

        Raises:
            ValueError: `count` is not positive, or the latents are not of the generator's length.
        """
        return self._predicted(self._latents(count, seed, latents))

    def interpolate(self, rows: int = 8, steps: int = 8, seed: int | None = None) -> Array:
        """Walk from one sample to another along a great circle between their latents.

        Args:
            rows: Number of walks.
            steps: Images in each, both ends included; at least 2.
            seed: As in `generate`.

        Returns:
            Float32 array `(rows, steps, height, width, channels)` in [-1, 1].

        Raises:
            ValueError: `rows` is under 1 or `steps` under 2.
        """
        walks = great_circles(rows, steps, self.latent_dim, seed)
        images = self.generate(latents=walks.reshape(rows * steps, self.latent_dim))
        return images.reshape(rows, steps, *images.shape[1:])

    def networks_to_export(self) -> dict[str, keras.Model]:
        """Return the generator: it is what one takes along."""
        return {"generator": self.sampling_generator}

    def generator_summary(self, **options: Any) -> None:
        """Print the generator's layers; options as in `keras.Model.summary`."""
        self.generator.summary(**options)

    def discriminator_summary(self, **options: Any) -> None:
        """Print the discriminator's layers; options as in `keras.Model.summary`."""
        self.discriminator.summary(**options)

    def get_config(self) -> dict[str, Any]:
        """Return the configuration, networks included."""
        return {
            "generator": keras.saving.serialize_keras_object(self.generator),
            "discriminator": keras.saving.serialize_keras_object(self.discriminator),
            "loss": self.loss_name,
            "penalties": self.penalties.get_config(),
            "penalty_every": self.penalties.every,
            "critic_steps": self.critic_steps,
            "weight_clip": self.weight_clip,
            "augment": self.augment,
            "ema": self.ema,
            "seed": self.seed,
            "name": self.name,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> "GAN":
        """Rebuild from `get_config`."""
        networks = {
            player: keras.saving.deserialize_keras_object(config[player], custom_objects=custom_objects)
            for player in ("generator", "discriminator")
        }
        return cls(**{**config, **networks, "penalties": Penalties.weights_of(config.get("penalties", {}))})

    def _latents(self, count: int, seed: int | None, latents: Array | None) -> Array:
        if latents is None:
            if count < 1:
                raise ValueError(f"count is {count}; ask for at least one image.")
            latents = np.random.default_rng(seed).standard_normal((count, self.latent_dim))
        latents = np.asarray(latents, "float32")
        if latents.ndim != 2 or latents.shape[1] != self.latent_dim:
            raise ValueError(f"latents have shape {latents.shape}; this generator takes (count, {self.latent_dim}).")
        return latents

    def _predicted(self, inputs: Any) -> Array:
        count = len(keras.tree.flatten(inputs)[0])
        return np.asarray(self.sampling_generator.predict(inputs, batch_size=min(count, 256), verbose=0), "float32")
