"""What all trials of a search have in common."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import keras

from kerasgan.data import DataModule
from kerasgan.trainer import Trainer
from kerasgan.trainer.options import PRECISIONS
from kerasgan.tuning.space import SPACES


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """The conditions under which every trial is made, so that only its settings tell it from the others.

    Attributes:
        network: What to search, one of `SPACES`.
        epochs: Epochs a trial.
        seed: Of search, weights and data.
        val_size: Training images to choose by, or a fraction of them below 1.
        precision: `"float32"`, `"mixed_bfloat16"` or `"mixed_float16"`.
        limit_train_batches: Batches of an epoch, or a fraction of them; None for all.
        augment: Names for `kg.layers.augmentation`.
        fast_dev_run: Whether each training is one batch, of which nothing is kept.

    Raises:
        ValueError: One of them is out of range.
    """

    network: str = "convnet"
    epochs: int = 4
    seed: int = 0
    val_size: int | float = 0.1
    precision: str = "float32"
    limit_train_batches: int | float | None = None
    augment: Sequence[str] = ()
    fast_dev_run: bool = False

    def __post_init__(self) -> None:
        for name, choices in {"network": SPACES, "precision": PRECISIONS}.items():
            if getattr(self, name) not in choices:
                raise ValueError(f"{name} is {getattr(self, name)!r}; choose one of {', '.join(choices)}.")
        for name in ("epochs", "val_size", "limit_train_batches"):
            number = getattr(self, name)
            if number is not None and not number > 0:
                raise ValueError(f"{name} is {number}; choose a positive number.")
        if self.seed < 0:
            raise ValueError(f"seed is {self.seed}; choose a whole number of at least 0.")

    def on(self, data: DataModule) -> dict[str, Any]:
        """Return what makes trials comparable, for a study to remember and to be resumed with.

        How many trials there are is left out, which may change from one call to the next, and so is the backend.
        """
        # A study keeps JSON, which has lists and no tuples.
        shared = {**asdict(self), "augment": list(self.augment), "data": f"{data.name} {data.fingerprint()[:12]}"}
        del shared["fast_dev_run"]
        return shared

    def trainer(self, run_dir: Path, epochs: int, callbacks: Sequence[keras.callbacks.Callback]) -> Trainer:
        """Return a trainer; all begin with the same seed."""
        return Trainer(
            run_dir,
            max_epochs=epochs,
            callbacks=callbacks,
            precision=self.precision,
            seed=self.seed,
            fast_dev_run=self.fast_dev_run,
            limit_train_batches=self.limit_train_batches,
        )

    def steps(self, data: DataModule, epochs: int) -> int:
        """Return how many steps so many epochs have, as `Trainer` limits them."""
        batches, limit = len(data.train), 1 if self.fast_dev_run else self.limit_train_batches
        if limit is not None:
            batches = min(batches, limit) if isinstance(limit, int) else max(1, int(limit * batches))
        return epochs * batches
