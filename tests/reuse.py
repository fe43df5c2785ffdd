"""Models that are traced and compiled once for many tests: most of a small fit's time goes into that.

A test gets the model as it was when it was made. What it shows of a model must not depend on its being the first to
train it: whoever tests that makes one of its own.
"""

from collections.abc import Callable

import keras
import numpy as np


def as_made(model: keras.Model) -> Callable[[], keras.Model]:
    """Note what training changes in a compiled model; return a function that puts it back and returns the model."""
    if not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    health = getattr(model, "health", None)
    kept = [(variable, np.array(variable)) for variable in [*model.variables, *model.optimizer.variables]]

    def reset() -> keras.Model:
        for variable, value in kept:
            variable.assign(value)
        model.reset_metrics()
        if health is not None:
            health.clear()
        return model

    return reset
