"""A copy of a network whose weights are an exponential moving average, for more stable samples."""

from typing import Any

import keras
from keras import ops


def averaging_copy(network: keras.Model) -> keras.Model:
    """Return a second network with the same values, to be updated by `update_average`.

    Args:
        network: Built; Sequential, functional, or of a class with `get_config`.

    Returns:
        A copy that no optimizer trains: its variables are not trainable. Its layers are as trainable as those of the
        original, so that what is exported can be trained further.
    """
    copy = keras.models.clone_model(network)
    for kept, variable in zip(copy.variables, network.variables, strict=True):
        kept.assign(ops.copy(variable))  # A copy: JAX cannot donate one buffer for two variables.
        kept.trainable = False
    return copy


def warmed_up(decay: Any, step: Any) -> Any:
    """Return a decay that starts at a tenth, so that the first, random weights are soon forgotten.

    Args:
        decay: Of the long run, in [0, 1).
        step: Number of updates so far, such as `module.optimizer.iterations`; a number or a tensor.

    Returns:
        Float32 scalar, `min(decay, (1 + step) / (10 + step))`.
    """
    step = ops.cast(step, "float32")
    return ops.minimum(ops.cast(decay, "float32"), (1.0 + step) / (10.0 + step))


def update_average(average: keras.Model, network: keras.Model, decay: Any) -> None:
    """Move the weights of `average` towards those of `network`, and copy all else; in a training step or outside.

    Averaged is what an optimizer trains. Copied are the statistics of BatchNormalization, which are averages
    already, the vectors of SpectralNormalization, of which a mean is no singular vector, seeds, and what is frozen.

    Args:
        average: What `averaging_copy` returned.
        network: What it is a copy of.
        decay: Share that stays of each averaged weight, in [0, 1); a number or a float32 scalar, as of `warmed_up`.

    Raises:
        ValueError: The networks do not match, or a trained variable is of half precision.
    """
    kept, variables = average.variables, network.variables
    if [tuple(variable.shape) for variable in kept] != [tuple(variable.shape) for variable in variables]:
        raise ValueError(
            f"The variables of {average.name!r} are not those of {network.name!r}; make it with averaging_copy."
        )
    decay = ops.cast(decay, "float32")
    for mean, variable in zip(kept, variables, strict=True):
        if not variable.trainable:
            mean.assign(ops.copy(variable))  # A copy: JAX cannot donate one buffer for two variables.
            continue
        if mean.dtype in ("float16", "bfloat16"):
            raise ValueError(
                f"{mean.path} is {mean.dtype}, in which small changes of an average are lost; give the network the "
                f"dtype policy mixed_{mean.dtype}, which keeps variables in float32."
            )
        mean.assign(mean + ops.cast(1.0 - decay, mean.dtype) * (variable - mean))
