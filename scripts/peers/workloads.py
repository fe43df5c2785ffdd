"""The work that every contestant does: which networks, on what, in batches of how many."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Workload:
    """One GAN, trained by Adam; both players are updated once a step, with the cross-entropy of logits.

    Attributes:
        name: `"dcgan"` for the networks of TensorFlow's tutorial, `"tiny"` for two dense ones.
        image_shape: `(height, width, channels)`.
        latent_dim: Length of a latent vector.
        dropout: Share of activations that the discriminator drops.
        learning_rate: Of both players' Adam, its other options being Keras's and PyTorch's own.
        batch_size: Images a step.
        steps: Steps in a round, which is an epoch for those who count in epochs.
    """

    name: str
    image_shape: tuple[int, int, int]
    latent_dim: int
    dropout: float
    learning_rate: float
    batch_size: int
    steps: int

    def pixels(self) -> npt.NDArray[np.uint8]:
        """Return the images of one round, 0 to 255: noise, since no step takes longer for what is in its images."""
        count = self.batch_size * self.steps
        return np.random.default_rng(0).integers(0, 256, (count, *self.image_shape), "uint8")

    def images(self) -> npt.NDArray[np.float32]:
        """Return the same images in [-1, 1]."""
        return self.pixels().astype("float32") / 127.5 - 1.0

    def changed(self, **options: Any) -> "Workload":
        """Return the same work with other options; those that are None stay."""
        return replace(self, **{name: value for name, value in options.items() if value is not None})


WORKLOADS = {
    # Four steps take seconds, and an epoch of a data set minutes: the rounds must be short enough to interleave.
    "dcgan": Workload("dcgan", (28, 28, 1), latent_dim=100, dropout=0.3, learning_rate=1e-4, batch_size=256, steps=4),
    # So little is computed that what counts is the time between the steps, and at the end of an epoch.
    "tiny": Workload("tiny", (8, 8, 1), latent_dim=4, dropout=0.3, learning_rate=1e-3, batch_size=8, steps=2000),
}
