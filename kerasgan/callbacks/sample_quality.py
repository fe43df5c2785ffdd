"""How good the samples are, every few epochs, among the logs."""

import random
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from kerasgan.callbacks.sampling import refuse_without_generate, takes_labels
from kerasgan.metrics import QUICK_MEASURES, FeatureNetwork, Yardstick, feature_network, feature_network_of, yardstick
from kerasgan.metrics.features import LEAST_IMAGES, as_pixels, as_set

SECONDS = "quality_seconds"
# What `SampleQuality` logs. An epoch without these is no mistake: it measures every few only.
QUALITY_LOGS = (*QUICK_MEASURES, SECONDS)


class SampleQuality(keras.callbacks.Callback):
    """Measure samples every few epochs, and put the figures among the logs, where other callbacks see them.

    The logs are `frechet_distance`, `kernel_distance`, `precision` and `recall`, as `kerasgan.metrics` has them by
    these names, and `quality_seconds`, what it took. Few samples make the Fréchet distance larger than a report has it,
    but they are always the same latents against the same real images, so a run's figures compare with each other.

    A conditional GAN is asked for the classes of the real images, where their labels are known.

    Under plain `model.fit` name it before the callbacks that shall see its logs; `Trainer` sees to that. A run that
    chooses its checkpoint by these figures should have a validation split: the test images are for the final report.

    Args:
        real_images: What to hold samples against, `(count, height, width, channels)`: uint8, or floats in [-1, 1];
            under `Trainer` by default the validation split of the `DataModule`, or where there is none the test split,
            or else the training images.
        network: What to see images with: `"mnist"`, `"fashion_mnist"`, a Keras model from images in [-1, 1] to
            features, or a `kerasgan.metrics.FeatureNetwork`; by default the one that comes with kerasgan for the data.
        every_n_epochs: Epochs from one measurement to the next.
        samples: How many to draw, and how many real images to take at most, chosen by `seed`; at least 20.
        seed: Chooses the latents too.

    Raises:
        ValueError: `every_n_epochs` or `samples` is too small; or as training begins there are no real images, too few,
            or none that a known network fits.
        TypeError: The model has no `generate(count, seed=...)` when training begins.

    Warns:
        UserWarning: The samples of an epoch are not measured, since they are not finite or far beyond [-1, 1]; or they
            lie in [0, 1].

    Example:
        >>> quality = kg.callbacks.SampleQuality(images[:1000], network="mnist", every_n_epochs=1)
        >>> gan.fit(images, epochs=10, callbacks=[quality, kg.callbacks.CSVLogger("metrics.csv")])
    """

    def __init__(
        self,
        real_images: npt.NDArray[Any] | None = None,
        *,
        network: str | keras.Model | FeatureNetwork | None = None,
        every_n_epochs: int = 5,
        samples: int = 1000,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if every_n_epochs < 1:
            raise ValueError(f"every_n_epochs is {every_n_epochs}; choose a positive number such as 5.")
        if samples < LEAST_IMAGES:
            raise ValueError(f"samples is {samples}; draw at least {LEAST_IMAGES}, better 1,000.")
        self.real_images = real_images
        self.network = network
        self.every_n_epochs = every_n_epochs
        self.samples = samples
        self.seed = seed
        self._default_data: Any = None
        self._yardstick: Yardstick | None = None
        self._labels: npt.NDArray[Any] | None = None

    def describe(self, data: Any) -> None:
        """Say what to hold samples against where the user gave nothing. `Trainer` calls this before every fit."""
        self._default_data = data

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Look at the real images: what cannot be measured is better known now than after the first epochs."""
        refuse_without_generate(self.model, "SampleQuality can measure")
        reals, self._labels, name = self._reals()
        with _random_state_preserved():
            self._yardstick = yardstick(reals, self._network_for(name, reals.shape[1:]))

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Measure, if it is this epoch's turn."""
        if (epoch + 1) % self.every_n_epochs or logs is None:
            return
        assert self._yardstick is not None
        began = time.perf_counter()
        asked = {} if self._labels is None else {"labels": self._labels}
        try:
            images = as_set(self.model.generate(self.samples, seed=self.seed, **asked), "generate()")
            if len(images) != self.samples:
                raise ValueError(f"generate({self.samples}, ...) has returned {len(images)} images.")
            pixels = as_pixels(images)
        except ValueError as error:  # a generator that diverges may come back, and others may want to see it
            warnings.warn(f"the samples of epoch {epoch + 1} are not measured: {error}", stacklevel=2)
            return
        with _random_state_preserved():
            logs |= self._yardstick.measure(pixels)
        logs[SECONDS] = time.perf_counter() - began

    def _reals(self) -> tuple[npt.NDArray[Any], npt.NDArray[Any] | None, str | None]:
        """Return real images, as many as there shall be samples; what samples shall show; and the name of the data.

        The last two are None where they are not known, and labels also where the model cannot be asked for them.
        """
        images, labels, name = self.real_images, None, getattr(self._default_data, "name", None)
        if images is None:
            splits = getattr(self._default_data, "splits", None)
            if not isinstance(splits, dict):
                raise ValueError(
                    "SampleQuality has no real images to hold samples against; give some, as in "
                    "SampleQuality(images), or give a kg.data.DataModule to Trainer.fit."
                )
            split = next(splits[which] for which in ("validation", "test", "train") if which in splits)
            images = split.images
            if split.labels is not None and takes_labels(self.model):
                labels = np.random.default_rng(self.seed).choice(split.labels, self.samples)
        order = np.random.default_rng(self.seed).permutation(len(images))
        return np.asarray(images[order[: self.samples]]), labels, name

    def _network_for(self, name: str | None, image_shape: tuple[int, ...]) -> FeatureNetwork:
        if isinstance(self.network, FeatureNetwork):
            return self.network
        if self.network is not None:
            return feature_network(self.network)
        try:
            return feature_network_of(name, image_shape)
        except ValueError as error:
            raise ValueError(f"SampleQuality(network=...) is needed: {error}") from error


@contextmanager
def _random_state_preserved() -> Iterator[None]:
    """Restore Python's random state afterwards: Keras seeds new layers, and orders of batches, from it."""
    state = random.getstate()
    try:
        yield
    finally:
        random.setstate(state)
