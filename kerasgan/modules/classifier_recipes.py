"""The classifiers of the workshops: network, optimizer and hyperparameters by name, with where they come from."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import keras

from kerasgan.modules.classifier import Classifier
from kerasgan.modules.scratch import ScratchClassifier
from kerasgan.networks import convnet, dense, low_level, scratch


@dataclass(frozen=True)
class ClassifierRecipe:
    """What to train a classifier with. `dataclasses.replace` makes another recipe of it.

    Attributes:
        network: Builds the network; takes `image_shape`, `num_classes` and, unless `dropout` is None, `dropout`.
        optimizer: Builds the optimizer; takes the learning rate, and `weight_decay` where that is asked for. None for a
            network that updates its weights by hand.
        learning_rate: Of the optimizer.
        batch_size: Images a step.
        epochs: Passes over the data.
        source: Who chose these.
        dropout: Share dropped, where the network drops.
        momentum: Share of the last step's movement that goes on, of the network from scratch.
        init: How the kernels start, of the network from scratch.
        from_logits: Whether the network ends in logits.
    """

    network: Callable[..., Any]
    optimizer: Callable[..., keras.optimizers.Optimizer] | None
    learning_rate: float
    batch_size: int
    epochs: int
    source: str
    dropout: float | None = None
    momentum: float | None = None
    init: str | None = None
    from_logits: bool = False

    def build(
        self,
        image_shape: tuple[int, int, int],
        class_names: Sequence[str],
        *,
        weight_decay: float | None = None,
        augmentation: keras.Layer | None = None,
    ) -> Classifier:
        """Build a compiled classifier for one-hot labels.

        Args:
            image_shape: `(height, width, channels)`.
            class_names: One a class.
            weight_decay: Share of each weight taken off at every step, times the learning rate; None for none.
            augmentation: As for `Classifier`.

        Raises:
            ValueError: The network does not know one of the options, or does not fit the images.
        """
        if self.optimizer is None:
            if self.dropout or weight_decay:
                raise ValueError("The network from scratch knows neither dropout nor weight decay; leave them out.")
            network = self.network(image_shape, len(class_names), init=self.init)
            by_hand = {"learning_rate": self.learning_rate, "momentum": self.momentum or 0.0}
            return ScratchClassifier(network, class_names, augmentation=augmentation, **by_hand)
        for name in ("momentum", "init"):
            if getattr(self, name) is not None:
                raise ValueError(f"{name} is an option of the network from scratch; leave it out.")
        dropout = {} if self.dropout is None else {"dropout": self.dropout}
        network = self.network(image_shape, len(class_names), **dropout)
        classifier = Classifier(network, class_names, augmentation=augmentation)
        decay = {} if weight_decay is None else {"weight_decay": weight_decay}
        classifier.compile(
            self.optimizer(self.learning_rate, **decay),
            keras.losses.CategoricalCrossentropy(from_logits=self.from_logits),
            metrics=["accuracy"],
        )
        return classifier


CLASSIFIER_RECIPES = {
    "dense": ClassifierRecipe(
        network=dense.classifier,
        optimizer=keras.optimizers.RMSprop,
        learning_rate=1e-3,
        batch_size=128,
        epochs=5,
        dropout=0.0,
        source="Chollet, Deep Learning with Python, 2nd edition, section 2.1: the workshop measured 0.9771 on MNIST",
    ),
    "cnn": ClassifierRecipe(
        network=convnet.classifier,
        optimizer=keras.optimizers.Adam,
        learning_rate=0.002,
        batch_size=128,
        epochs=10,
        dropout=0.2,
        source="workshop on Keras CNNs with TensorBoard",
    ),
    "low_level": ClassifierRecipe(
        network=low_level.classifier,
        optimizer=keras.optimizers.Adam,
        learning_rate=1e-3,
        batch_size=128,
        epochs=10,
        dropout=0.0,
        from_logits=True,
        source="workshop on low-level TensorFlow, on Fashion-MNIST",
    ),
    "scratch": ClassifierRecipe(
        network=scratch.classifier,
        optimizer=None,
        learning_rate=1e-3,
        batch_size=128,
        epochs=10,
        momentum=0.0,
        init="uniform",
        source="Chollet, Deep Learning with Python, 2nd edition, section 2.5.1",
    ),
}


def classifier_recipe(name: str, **changes: Any) -> ClassifierRecipe:
    """Return the recipe called `name`.

    Args:
        name: One of `CLASSIFIER_RECIPES`.
        changes: Attributes to replace; None leaves one as it is.

    Raises:
        ValueError: There is no such recipe.

    Example:
        >>> classifier = kg.classifier_recipe("cnn", dropout=0.4).build(data.image_shape, data.class_names)
    """
    if name not in CLASSIFIER_RECIPES:
        raise ValueError(f"model {name!r} is unknown; choose one of {', '.join(CLASSIFIER_RECIPES)}.")
    return replace(CLASSIFIER_RECIPES[name], **{key: value for key, value in changes.items() if value is not None})
