"""One step on several devices: what has to be true of a module and its batches, and which batches are divided."""

from dataclasses import replace
from typing import Any

import keras

from kerasgan import backends
from kerasgan.data import Batches
from kerasgan.trainer import presentation
from kerasgan.trainer.feed import Feed


def distribute(wanted: Any) -> None:
    """Set what a trainer was given; several processes without anything set train together all the same.

    Raises:
        ValueError: It is of the other backend's kind, or nothing that can be set.
    """
    if wanted is None and backends.process_count() > 1 and backends.distribution() is None:
        wanted = "auto"
    if wanted is not None:
        backends.distribute(wanted)


def name_of(wanted: Any) -> str | None:
    """Return a trainer's option as `config.json` has it."""
    return wanted if wanted is None or isinstance(wanted, str) else type(wanted).__name__


def check_built_within(module: keras.Model) -> None:
    """Refuse a module whose variables do not lie as the distribution in force has it.

    Raises:
        ValueError: It was built before the distribution was set.
    """
    optimizer = getattr(module, "optimizer", None)
    slots = optimizer.variables if optimizer is not None and optimizer.built else []
    outside = backends.built_outside([*module.variables, *slots])
    if outside is not None:
        raise ValueError(
            f"{type(module).__name__} was built before the distribution was set (its {outside.path} lies elsewhere); "
            "make the Trainer first and the module after it."
        )


def divided(feed: Feed) -> Feed:
    """Return what this process is fed: its part of every batch where batches are divided, else everything.

    Validation data with a batch that cannot be divided goes whole to every device: it takes as long as on one of them,
    and gives the same figures.

    Raises:
        ValueError: A training batch cannot be divided; or several processes cannot be given their parts of the data.
    """
    parts, (index, count) = backends.replicas(), backends.data_part()
    if backends.distribution() is None:
        return feed
    _check_sizes(feed, parts)
    if count > 1 and not isinstance(feed.train, Batches):
        raise ValueError(
            f"{type(feed.train).__name__} cannot be divided among {count} processes; give a kg.data.DataModule."
        )
    validation = feed.validation
    divides = _divides(validation, parts)
    if isinstance(validation, Batches) and not divides:
        presentation.warn(
            f"batches of {validation.batch_size} out of {len(validation.order)} images for validation cannot all be "
            f"divided by {parts}: every device validates on all of them."
        )
    feed = replace(feed, divides=True, validation_divides=divides)
    if count == 1:
        return feed
    if divides:
        feed = replace(feed, validation=validation.share(index, count, evenly=not backends.divides_unevenly()))
    return replace(feed, train=feed.train.share(index, count))


def divided_for_validation(feed: Feed) -> Feed:
    """As `divided`, for a split that is only judged: it is what `feed` has for training."""
    if backends.distribution() is None:
        return feed
    (index, count), divides = backends.data_part(), _divides(feed.train, backends.replicas())
    evenly = not backends.divides_unevenly()
    train = feed.train.share(index, count, evenly=evenly) if divides and count > 1 else feed.train
    return replace(feed, train=train, validation_divides=divides)


def _check_sizes(feed: Feed, parts: int) -> None:
    """Refuse training batches that cannot be divided."""
    size, images = feed.batch_size, _examples(feed.train)
    if size is not None and size % parts:
        raise ValueError(
            f"batch_size is {size}, which {parts} devices cannot share evenly; choose a multiple of {parts}, such as "
            f"{-(-size // parts) * parts}."
        )
    if size is not None and images is not None and feed.train_limit is None and images % size % parts:
        raise ValueError(
            f"the last batch of an epoch has {images % size} images, which {parts} devices cannot share evenly; leave "
            "it out (drop_remainder=True of kg.data), or choose another batch_size."
        )


def _examples(data: Any) -> int | None:
    """Return how many examples an epoch has, of `Batches` and of arrays; None where the data alone knows."""
    if isinstance(data, Batches):
        return len(data.order)
    arrays = keras.tree.flatten(data)
    return len(arrays[0]) if arrays and all(hasattr(array, "shape") for array in arrays) else None


def _divides(batches: Any, parts: int) -> bool:
    """Whether every batch can be divided; of data other than `Batches` nobody knows."""
    if not isinstance(batches, Batches):
        return False
    return backends.divides_unevenly() or not (batches.batch_size % parts or len(batches.order) % parts)


class DivideBatches(keras.callbacks.Callback):
    """Tell the engine which passes over data are divided; what is predicted in between is not.

    Args:
        feed: What `divided` has returned.
    """

    async_safe = True

    def __init__(self, feed: Feed) -> None:
        super().__init__()
        self._feed = feed

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Divide what the epoch begins with, of which Keras takes the layout for all of it."""
        backends.divide_batches(self._feed.divides)

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Divide no more: images may be generated before the epoch is over."""
        if batch:
            backends.divide_batches(False)

    def on_test_begin(self, logs: Any = None) -> None:
        """Divide what is validated on, if it can be."""
        backends.divide_batches(self._feed.validation_divides)

    def on_test_end(self, logs: Any = None) -> None:
        """Divide no more."""
        backends.divide_batches(False)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Divide no more, after an epoch of one batch too."""
        backends.divide_batches(False)
