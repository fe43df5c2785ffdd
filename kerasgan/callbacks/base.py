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
        self._run_dir: Path | None = None
        self._redirected = False

    def bind(self, run_dir: Path, *, redirect: bool = False) -> None:
        """Write into `run_dir` unless the user gave another place. `Trainer` calls this before every fit.

        Args:
            run_dir: Directory of the run.
            redirect: Whether to overrule the user's place for this run, which is only a rehearsal.
        """
        self._run_dir, self._redirected = Path(run_dir), redirect

    def place_for(self, given: Path | None, name: str) -> Path | None:
        """Return the place the user gave, or `name` in the run directory, or None if there is neither."""
        in_run = None if self._run_dir is None else self._run_dir / name
        return in_run if self._redirected else given or in_run

    @property
    def place(self) -> Path:
        """Where this callback writes.

        Raises:
            ValueError: Nobody has said where.
        """
        place = self.place_for(self._given_place, self.place_in_run)
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
