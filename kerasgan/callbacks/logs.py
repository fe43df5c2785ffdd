"""What several callbacks ask about a model and its logs."""

from collections.abc import Iterable, Sequence
from typing import Any

from keras import ops


def global_step(model: Any) -> int:
    """Number of training steps `model` has taken; on JAX to be asked on the main thread only."""
    return int(ops.convert_to_numpy(model.optimizer.iterations))


def is_loss(name: str) -> bool:
    """Whether a log of this name is a loss, by Keras's and kerasgan's naming."""
    return name == "loss" or name.endswith("_loss")


def reading_order(names: Iterable[str], players: Sequence[str] = ()) -> list[str]:
    """Order the names of logs as one reads them: losses, other metrics, then validation the same way.

    Args:
        names: Names of logs; Keras hands them over sorted, so the order they were logged in is lost.
        players: Players in their own order, which their losses then follow.

    Returns:
        Every name once.

    Example:
        >>> reading_order(["accuracy", "critic_loss", "generator_loss", "val_loss"], ["generator", "critic"])
        ['generator_loss', 'critic_loss', 'accuracy', 'val_loss']
    """
    rank = {f"{player}_loss": place for place, player in enumerate(players)}

    def place(name: str) -> tuple[bool, bool, int, str]:
        bare = name.removeprefix("val_")
        return bare != name, not is_loss(bare), rank.get(bare, len(rank)), bare

    return sorted(set(names), key=place)
