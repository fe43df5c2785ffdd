"""Training that has diverged ends at once, and says where."""

import math
from collections.abc import Mapping
from typing import Any

import keras

from kerasgan.callbacks.logs import global_step


class NonFiniteLoss(ArithmeticError):
    """A logged value, a gradient, a weight or a slot of an optimizer is NaN or infinite.

    Attributes:
        values: The values that are, by name; None where it is not known which of the two.
        step: The training step, counted from one, at which they were seen first.
        epoch: The epoch, counted from one.
    """

    def __init__(self, values: Mapping[str, float | None], step: int, epoch: int) -> None:
        self.values, self.step, self.epoch = dict(values), step, epoch
        what = ", ".join(f"{name} is {'not finite' if value is None else value}" for name, value in values.items())
        super().__init__(
            f"{what} at step {step} (epoch {epoch}): lower the learning rate, clip the gradients "
            "(clipnorm=1.0 in the optimizer) or, if training in float16, take bfloat16 or float32; "
            "then start again, or go on from the last checkpoint (resume=True with allow_changes=True, --resume with "
            "--allow-changes)."
        )

    def __reduce__(self) -> tuple[Any, ...]:
        # An exception is pickled by its message alone, which is not what this one is made of.
        return type(self), (self.values, self.step, self.epoch)

    @classmethod
    def of(
        cls, model: keras.Model, epoch: int, logs: Mapping[str, float | None] | None = None
    ) -> "NonFiniteLoss | None":
        """Make the error out of what a `kg.Module` has noted on the device, if it has; any other model notes nothing.

        Args:
            model: At rest, as at the end of an epoch, or after `kerasgan.checkpoints.capture`.
            epoch: Counted from one.
            logs: Where to look up the sign of a loss that is infinite.
        """
        health: Any = getattr(model, "health", None)
        found = health.first() if hasattr(health, "first") else None
        if found is None:
            return None
        step, quantities = found
        values: dict[str, float | None] = {}
        for player, quantity in quantities.items():
            if quantity != "loss":
                values[f"{player} {quantity}"] = None
                continue
            name = "loss" if len(model.players) == 1 else f"{player}_loss"
            logged = (logs or {}).get(name)
            # The log of several steps in one execution is a mean, and becomes NaN soon after it was infinite.
            infinite = logged if logged is not None and math.isinf(logged) else None
            values[name] = math.nan if player in health.nan_losses() else infinite
        return cls(values, step, epoch)


class StopOnNaN(keras.callbacks.Callback):
    """Stop the epoch once a log is NaN or infinite, in training or validation, and raise at its end.

    In a `kg.Module` that covers every player's loss, gradient norm and weights in every step: what is not finite
    makes the logged loss NaN, and the error names the player, what it was, and the exact step, also where several
    steps are one execution. Nothing waits for the device.

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
        health: Any = getattr(self.model, "health", None)
        if hasattr(health, "clear"):
            # Not only as training begins: an earlier fit, without this callback, may have left something there.
            health.clear()

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
        # Names of several losses may appear in the logs one after another: those of the first batch say the cause.
        first = min(self._found, default=0)
        in_logs = self._found.get(first) or _non_finite(logs)
        step = self._steps_before + first if first else global_step(self.model)
        noted = NonFiniteLoss.of(self.model, epoch + 1, in_logs)
        # The logs alone know of a value that the step itself has logged, and of a validation.
        if noted is not None and (not in_logs or noted.step <= step):
            raise noted
        if in_logs:
            raise NonFiniteLoss(in_logs, step, epoch + 1)


def _non_finite(logs: dict[str, float] | None) -> dict[str, float]:
    return {
        name: value for name, value in (logs or {}).items() if isinstance(value, float) and not math.isfinite(value)
    }
