"""What is handed to Keras's `fit`: batches for training and validation, limited as the trainer was told."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import keras

from kerasgan.data import Batches, DataModule
from kerasgan.modules import Module


@dataclass(frozen=True)
class Position:
    """A place in the data: `batch` batches of epoch `epoch` are done, both counted from zero."""

    epoch: int = 0
    batch: int = 0


@dataclass(frozen=True)
class Feed:
    """Training and validation data with their limits.

    Attributes:
        train: `Batches`, or what the user gave.
        validation: Likewise; None for no validation.
        batch_size: Of arrays and `Batches`; None where the data alone knows.
        train_limit: For data other than `Batches`: batches of an epoch, None for all.
        validation_limit: Likewise for validation.
        divides: Whether each device trains on a part of every batch.
        validation_divides: Likewise for validation.
    """

    train: Any
    validation: Any
    batch_size: int | None
    train_limit: int | None = None
    validation_limit: int | None = None
    divides: bool = False
    validation_divides: bool = False

    @classmethod
    def of(cls, data: Any, validation_data: Any, batch_size: int | None, module: keras.Model) -> "Feed":
        """Take what `Trainer.fit` was given.

        Raises:
            ValueError: A `DataModule`, which has a batch size, was given another one.
        """
        if isinstance(data, DataModule):
            if batch_size is not None:
                raise ValueError(
                    f"batch_size={batch_size} was given with a DataModule, whose own is {data.batch_size}."
                )
            validation = data.validation if validation_data is None else validation_data
            # A split that a module does not know how to judge is no error: the user asked for nothing.
            if validation_data is None and isinstance(module, Module) and not module.validates:
                validation = None
            return cls(data.train, validation, data.batch_size)
        if isinstance(validation_data, DataModule):
            validation_data = validation_data.validation or validation_data.train
        return cls(data, validation_data, getattr(data, "batch_size", batch_size))

    def limited(
        self,
        train: int | float | None = None,
        validation: int | float | None = None,
        overfit: int | None = None,
    ) -> "Feed":
        """Keep only the first batches of each epoch: a number of them, or a fraction below one."""
        if overfit is not None:
            if not isinstance(self.train, Batches):
                raise ValueError("overfit_batches needs a kg.data.DataModule, which can repeat its first batches.")
            same = self.train.unshuffled().limited(overfit)
            return replace(self, train=same, validation=None if self.validation is None else same)
        limited = self
        for name, limit in (("train", train), ("validation", validation)):
            split = getattr(limited, name)
            if limit is None or split is None:
                continue
            if isinstance(split, Batches):
                limited = replace(limited, **{name: split.limited(_count(limit, len(split)))})
            elif isinstance(limit, int):
                limited = replace(limited, **{f"{name}_limit": limit})  # type: ignore[arg-type]
            else:
                raise ValueError(
                    f"A limit of {limit} of the batches needs a kg.data.DataModule; give a number of them."
                )
        return limited

    @property
    def batches_per_epoch(self) -> int | None:
        """Batches of a training epoch, where that can be known before training."""
        if self.train_limit is not None:
            return self.train_limit
        if isinstance(self.train, keras.utils.PyDataset):
            return self.train.num_batches
        arrays = keras.tree.flatten(self.train)
        if arrays and all(hasattr(array, "shape") for array in arrays):
            return math.ceil(len(arrays[0]) / (self.batch_size or 32))
        return None

    @property
    def images_per_epoch(self) -> int | None:
        """Examples trained on in an epoch, where that can be known."""
        batches = self.batches_per_epoch
        return None if batches is None or self.batch_size is None else batches * self.batch_size

    def epochs(self, max_epochs: int | None, max_steps: int | None, position: Position, step: int) -> int:
        """Return how many epochs a run has, counted from its beginning; one without any limit.

        Args:
            max_epochs: Its limit, if it has one.
            max_steps: Likewise.
            position: Where training goes on.
            step: Training steps done by then.
        """
        if max_epochs is not None or max_steps is None:
            return 1 if max_epochs is None else max_epochs
        # StopAtStep ends training; without max_epochs this number only has to be large enough.
        left = max(0, max_steps - step) + position.batch
        return position.epoch - (-left // (self.batches_per_epoch or 1))

    @contextmanager
    def data_errors(self) -> Iterator[None]:
        """Raise an error about a file as itself: TensorFlow hands it on as a part of the text of another error."""
        try:
            yield
        except Exception as error:
            for split in (self.train, self.validation):
                for failure in getattr(split, "failures", ()):
                    if failure is not error and str(failure) in str(error):
                        raise failure from None
            raise

    def fit_arguments(self, start: Position = Position()) -> dict[str, Any]:
        """Return the arguments of Keras's `fit` that describe the data.

        Args:
            start: Where to begin within an epoch, for `Batches` only.
        """
        train = self.train
        arguments: dict[str, Any] = {"validation_data": self.validation, "steps_per_epoch": self.train_limit}
        arguments |= {"validation_steps": self.validation_limit}
        if isinstance(train, keras.utils.PyDataset):
            # Keras would shuffle the order of whole batches from a generator that no checkpoint knows.
            arguments["shuffle"] = False
            if start.batch:
                train = train.skipping(start.batch)
                train.epoch = start.epoch
            return arguments | {"x": train}
        x, y = train if isinstance(train, tuple) and len(train) == 2 else (train, None)
        return arguments | {"x": x, "y": y, "batch_size": self.batch_size}


def _count(limit: int | float, batches: int) -> int:
    return limit if isinstance(limit, int) else max(1, int(limit * batches))
