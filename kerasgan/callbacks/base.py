"""The base of callbacks that write into a run directory."""

from pathlib import Path
from typing import ClassVar

import keras


class RunCallback(keras.callbacks.Callback):
    """A callback with one place to write to: the one its user gave, else the one in the run directory.

    A subclass names its constructor's argument and its place in a run.

    Args:
        place: Where to write, as the user gave it, or None to be told by `bind`.
    """

    argument: ClassVar[str]
    place_in_run: ClassVar[str]

    def __init__(self, place: str | Path | None) -> None:
        super().__init__()
        self._given_place = None if place is None else Path(place)
        self._bound_place: Path | None = None

    def bind(self, run_dir: Path) -> None:
        """Write into `run_dir` unless the user gave another place. `Trainer` calls this before every fit."""
        self._bound_place = Path(run_dir) / self.place_in_run

    @property
    def place(self) -> Path:
        """Where this callback writes.

        Raises:
            ValueError: Nobody has said where.
        """
        place = self._given_place or self._bound_place
        if place is None:
            name = type(self).__name__
            raise ValueError(
                f"{name} has no place to write to: under plain model.fit pass {name}({self.argument}=...); "
                "kerasgan.Trainer gives every callback a place in its run directory."
            )
        return place

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Complain about a missing place now, not after the first epoch."""
        _ = self.place

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        """Release what is open."""
        self.close()

    def close(self) -> None:
        """Release what is open; may be called twice.

        Keras skips `on_train_end` when a fit raises, so `Trainer` calls this too.
        """
