"""Epoch means of whatever a step logs."""

from typing import Any

import keras
import numpy as np
from keras import ops


class LogMeans(keras.metrics.Metric):
    """Weighted means by name, for names that are known only once a step has been traced.

    Keras wants every metric variable before the first step, but `log("gradient_penalty", ...)` names a value
    inside it. Two vectors made in advance, one place in them for each name, are the way out; and two
    variables travel through a compiled step faster than two for each name.
    """

    CAPACITY = 64

    def __init__(self, name: str) -> None:
        super().__init__(name=name, dtype="float32")
        self.totals = self.add_variable((self.CAPACITY,), "zeros", name="totals")
        self.weights_seen = self.add_variable((self.CAPACITY,), "zeros", name="weights_seen")
        self.phase = "training"
        self._places: dict[str, int] = {}
        self._phases: dict[str, list[str]] = {"training": [], "validation": []}

    def update_state(self, name: str, value: Any, weight: Any) -> None:
        """Add `value`, a scalar, to the mean of `name` in the present phase.

        Raises:
            ValueError: More than 64 names were logged.
        """
        if name not in self._places:
            if len(self._places) == self.CAPACITY:
                raise ValueError(f"log({name!r}, ...) is one name too many; a module may log {self.CAPACITY}.")
            self._places[name] = len(self._places)
        if name not in self._phases[self.phase]:
            self._phases[self.phase].append(name)
        place = np.arange(self.CAPACITY) == self._places[name]
        weight = ops.cast(weight, "float32")
        # where, not a product: 0 * nan would spread one bad value to all the names.
        self.totals.assign_add(ops.where(place, weight * ops.cast(value, "float32"), 0.0))
        self.weights_seen.assign_add(ops.where(place, weight, 0.0))

    def result(self) -> dict[str, Any]:
        """Return `{name: mean since the last reset}` of the names of the present phase."""
        means = ops.divide_no_nan(self.totals.value, self.weights_seen.value)
        return {name: means[self._places[name]] for name in self._phases[self.phase]}
