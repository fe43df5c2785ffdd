"""The classifier: one network from images to classes, trained with Keras's own losses and metrics."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops

from kerasgan.modules.module import Module

Array = np.ndarray[Any, np.dtype[Any]]
NO_LABELS = "A Classifier learns from (images, labels), and this data has no labels."


@dataclass(frozen=True)
class Prediction:
    """What a classifier makes of one image.

    Attributes:
        label: The class number, from 0.
        name: The name of that class.
        probabilities: `{class name: probability}` of all classes, in their order.
    """

    label: int
    name: str
    probabilities: dict[str, float]

    @property
    def probability(self) -> float:
        """Probability of the predicted class, in [0, 1]."""
        return self.probabilities[self.name]


@keras.saving.register_keras_serializable("kerasgan")
class Classifier(Module):
    """A network that tells which class an image belongs to, with stock `compile`, `fit`, `evaluate` and `predict`.

    Args:
        network: From images to probabilities or logits `(batch, classes)`; with a single output, to the probability or
            logit of the second of two classes. Any Keras network; if it is not built, the first batch builds it.
        class_names: One a class, no two alike; None for "0", "1", ...
        augmentation: A layer that changes training images at random, such as `keras.layers.RandomTranslation` or a
            `keras.layers.Pipeline` of several; images that are judged or predicted never pass through it.
        from_logits: Whether the network ends in logits; None to go by the loss that `compile` is given. To be said
            where that loss is a function of one's own on logits.
        options: As in `keras.Model`, such as `name`.

    Raises:
        ValueError: Two classes have one name, or there are not as many names as classes.

    Example:
        >>> data = kg.data.load("mnist", val_size=5000)
        >>> network = kg.networks.convnet.classifier(data.image_shape, data.num_classes)
        >>> classifier = kg.Classifier(network, data.class_names)
        >>> classifier.compile("adam", "sparse_categorical_crossentropy", ["accuracy"])
        >>> kg.Trainer("runs/mnist-cnn", max_epochs=10).fit(classifier, data)
        >>> classifier.classify(images)[0].name
        '7'
    """

    def __init__(
        self,
        network: keras.Model,
        class_names: Sequence[str] | None = None,
        *,
        augmentation: keras.Layer | None = None,
        from_logits: bool | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.network = network
        # The underscore keeps it from being a player.
        self._augmentation = augmentation
        self._given_names = None if class_names is None else tuple(class_names)
        self._given_from_logits = from_logits
        self._from_logits = bool(from_logits)
        if self._given_names is not None:
            repeated = sorted({name for name in self._given_names if self._given_names.count(name) > 1})
            if repeated:
                raise ValueError(f"class_names has {repeated[0]!r} more than once; give every class a name of its own.")
            if getattr(network, "built", False):
                self._check_number_of_names()

    @property
    def num_classes(self) -> int:
        """Number of classes: the network's outputs, or two where it has one."""
        return max(2, int(self.network.output_shape[-1]))

    @property
    def class_names(self) -> tuple[str, ...]:
        """Name of every class."""
        return self._given_names or tuple(str(label) for label in range(self.num_classes))

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """`(height, width, channels)` of the images the network takes."""
        return tuple(self.network.input_shape[1:])

    @property
    def from_logits(self) -> bool:
        """Whether the network ends in logits rather than in probabilities."""
        return self._from_logits

    def compile(self, optimizer: Any = "rmsprop", loss: Any = None, metrics: Any = None, **options: Any) -> None:
        """Compile as any Keras model.

        Args:
            optimizer: As in Keras.
            loss: As in Keras, such as `"sparse_categorical_crossentropy"` for class numbers or
                `"categorical_crossentropy"` for one-hot labels.
            metrics: As in Keras, such as `["accuracy"]`.
            options: Further options of `keras.Model.compile`.

        Raises:
            ValueError: There is no loss, or it takes logits where the classifier was told that there are none, or the
                other way round.
        """
        if loss is None:
            raise ValueError(
                'A Classifier needs a loss: compile(optimizer, "sparse_categorical_crossentropy", ["accuracy"]) for '
                'class numbers, "categorical_crossentropy" for one-hot labels.'
            )
        # A name stands for a loss of probabilities; of a function nobody can tell.
        takes_logits = False if isinstance(loss, str) else getattr(loss, "from_logits", None)
        given = self._given_from_logits
        if None not in (given, takes_logits) and given != takes_logits:
            raise ValueError(
                f"The loss has from_logits={takes_logits}, but the Classifier was made with "
                f"from_logits={self._given_from_logits}; say the same in both."
            )
        self._from_logits = bool(takes_logits if given is None else given)
        super().compile(optimizer, loss, metrics, **options)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Build the network, if it is not, for images of that shape; the batch may have any size."""
        if not self.network.built:
            self.network.build((None, *input_shape[1:]))
            self._check_number_of_names()

    def training_step(self, batch: Any) -> None:
        """Update the network once on `(images, labels)` or `(images, labels, sample_weight)`."""
        images, labels, weights = unpacked(batch)
        if not self.network.built:
            # Keras on TensorFlow leaves this to the step, and `minimize` asks for the variables before the first pass.
            self.build(images.shape)
        images = self.augment(images)
        self.minimize(lambda: {"network": self._loss_of(images, labels, weights, training=True)})

    def validation_step(self, batch: Any) -> None:
        """Log the loss and the metrics of images that were not trained on."""
        self.log("loss", self._loss_of(*unpacked(batch), training=False) + self.layer_losses("network"))

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> dict[str, Any]:
        """As in Keras."""
        if y is None:  # Keras on JAX asks for the metrics' shapes before the first step
            raise ValueError(NO_LABELS)
        return super().compute_metrics(x, y, y_pred, sample_weight)

    def augment(self, images: Any) -> Any:
        """Change images `(batch, height, width, channels)` at random, as training does, if there is an augmentation."""
        return images if self._augmentation is None else self._augmentation(images, training=True)

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Turn images `(batch, height, width, channels)` into what the network ends in."""
        return self.network(inputs, training=training)

    def probabilities(self, images: Any, batch_size: int = 128) -> Array:
        """Return the probability of every class for every image.

        Args:
            images: `(count, height, width, channels)` in [-1, 1], or anything that `predict` takes, such as a split of
                a `kg.data.DataModule`: in the order of its images then, a training split less what its last, smaller
                batch would hold.
            batch_size: Images at a time, for arrays.

        Returns:
            Float32 array `(count, classes)`; rows sum to one.

        Raises:
            ValueError: An array is of whole numbers, or not of the shape of the images the network takes.
        """
        if isinstance(images, np.ndarray) and self.built:
            self._check_images(images)
        if getattr(images, "shuffle", False) and hasattr(images, "unshuffled"):
            images = images.unshuffled()
        outputs = ops.convert_to_tensor(self.predict(images, batch_size=batch_size, verbose=0))
        outputs = ops.cast(outputs, "float32")
        if outputs.shape[-1] == 1:
            second = ops.sigmoid(outputs) if self.from_logits else outputs
            outputs = ops.concatenate([1 - second, second], axis=-1)
        elif self.from_logits:
            outputs = ops.softmax(outputs)
        return np.asarray(ops.convert_to_numpy(outputs))

    def classify(self, images: Any, batch_size: int = 128) -> list[Prediction]:
        """Name the class of every image.

        Args:
            images: As for `probabilities`.
            batch_size: Images at a time, for arrays.
        """
        names = self.class_names
        return [
            Prediction(int(row.argmax()), names[int(row.argmax())], dict(zip(names, map(float, row), strict=True)))
            for row in self.probabilities(images, batch_size)
        ]

    def networks_to_export(self) -> dict[str, keras.Model]:
        """Return the network, as `model`."""
        return {"model": self.network}

    def get_config(self) -> dict[str, Any]:
        """Return the configuration, network included."""
        return {
            "network": keras.saving.serialize_keras_object(self.network),
            "from_logits": self._given_from_logits,
            **self._config_of_any_network(),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> "Classifier":
        """Rebuild from `get_config`."""
        parts = {
            name: keras.saving.deserialize_keras_object(config[name], custom_objects=custom_objects)
            for name in ("network", "augmentation")
        }
        return cls(**{**config, **parts})

    def _check_number_of_names(self) -> None:
        names = self._given_names
        if names is not None and len(names) != self.num_classes:
            raise ValueError(
                f"class_names has {len(names)} names, but the network tells {self.num_classes} classes apart; give one "
                "name a class."
            )

    def _check_images(self, images: Array) -> None:
        wanted = self.image_shape
        if images.ndim != len(wanted) + 1 or any(
            side not in (None, given) for side, given in zip(wanted, images.shape[1:], strict=True)
        ):
            raise ValueError(f"images have shape {images.shape}; this network takes (count, {str(wanted)[1:-1]}).")
        if images.dtype.kind in "iub":
            raise ValueError(f"images are {images.dtype}; bring them to [-1, 1], as in images / 127.5 - 1.")

    def _config_of_any_network(self) -> dict[str, Any]:
        augmentation = self._augmentation
        return {
            "class_names": self._given_names,
            "augmentation": None if augmentation is None else keras.saving.serialize_keras_object(augmentation),
            "name": self.name,
        }

    def _loss_of(self, images: Any, labels: Any, weights: Any, training: bool) -> Any:
        outputs = self.network(images, training=training)
        self.compute_metrics(images, labels, outputs, weights)
        return self.compute_loss(images, labels, outputs, weights, training=training)


def unpacked(batch: Any) -> tuple[Any, Any, Any]:
    """Return images, labels, and sample weights or None.

    Raises:
        ValueError: The batch has no labels.
    """
    if not isinstance(batch, tuple) or len(batch) not in (2, 3):
        raise ValueError(NO_LABELS)
    return (*batch, None) if len(batch) == 2 else batch
