"""The gradient penalties of a GAN: which ones, how much of each, and in which steps."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from kerasgan import backends
from kerasgan.losses import gradient_penalty
from kerasgan.losses.penalties import refuse_float16
from kerasgan.modules.checks import is_count, layers_of
from kerasgan.modules.gradient import grad

Schedule = keras.optimizers.schedules.LearningRateSchedule
Weight = Any  # a positive number, or a Schedule
Weights = Mapping[str, Weight]


class Penalties:
    """A weighted sum of gradient penalties on a discriminator, perhaps in every few steps only.

    Args:
        weights: `{name: weight}`, names of `kerasgan.losses.GRADIENT_PENALTIES`; or the name of one, or several names,
            with the weights that their papers give them. A weight may be a schedule of the global step, which is
            saved with a run, as a function would not be.
        every: Steps from one computation to the next, at least 1; what is computed counts so many times. This is the
            interval of StyleGAN2's lazy regularization (arXiv:1912.04958, appendix B), but the penalty shares the main
            update, and Adam's rate and momenta are not rescaled.
        discriminator: What they are for; looked at, not kept.

    Raises:
        ValueError: There is no such penalty, a weight is no positive number and no schedule, `every` is no whole
            number of at least 1, or over 1 without penalties, or the discriminator computes in float16.

    Warns:
        UserWarning: The discriminator holds BatchNormalization.
    """

    def __init__(self, weights: Weights | str | Sequence[str] | None, every: int, discriminator: keras.Model) -> None:
        if isinstance(weights, str):
            weights = [weights]
        if weights is not None and not isinstance(weights, Mapping):
            weights = {name: gradient_penalty(name).weight for name in weights}
        self.weights: dict[str, Weight] = dict(weights or {})
        self.every = every
        for name, weight in self.weights.items():
            gradient_penalty(name)
            if not isinstance(weight, Schedule) and not (isinstance(weight, int | float | np.number) and weight > 0):
                raise ValueError(
                    f"the weight of penalty {name!r} is {weight!r}; choose a positive number such as 10, or a "
                    "keras.optimizers.schedules.LearningRateSchedule."
                )
        if not is_count(every):
            raise ValueError(f"penalty_every is {every!r}; choose a whole number of steps, at least 1.")
        if every > 1 and not self.weights:
            raise ValueError(f"penalty_every is {every}, and there are no penalties; give some, or leave it out.")
        if self.weights:
            refuse_float16(discriminator)
            if any(isinstance(layer, keras.layers.BatchNormalization) for layer in layers_of(discriminator)):
                warnings.warn(
                    f"{discriminator.name} holds BatchNormalization, by which a score depends on the whole batch, and "
                    f"the slopes that {' and '.join(self.weights)} look at are no longer those of single images; use "
                    "LayerNormalization, or none.",
                    stacklevel=3,
                )

    def __bool__(self) -> bool:
        return bool(self.weights)

    def __call__(self, score: Callable[[Any], Any], images: Any, fakes: Any, seed: Any, step: Any) -> Any:
        """Return the weighted sum, a float32 scalar; arguments as in `kerasgan.losses.GradientPenalty`.

        Args:
            score: From images to logits.
            images: Of the data set, `(batch, height, width, channels)`.
            fakes: Generated ones, same shape.
            seed: `keras.random.SeedGenerator` of random points.
            step: The global step, a tensor.
        """

        def total() -> Any:
            parts = (
                (weight(step) if isinstance(weight, Schedule) else weight)
                * gradient_penalty(name)(grad, score, images, fakes, seed)
                for name, weight in self.weights.items()
            )
            return ops.cast(sum(parts), "float32")

        if self.every == 1:
            return total()
        return self.every * backends.when(ops.equal(step % self.every, 0), total)

    def get_config(self) -> dict[str, Any]:
        """Return the weights, schedules serialized."""
        return {
            name: keras.saving.serialize_keras_object(weight) if isinstance(weight, Schedule) else weight
            for name, weight in self.weights.items()
        }

    @staticmethod
    def weights_of(config: Mapping[str, Any]) -> dict[str, Weight]:
        """Rebuild the weights from `get_config`."""
        return {
            name: keras.saving.deserialize_keras_object(weight) if isinstance(weight, dict) else weight
            for name, weight in config.items()
        }
