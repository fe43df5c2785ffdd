"""A generator out of a file, without what trained it."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from kerasgan.loading.networks import load_network
from kerasgan.loading.trust import TrustError


class SavedGenerator:
    """Draws images with the network of a `generator.keras`.

    Args:
        network: From latents `(batch, latent_dim)`, or from these and labels `(batch,)`, to images
            `(batch, height, width, channels)` in [-1, 1].

    Attributes:
        latent_dim: Length of a latent vector.
        image_shape: `(height, width, channels)`.
        takes_labels: Whether it has to be told what to show. How many classes it knows, no file says.

    Raises:
        ValueError: The network maps something else.
    """

    def __init__(self, network: keras.Model) -> None:
        inputs = [tuple(tensor.shape) for tensor in network.inputs or ()]
        outputs = [tuple(tensor.shape) for tensor in network.outputs or ()]
        known = [shape[1:] for shape in (*inputs, *outputs)]
        lengths = [len(shape) for shape in known]
        if lengths not in ([1, 3], [1, 0, 3]) or None in (*known[0], *known[-1]):
            raise ValueError(
                f"maps {inputs} to {outputs}; name a network from latents, or latents and labels, to images."
            )
        self._network = network
        self.latent_dim = int(known[0][0])
        self.image_shape: tuple[int, int, int] = known[-1]
        self.takes_labels = len(inputs) == 2

    def generate(
        self, count: int, seed: int | None = None, labels: npt.NDArray[np.integer] | None = None
    ) -> npt.NDArray[np.float32]:
        """Make images as `GAN.generate` does: the same seed, the same latents.

        Args:
            count: How many.
            seed: A random draw if None.
            labels: `(count,)` class numbers, for a network that takes them.

        Returns:
            `(count, height, width, channels)`.

        Raises:
            ValueError: Labels are missing, or nobody asked for them.
        """
        if (labels is not None) != self.takes_labels:
            raise ValueError(f"the generator {'needs' if self.takes_labels else 'takes no'} labels.")
        latents = np.random.default_rng(seed).standard_normal((count, self.latent_dim)).astype("float32")
        inputs: Any = latents if labels is None else [latents, labels.astype("int32")]
        images: npt.NDArray[np.float32] = np.asarray(self._network.predict(inputs, batch_size=256, verbose=0))
        return images


def load_generator(path: str | Path, *, trust: bool = False) -> SavedGenerator:
    """Load what a run exports as `generator.keras`; see `load_network` for what `trust` means.

    Raises:
        TrustError: As in `load_network`; or the network is no generator.

    Example:
        >>> images = kg.load_generator("runs/mnist/generator.keras", trust=True).generate(64, seed=0)
    """
    try:
        return SavedGenerator(load_network(path, trust=trust))
    except TrustError:
        raise
    except ValueError as error:
        raise TrustError(f"{path}: {error}") from error
