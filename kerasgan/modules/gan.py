"""The generative adversarial network: a generator and a discriminator, updated together."""

from typing import Any

import keras
import numpy as np
from keras import ops

from kerasgan.losses import adversarial_loss
from kerasgan.modules.module import Module
from kerasgan.modules.recipes import dcgan_recipe
from kerasgan.networks import dcgan

Array = np.ndarray[Any, np.dtype[Any]]


@keras.saving.register_keras_serializable("kerasgan")
class GAN(Module):
    """Two players, `generator` and `discriminator`, that learn in one simultaneous update a step.

    One forward pass serves both: the images, the fakes and their scores are computed once, and each player
    takes the gradient of its own loss.

    Args:
        generator: Network from latents `(batch, latent_dim)` to images in [-1, 1].
        discriminator: Network from images to logits `(batch, 1)`; higher means more real.
        loss: Name of a pair in `kerasgan.losses.ADVERSARIAL_LOSSES`.
        seed: Seed of the latents drawn in training; a random one if None.
        options: As in `keras.Model`, such as `name`.

    Raises:
        ValueError: The loss is unknown, or the generator's images do not fit the discriminator.

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
        seed: int | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        if generator.output_shape[1:] != discriminator.input_shape[1:]:
            raise ValueError(
                f"The generator makes images of shape {generator.output_shape[1:]}, but the discriminator takes "
                f"{discriminator.input_shape[1:]}; build both for one image shape."
            )
        self.generator = generator
        self.discriminator = discriminator
        self.loss_name = loss
        self._losses_of_players = adversarial_loss(loss)
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    @classmethod
    def dcgan(
        cls,
        image_shape: tuple[int, int, int] = (28, 28, 1),
        latent_dim: int = 100,
        *,
        recipe: str = "workshop",
        dropout: float | None = None,
        **options: Any,
    ) -> "GAN":
        """Build the deep convolutional GAN of TensorFlow's tutorial, compiled with the optimizers of a recipe.

        Args:
            image_shape: `(side, side, channels)`; side a multiple of 4 up to 128, channels 1 or 3.
            latent_dim: Length of a latent vector, at least 1.
            recipe: Name of a set in `DCGAN_RECIPES`: `"workshop"`, Adam at 1e-4 and dropout 0.3, or
                `"small_steps"`, which reaches readable digits in minutes on a CPU.
            dropout: Share dropped after each convolution of the discriminator, in [0, 1); the recipe's if None.
            options: Further options of `GAN`, such as `loss` and `seed`.

        Returns:
            A compiled GAN.

        Raises:
            ValueError: The image shape or `latent_dim` is out of range, or the recipe is unknown.
        """
        chosen = dcgan_recipe(recipe)
        dropout = chosen.dropout if dropout is None else dropout
        gan = cls(dcgan.generator(image_shape, latent_dim), dcgan.discriminator(image_shape, dropout), **options)
        gan.compile(
            optimizer={
                player: keras.optimizers.Adam(chosen.learning_rate, beta_1=chosen.beta_1)
                for player in ("generator", "discriminator")
            }
        )
        return gan

    @property
    def latent_dim(self) -> int:
        """Length of a latent vector."""
        return int(self.generator.input_shape[-1])

    @property
    def generator_optimizer(self) -> keras.optimizers.Optimizer:
        """The optimizer of the generator."""
        return self.optimizer.by_player["generator"]

    @property
    def discriminator_optimizer(self) -> keras.optimizers.Optimizer:
        """The optimizer of the discriminator."""
        return self.optimizer.by_player["discriminator"]

    def training_step(self, batch: Any) -> None:
        """Update both players once from one forward pass."""
        images = self._images(batch)
        latents = self.sample_latents(ops.shape(images)[0])
        self.minimize(lambda: self.losses_of(images, latents, training=True))

    def validation_step(self, batch: Any) -> None:
        """Log both losses on images that were not trained on, with dropout off."""
        images = self._images(batch)
        # The same latents for every batch and epoch: losses compare, and validating draws nothing from the stream
        # that training draws from.
        latents = keras.random.normal((ops.shape(images)[0], self.latent_dim), seed=0)
        for player, loss in self.losses_of(images, latents, training=False).items():
            self.log(f"{player}_loss", loss)

    def losses_of(self, images: Any, latents: Any, training: bool) -> dict[str, Any]:
        """Score images and fakes, and return each player's scalar loss.

        Args:
            images: `(batch, height, width, channels)` in [-1, 1].
            latents: `(batch, latent_dim)`, of the fakes.
            training: Whether Dropout and BatchNormalization act as in training.
        """
        fakes = self.generator(latents, training=training)
        real_logits = self.discriminator(images, training=training)
        fake_logits = self.discriminator(fakes, training=training)
        return {
            "generator": self._losses_of_players.generator(real_logits, fake_logits),
            "discriminator": self._losses_of_players.discriminator(real_logits, fake_logits),
        }

    def sample_latents(self, count: Any) -> Any:
        """Draw `(count, latent_dim)` latents from a standard normal distribution for one training step."""
        return keras.random.normal((count, self.latent_dim), seed=self.seed_generator)

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Turn latents `(batch, latent_dim)` into images."""
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
        if latents is None:
            if count < 1:
                raise ValueError(f"count is {count}; ask for at least one image.")
            latents = np.random.default_rng(seed).standard_normal((count, self.latent_dim))
        latents = np.asarray(latents, "float32")
        if latents.ndim != 2 or latents.shape[1] != self.latent_dim:
            raise ValueError(f"latents have shape {latents.shape}; this generator takes (count, {self.latent_dim}).")
        images = self.generator.predict(latents, batch_size=min(len(latents), 256), verbose=0)
        return np.asarray(images, "float32")

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

        Reference:
            White, Sampling Generative Networks (arXiv:1609.04468), section 2.1.
        """
        if rows < 1 or steps < 2:
            raise ValueError(f"rows is {rows} and steps {steps}; an interpolation needs 1 row and 2 steps at least.")
        start, end = np.random.default_rng(seed).standard_normal((2, rows, 1, self.latent_dim))
        lengths = np.linalg.norm(start, axis=-1, keepdims=True) * np.linalg.norm(end, axis=-1, keepdims=True)
        # Kept off 0 and pi, where no great circle is singled out: a latent of length one lies there.
        angle = np.clip(np.arccos(np.clip(np.sum(start * end, axis=-1, keepdims=True) / lengths, -1, 1)), 1e-3, 3.14)
        share = np.linspace(0.0, 1.0, steps)[None, :, None]
        latents = (np.sin((1 - share) * angle) * start + np.sin(share * angle) * end) / np.sin(angle)
        images = self.generate(latents=latents.reshape(rows * steps, self.latent_dim))
        return images.reshape(rows, steps, *images.shape[1:])

    def networks_to_export(self) -> dict[str, keras.Model]:
        """Return the generator: it is what one takes along."""
        return {"generator": self.generator}

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
        return cls(**{**config, **networks})

    @staticmethod
    def _images(batch: Any) -> Any:
        return batch[0] if isinstance(batch, tuple) else batch
