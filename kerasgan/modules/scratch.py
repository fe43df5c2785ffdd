"""The network from scratch as a module: its own hand-written update, and all that a `Trainer` offers around it."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from kerasgan.modules.classifier import Classifier, unpacked
from kerasgan.networks import scratch


@keras.saving.register_keras_serializable("kerasgan")
class ScratchClassifier(Classifier):
    """A classifier without a Keras layer or a Keras optimizer: gradient descent by hand is its training step.

    It compiles itself. What `kerasgan.networks.scratch.fit` does in an explicit loop happens here under Keras's `fit`
    or a `Trainer`, through the same `one_training_step`.

    Args:
        network: Built by `kerasgan.networks.scratch.classifier`, or layer by layer.
        class_names: One a class, no two alike; None for "0", "1", ...
        learning_rate: How far the weights move along the gradient.
        momentum: Share of the last step's movement that goes on, in [0, 1).
        augmentation: As for `Classifier`.
        options: As in `keras.Model`, such as `name`.

    Raises:
        ValueError: Two classes have one name, or there are not as many names as classes.

    Example:
        >>> network = kg.networks.scratch.classifier(data.image_shape, data.num_classes, init="glorot")
        >>> classifier = kg.ScratchClassifier(network, data.class_names, learning_rate=0.1, momentum=0.9)
        >>> kg.Trainer("runs/scratch", max_epochs=10).fit(classifier, data)
    """

    network: scratch.ScratchSequential

    def __init__(
        self,
        network: scratch.ScratchSequential,
        class_names: Sequence[str] | None = None,
        *,
        learning_rate: float = 1e-3,
        momentum: float = 0.0,
        augmentation: keras.Layer | None = None,
        **options: Any,
    ) -> None:
        super().__init__(network, class_names, augmentation=augmentation, **options)
        self.learning_rate, self.momentum = learning_rate, momentum
        # Keras tracks variables that are attributes; those inside a plain Python object it would not see.
        self._variables_by_hand = [*network.weights, *network.velocities]
        self.compile()

    @property
    def num_classes(self) -> int:
        """Number of classes."""
        return self.network.layers[-1].outputs

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """`(height, width, channels)` of the images the network takes."""
        return self.network.image_shape

    def compile(self, optimizer: Any = None, loss: Any = None, metrics: Any = None, **options: Any) -> None:
        """Get ready for `fit`; there is no optimizer, loss or metric to choose.

        Args:
            optimizer: None.
            loss: None.
            metrics: None.
            options: Options of `keras.Model.compile`, such as `steps_per_execution`.

        Raises:
            ValueError: One of the three was given.
        """
        given = [] if optimizer is None or getattr(optimizer, "by_player", None) == {} else ["optimizer"]
        given += [name for name, value in (("loss", loss), ("metrics", metrics)) if value is not None]
        if given:
            raise ValueError(
                f"ScratchClassifier writes its {given[0]} by hand; give learning_rate and momentum to its constructor, "
                "or use a kg.Classifier."
            )
        super(Classifier, self).compile({}, **options)

    def training_step(self, batch: Any) -> None:
        """Take one step of gradient descent on `(images, labels)`."""
        images, labels = self._unweighted(batch)
        loss = scratch.one_training_step(
            self.network, self.augment(images), labels, self.learning_rate, self.momentum, loss=self._loss_with_accuracy
        )
        self.log("loss", loss)

    def validation_step(self, batch: Any) -> None:
        """Log the loss and the accuracy of images that were not trained on."""
        images, labels = self._unweighted(batch)
        self.log("loss", self._loss_with_accuracy(labels, self.network(images)))

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Turn images `(batch, height, width, channels)` into probabilities."""
        return self.network(inputs)

    def networks_to_export(self) -> dict[str, keras.Model]:
        """Return the same network in stock Keras layers, as `model`."""
        return {"model": self.network.as_keras()}

    def get_config(self) -> dict[str, Any]:
        """Return the configuration, the layers' sizes, activations and starts included.

        Raises:
            TypeError: A layer's activation or start is a function, which a file cannot hold.
        """
        layers = [
            {name: getattr(layer, name) for name in ("inputs", "outputs", "activation", "init")}
            for layer in self.network.layers
        ]
        functions = [layer for layer in layers if callable(layer["activation"]) or callable(layer["init"])]
        if functions:
            raise TypeError(f"{functions[0]} holds a function; name the activation and the init to save them.")
        return {
            "layers": layers,
            "image_shape": self.network.image_shape,
            "learning_rate": self.learning_rate,
            "momentum": self.momentum,
            **self._config_of_any_network(),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> "ScratchClassifier":
        """Rebuild from `get_config`."""
        config = dict(config)
        layers = [scratch.ScratchDense(**layer) for layer in config.pop("layers")]
        network = scratch.ScratchSequential(layers, tuple(config.pop("image_shape")))
        augmentation = keras.saving.deserialize_keras_object(config.pop("augmentation"), custom_objects=custom_objects)
        return cls(network, augmentation=augmentation, **config)

    @staticmethod
    def _unweighted(batch: Any) -> tuple[Any, Any]:
        images, labels, weights = unpacked(batch)
        if weights is not None:
            raise ValueError("The network from scratch knows no sample or class weights; use a kg.Classifier.")
        return images, labels

    def _loss_with_accuracy(self, labels: Any, probabilities: Any) -> Any:
        classes = labels if len(labels.shape) == 1 else ops.argmax(labels, axis=-1)
        right = ops.equal(ops.argmax(probabilities, axis=-1), ops.cast(classes, "int32"))
        self.log("accuracy", ops.mean(ops.cast(right, "float32")))
        return scratch.cross_entropy(labels, probabilities)
