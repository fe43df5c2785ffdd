"""The work that every contestant does: which networks, on what, in batches of how many."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

CLASSES = tuple("0123456789")


@dataclass(frozen=True)
class Workload:
    """Networks to train, or none: then the images are only brought to where they would be trained on.

    Attributes:
        name: `"dcgan"` for the networks of TensorFlow's tutorial, `"tiny"` for two dense ones, `"cnn"` for the
            workshop's classifier, `"input"` for no network.
        kind: `"gan"`, where both players are updated once a step with the cross-entropy of logits; `"classifier"`, or
            `"input"`.
        image_shape: `(height, width, channels)`.
        latent_dim: Length of a latent vector, of a GAN.
        dropout: Share of activations that the discriminator or the classifier drops.
        learning_rate: Of every Adam, whose other options are Keras's and PyTorch's own.
        batch_size: Images a step.
        steps: Steps in a round, which is an epoch for those who count in epochs.
    """

    name: str
    kind: str
    image_shape: tuple[int, int, int]
    latent_dim: int
    dropout: float
    learning_rate: float
    batch_size: int
    steps: int

    @property
    def count(self) -> int:
        """Images in a round."""
        return self.batch_size * self.steps

    def pixels(self) -> npt.NDArray[np.uint8]:
        """Return the images of one round, 0 to 255: noise, since no step takes longer for what is in its images."""
        return np.random.default_rng(0).integers(0, 256, (self.count, *self.image_shape), "uint8")

    def images(self) -> npt.NDArray[np.float32]:
        """Return the same images in [-1, 1]."""
        return self.pixels().astype("float32") / 127.5 - 1.0

    def labels(self) -> npt.NDArray[np.int32]:
        """Return a class for each of them, from 0; every class occurs."""
        return np.arange(self.count, dtype="int32") % len(CLASSES)

    def changed(self, **options: Any) -> "Workload":
        """Return the same work with other options; those that are None stay."""
        return replace(self, **{name: value for name, value in options.items() if value is not None})


_SQUARE = (28, 28, 1)
_ALL = [
    # Four steps take seconds, and an epoch of a data set minutes: the rounds must be short enough to interleave.
    Workload("dcgan", "gan", _SQUARE, latent_dim=100, dropout=0.3, learning_rate=1e-4, batch_size=256, steps=4),
    # So little is computed that what counts is the time between the steps, and at the end of an epoch.
    Workload("tiny", "gan", (8, 8, 1), latent_dim=4, dropout=0.3, learning_rate=1e-3, batch_size=8, steps=2000),
    Workload("cnn", "classifier", _SQUARE, latent_dim=0, dropout=0.2, learning_rate=2e-3, batch_size=128, steps=50),
    Workload("input", "input", _SQUARE, latent_dim=0, dropout=0.0, learning_rate=0.0, batch_size=256, steps=100),
]
WORKLOADS = {workload.name: workload for workload in _ALL}
# What is trained to see whether memory grows: little of it, since many epochs count.
OVER_EPOCHS = [WORKLOADS["tiny"].changed(steps=200), WORKLOADS["dcgan"].changed(batch_size=64, steps=2)]
