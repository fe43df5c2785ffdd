"""Weight clipping, the first way to bound the slope of a Wasserstein critic."""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("kerasgan")
class WeightClip(keras.constraints.Constraint):
    """Hold every element of a variable in [-limit, limit]; the optimizer clips after each of its updates.

    Args:
        limit: Largest magnitude allowed, positive; 0.01 in the paper.

    Raises:
        ValueError: The limit is not positive.

    Example:
        >>> keras.layers.Dense(1, kernel_constraint=WeightClip(0.01))
        >>> for variable in critic.trainable_variables:  # of a network that is there already
        ...     variable.constraint = WeightClip(0.01)

    Reference:
        Arjovsky et al., Wasserstein GAN (arXiv:1701.07875), algorithm 1.
    """

    def __init__(self, limit: float = 0.01) -> None:
        if not limit > 0:
            raise ValueError(f"limit is {limit}; choose a positive number such as 0.01.")
        self.limit = limit

    def __call__(self, w: Any) -> Any:
        """Return the clipped values, in the dtype of the variable."""
        return ops.clip(w, -self.limit, self.limit)

    def get_config(self) -> dict[str, Any]:
        """Return the configuration."""
        return {"limit": self.limit}
