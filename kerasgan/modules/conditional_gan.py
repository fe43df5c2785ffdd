"""GANs that are told which class to make."""

import math
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from kerasgan import backends
from kerasgan.modules.checks import layers_of
from kerasgan.modules.gan import GAN, Array
from kerasgan.modules.gradient import not_half
from kerasgan.modules.latents import great_circles
from kerasgan.networks.conditional import check_labels


class Judgement(NamedTuple):
    """What a discriminator says of images: `(batch, 1)`, and `(batch, num_classes)` or None."""

    logits: Any
    class_logits: Any


@keras.saving.register_keras_serializable("kerasgan")
class ConditionalGAN(GAN):
    """A GAN whose generator makes images of the class asked for.

    The discriminator either takes the label too and judges whether it fits (a conditional GAN, or one with a projection
    discriminator), or it takes images alone and says which class it sees (an auxiliary classifier GAN); which one it is
    can be seen by its inputs and outputs. Batches are `(images, labels)`, with labels as class numbers or one-hot.

    Fakes show each class as often as the others, to within one a batch. Where they are compared with the images of the
    batch one by one, by a relativistic loss or by penalties, they show the classes of those.

    Args:
        generator: Network from `[latents, labels]` to images, such as `kerasgan.networks.conditional.generator` makes.
        discriminator: Network from `[images, labels]` to logits, or from images to `[logits, class_logits]`.
        num_classes: Number of classes, at least 2.
        class_weight: Weight of the classification loss relative to the adversarial loss, where the discriminator tells
            the class.
        options: As in `GAN`.

    Raises:
        ValueError: As in `GAN`; or a network has other inputs or outputs, or knows fewer classes.

    Example:
        >>> gan = kg.recipes.cgan(image_shape=(28, 28, 1), num_classes=10)
        >>> gan.fit(images, labels, batch_size=64, epochs=10)
        >>> sevens = gan.generate(16, labels=[7] * 16)

    Reference:
        Mirza and Osindero (arXiv:1411.1784); Odena et al. (arXiv:1610.09585), eq. 2 and 3, but for the discriminator,
        which learns classes from real images only; Miyato and Koyama (arXiv:1802.05637).
    """

    def __init__(
        self,
        generator: keras.Model,
        discriminator: keras.Model,
        *,
        num_classes: int,
        class_weight: float = 1.0,
        **options: Any,
    ) -> None:
        super().__init__(generator, discriminator, **options)
        ends = len(discriminator.inputs), len(discriminator.outputs)
        if len(generator.inputs) != 2 or ends not in ((2, 1), (1, 2)):
            raise ValueError(
                f"The generator has {len(generator.inputs)} inputs, and the discriminator {ends[0]} with {ends[1]} "
                "outputs; give a generator of [latents, labels], and a discriminator from [images, labels] to logits "
                "or from images to [logits, class_logits], as kerasgan.networks.conditional makes them."
            )
        if num_classes < 2:
            raise ValueError(f"num_classes is {num_classes}; choose at least 2.")
        if ends == (1, 2) and discriminator.outputs[1].shape[-1] != num_classes:
            raise ValueError(
                f"num_classes is {num_classes}, and the discriminator tells {discriminator.outputs[1].shape[-1]} "
                "classes apart; give the same number to both."
            )
        fewest = min(map(_classes_of, (*layers_of(generator), *layers_of(discriminator))))
        if fewest < num_classes:
            raise ValueError(
                f"num_classes is {num_classes}, and a network takes labels of {fewest} classes; give the same number "
                "to both."
            )
        self.num_classes = num_classes
        self.class_weight = class_weight
        self.tells_class = ends == (1, 2)

    def fit(self, x: Any = None, y: Any = None, *arguments: Any, **options: Any) -> Any:
        """Train as `keras.Model.fit` does, after a look at the labels: an array, or those of `kg.data`.

        What a generator of your own yields cannot be looked at in advance; check it with
        `kerasgan.networks.conditional.check_labels`.

        Raises:
            ValueError: A label is no class.
        """
        labels = getattr(x, "labels", None) if y is None else y
        if isinstance(labels, list) or hasattr(labels, "__array__"):
            labels = np.asarray(labels)
            y = None if y is None else labels  # Of a list Keras would make a list of inputs.
            if labels.ndim == 1 or labels.shape[1:] == (1,):
                check_labels(labels, self.num_classes)
        return super().fit(x, y, *arguments, **options)

    def read(self, batch: Any) -> tuple[Any, Any]:
        """Return the images of a batch, and its labels as class numbers `(batch,)`.

        Raises:
            ValueError: The batch has no labels, or they are one-hot for another number of classes.
        """
        if not isinstance(batch, tuple) or len(batch) < 2:
            raise ValueError("The batches have no labels; a conditional GAN trains on (images, labels).")
        images, labels = super().read(batch)[0], batch[1]
        if len(labels.shape) == 2 and labels.shape[1] not in (1, self.num_classes):
            raise ValueError(
                f"Labels have shape {tuple(labels.shape)}; give class numbers, or one-hot ones of {self.num_classes}."
            )
        if len(labels.shape) == 2:
            labels = labels[:, 0] if labels.shape[1] == 1 else ops.argmax(labels, axis=-1)
        return images, ops.cast(labels, "int32")

    def labels_of_fakes(self, labels: Any, training: bool) -> Any:
        """Return the labels of the images where fakes are paired with them, else all classes by turns."""
        if self.penalties or self._loss_pair.relativistic:
            return labels
        seed = self.seed_generator if training else 0
        first = keras.random.randint((), 0, self.num_classes, seed=seed)  # or small batches would lack the last classes

        def by_turns(count: Any) -> Any:
            return ops.cast((ops.arange(count, dtype="int32") + first) % self.num_classes, "int32")

        return backends.global_draw(by_turns, ops.shape(labels)[0])

    def make(self, latents: Any, labels: Any, training: bool) -> Any:
        """Turn latents `(batch, latent_dim)` into images of the classes `(batch,)`."""
        return self.generator([latents, labels], training=training)

    def judge(self, images: Any, labels: Any, training: bool) -> Judgement:
        """Return what the discriminator says of images, augmented in training, and of their labels."""
        images = self.augmented(images, training)
        if self.tells_class:
            return Judgement(*self.discriminator(images, training=training))
        return Judgement(self.discriminator([images, labels], training=training), None)

    def logits_of(self, judgement: Judgement) -> Any:
        """Return the logits of real or fake."""
        return judgement.logits

    def losses_of_judgements(self, real: Judgement, fake: Judgement, labels: Any, fake_labels: Any) -> dict[str, Any]:
        """Add to the losses, where the discriminator tells classes, how far it is from those asked for."""
        losses = super().losses_of_judgements(real, fake, labels, fake_labels)
        if self.tells_class:
            losses["generator"] += self.class_weight * _class_loss(fake_labels, fake.class_logits)
            # Of images alone: were it also to read the labels of fakes, both players could agree on other classes.
            losses["discriminator"] += self.class_weight * _class_loss(labels, real.class_logits)
        return losses

    def generate(
        self, count: int = 64, seed: int | None = None, latents: Array | None = None, labels: Any = None
    ) -> Array:
        """Make images of given classes.

        Args:
            count: How many; ignored where `latents` are given.
            seed: Same seed, same latents, on either backend; a random draw if None.
            latents: `(count, latent_dim)` to use instead of a draw from a standard normal distribution.
            labels: What they shall show, `(count,)` class numbers, or one number for all; all classes by turns if None.

        Returns:
            Float32 array `(count, height, width, channels)` in [-1, 1].

        Raises:
            ValueError: As in `GAN.generate`; or the labels are not as many, or name no class.
        """
        latents = self._latents(count, seed, latents)
        if labels is None:
            labels = np.arange(len(latents)) % self.num_classes
        elif np.ndim(labels) == 0:
            labels = np.full(len(latents), labels)
        return self._predicted([latents, check_labels(labels, self.num_classes, len(latents))])

    def generate_by_class(self, columns: int = 8, seed: int | None = None) -> Array:
        """Make the same latents into images of every class.

        Args:
            columns: Latents; at least 1.
            seed: As in `generate`.

        Returns:
            Float32 array `(num_classes, columns, height, width, channels)` in [-1, 1].

        Raises:
            ValueError: `columns` is not positive.
        """
        latents = np.tile(self._latents(columns, seed, None), (self.num_classes, 1))
        images = self.generate(latents=latents, labels=np.repeat(np.arange(self.num_classes), columns))
        return images.reshape(self.num_classes, columns, *images.shape[1:])

    def interpolate(self, rows: int = 8, steps: int = 8, seed: int | None = None, labels: Any = None) -> Array:
        """Walk as `GAN.interpolate` does, each row within one class.

        Args:
            rows: As there.
            steps: As there.
            seed: As there.
            labels: What the rows shall show, `(rows,)`, or one number for all; all classes by turns if None.

        Returns:
            As there.

        Raises:
            ValueError: As there, or as in `generate`.
        """
        walks = great_circles(rows, steps, self.latent_dim, seed)
        if labels is not None and np.shape(labels) not in ((), (rows,)):
            raise ValueError(
                f"labels have shape {np.shape(labels)}; give one for all rows, or one for each of the {rows}."
            )
        of_rows = np.arange(rows) % self.num_classes if labels is None else np.broadcast_to(labels, (rows,))
        labels = np.repeat(of_rows, steps)
        images = self.generate(latents=walks.reshape(rows * steps, self.latent_dim), labels=labels)
        return images.reshape(rows, steps, *images.shape[1:])

    def get_config(self) -> dict[str, Any]:
        """Return the configuration, networks included."""
        return {**super().get_config(), "num_classes": self.num_classes, "class_weight": self.class_weight}


def _classes_of(layer: keras.Layer) -> float:
    """Return how many classes a layer that takes labels knows, and no end of others."""
    layer = getattr(layer, "layer", layer)  # in a wrapper, such as SpectralNormalization
    if isinstance(layer, keras.layers.CategoryEncoding):
        return int(layer.num_tokens)
    return int(layer.input_dim) if isinstance(layer, keras.layers.Embedding) else math.inf


def _class_loss(labels: Any, class_logits: Any) -> Any:
    """Return the mean cross-entropy of class numbers `(batch,)` under logits `(batch, num_classes)`."""
    return ops.mean(keras.losses.sparse_categorical_crossentropy(labels, not_half(class_logits), from_logits=True))
