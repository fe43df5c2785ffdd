"""Whether every loss, gradient and weight is still finite: asked in every step, on the device, without a wait."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

import keras
from keras import ops

from kerasgan.modules.players import has_loss_scale

QUANTITIES = ("loss", "gradient norm", "weight")


class Health(keras.metrics.Metric):
    """The first training step at which a loss, a gradient norm or a weight of a player was not finite.

    A vector of whole numbers on the device, three places a player: 0 for never, and the step below zero where it was
    NaN rather than infinite. Once a place is taken the vector stays as it is: what is not finite spreads to everything
    within a step or two, and only the first tells the cause.
    It is a metric because Keras's JAX trainer hands those, and no other variable of ours, through a compiled step. But
    neither does it show up in the logs, nor does Keras's reset at the beginning of an epoch or of a
    validation clear it, nor is it part of a saved model or a checkpoint.

    Args:
        players: Names of the players.
    """

    def __init__(self, players: Sequence[str], name: str = "health") -> None:
        super().__init__(name=name)
        self.players = tuple(players)
        # "int": TensorFlow keeps int32 variables off the GPU, where a step compiled by XLA could not reach them. The
        # replicas of a distributed TensorFlow have the same weights, so what spoils them shows on the first one.
        self.first_steps = self.add_variable(
            (len(self.players), len(QUANTITIES)),
            "zeros",
            dtype="int",
            aggregation="only_first_replica",
            name="first_steps",
        )

    def look(self, module: keras.Model, losses: dict[str, Any], gradients: dict[str, list[Any]]) -> dict[str, Any]:
        """Look at an update that has just been made, within a training step.

        Args:
            module: Its weights are those after the update.
            losses: `{player: float32 scalar}`, of the players that were updated.
            gradients: Of those losses, by player.

        Returns:
            The losses, with NaN for one that is finite where the gradient or a weight is not, so that whoever follows
            the logs sees it too.
        """
        figures: dict[str, list[Any]] = {player: [0.0] * len(QUANTITIES) for player in self.players}
        for player, loss in losses.items():
            # A loss scale is raised until gradients overflow, which is how it finds its level.
            skips = has_loss_scale(module.optimizer.by_player[player])
            floats = [variable.value for variable in getattr(module, player).weights if "float" in variable.dtype]
            figures[player] = [loss, _sum([] if skips else gradients[player]), _sum(floats)]
        table = ops.stack([ops.stack(row) for row in figures.values()])
        finite = ops.isfinite(table)  # (players, quantities)
        step = ops.cast(module.optimizer.iterations + 1, self.first_steps.dtype)
        seen = ops.where(finite, 0, ops.where(ops.isnan(table), -step, step))
        self.first_steps.assign(ops.where(ops.any(self.first_steps.value != 0), self.first_steps.value, seen))
        # A loss that is infinite stays so: it says more than NaN.
        shown = ops.where(ops.all(finite[:, 1:], axis=1), table[:, 0], math.nan)
        shown = ops.where(finite[:, 0], shown, table[:, 0])
        return {player: shown[self.players.index(player)] for player in losses}

    def first(self) -> tuple[int, dict[str, str]] | None:
        """Return the step at which something was not finite, and `{player: quantity}`; None if all was.

        On JAX to be asked on the main thread between epochs only, like any variable.
        """
        steps = abs(ops.convert_to_numpy(self.first_steps))
        if not steps.any():
            return None
        # A loss that is NaN makes gradients NaN, on JAX also those of players that share its forward pass, and those
        # the weights: the first of the three is the cause.
        quantity = int(steps.any(axis=0).argmax())
        spoilt = zip(self.players, steps[:, quantity] > 0, strict=True)
        return int(steps.max()), {player: QUANTITIES[quantity] for player, is_spoilt in spoilt if is_spoilt}

    def nan_losses(self) -> set[str]:
        """Return the players whose loss was NaN at that step, and not infinite. To be asked when `first` may be."""
        was_nan = ops.convert_to_numpy(self.first_steps)[:, QUANTITIES.index("loss")] < 0
        return {player for player, is_nan in zip(self.players, was_nan, strict=True) if is_nan}

    def clear(self) -> None:
        """Forget what was seen: what comes now starts from a state that is finite."""
        self.first_steps.assign(ops.zeros_like(self.first_steps.value))

    def reset_state(self) -> None:
        """Keep everything: Keras calls this at the beginning of every epoch and of every validation."""

    def result(self) -> dict[str, Any]:
        """Return nothing to log."""
        return {}

    def save_own_variables(self, store: Any) -> None:
        """Save nothing."""

    def load_own_variables(self, store: Any) -> None:
        """Load nothing, also from a file of a time when there was no such metric."""


def _sum(arrays: Iterable[Any]) -> Any:
    """Add up all elements: NaN or infinite if one of them is, and the cheapest to compute of all that are."""
    # TensorFlow's gradient of an embedding holds the rows that were looked up, as `values`.
    dense = (ops.cast(getattr(array, "values", array), "float32") for array in arrays)
    return sum((ops.sum(array) for array in dense), ops.zeros(()))
