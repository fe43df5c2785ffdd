"""Training that has diverged ends at once, and says where."""

import math
from typing import Any

import keras

from kerasgan.callbacks.logs import global_step


class NonFiniteLoss(ArithmeticError):
    """A logged value, a weight or a slot of an optimizer is NaN or infinite.

    Attributes:
        values: The values that are, by name.
        step: The training step, counted from one, at which they were seen first.
        epoch: The epoch, counted from one.
    """

    def __init__(self, values: dict[str, float], step: int, epoch: int) -> None:
        self.values, self.step, self.epoch = values, step, epoch
        what = ", ".join(f"{name} is {value}" for name, value in values.items())
        super().__init__(
            f"{what} at step {step} (epoch {epoch}): lower the learning rate, clip the gradients "
            "(clipnorm=1.0 in the optimizer) or, if training in float16, take bfloat16 or float32; "
            "then start again, or go on from an earlier checkpoint."
        )

    def __reduce__(self) -> tuple[Any, ...]:
        # An exception is pickled by its message alone, which is not what this one is made of.
        return type(self), (self.values, self.step, self.epoch)


class StopOnNaN(keras.callbacks.Callback):
    """Stop the epoch once a log is NaN or infinite, in training or validation, and raise at its end.

    Place it before callbacks that save: what they would save is worthless then.

    Raises:
        NonFiniteLoss: From `fit`, at the end of the epoch that was cut short.

    Example:
        >>> gan.fit(images, epochs=10, callbacks=[kg.callbacks.StopOnNaN()])
    """

    # Keras may then call on_train_batch_end in worker threads, in any order, and need not wait for it.
    async_safe = True

    def __init__(self) -> None:
        super().__init__()
        self._steps_before = 0
        self._found: dict[int, dict[str, float]] = {}

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Note the step this epoch begins with; in mid-epoch it cannot be asked."""
        self._steps_before = global_step(self.model)
        self._found = {}

    def on_train_batch_begin(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Stop on the main thread: on JAX, already reading `self.model` fetches its variables."""
        if self._found:
            self.model.stop_training = True

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Look at the logs. They are means over the epoch so far, so one NaN is seen in all that follow."""
        if values := _non_finite(logs):
            self._found[batch + 1] = values

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Look at the validation's logs too, and raise where Keras lets an exception through."""
        if self._found:
            first = min(self._found)
            raise NonFiniteLoss(self._found[first], self._steps_before + first, epoch + 1)
        if values := _non_finite(logs):
            raise NonFiniteLoss(values, global_step(self.model), epoch + 1)


def _non_finite(logs: dict[str, float] | None) -> dict[str, float]:
    return {
        name: value for name, value in (logs or {}).items() if isinstance(value, float) and not math.isfinite(value)
    }
