"""From the newest good checkpoint of a run back into training."""

from collections.abc import Mapping
from typing import Any

import keras

from kerasgan.checkpoints import CheckpointStore, restore
from kerasgan.data import Batches
from kerasgan.trainer import presentation
from kerasgan.trainer.config import differences
from kerasgan.trainer.feed import Feed, Position
from kerasgan.trainer.run_directory import RunDirectory, RunDirectoryError

SHOWN = 6  # Differences in an error; another network differs in everything.


def resumed(
    run: RunDirectory, module: keras.Model, feed: Feed, config: dict[str, Any]
) -> tuple[Position, Mapping[str, Any]]:
    """Put the newest good state of a run back into `module`.

    Args:
        run: The run that was started before.
        module: Compiled as it was then.
        feed: The data it was trained on.
        config: What `describe_run` says of the present call.

    Returns:
        Where training goes on, and the arrays of the checkpoint.

    Raises:
        RunDirectoryError: The run has trained and kept no checkpoint.
        CheckpointError: There are checkpoints, and none is whole.
        ValueError: A setting is not what it was.
        StateError: The checkpoint does not fit the module.
    """
    store = CheckpointStore(config["checkpoints"] or run.store.directory)
    found = store.newest_good()
    if found is None:
        if run.metrics_file.exists():
            raise RunDirectoryError(
                f"{run.path} holds a run that has no checkpoint to go on from; choose another directory."
            )
        presentation.warn(f"{run.path} has no checkpoint yet; training starts at its beginning.")
        return Position(), {}
    if changed := differences(run.read_config(), config):
        shown, more = changed[:SHOWN], len(changed) - SHOWN
        listed = "; ".join([*shown, f"and {more} more"] if more > 0 else shown)
        raise ValueError(
            f"{run.path} cannot be resumed with other settings: {listed}. Use those it was started "
            "with, or start a new run."
        )
    checkpoint, passed_over = found
    for path, reason in passed_over:
        presentation.warn(f"{path} is passed over: {reason}")
    restore(module, checkpoint.arrays)
    position = Position(checkpoint.metadata["epoch"], checkpoint.metadata["batch"])
    if position.batch and not isinstance(feed.train, Batches):
        presentation.warn(f"only kg.data can go on in the middle of an epoch; epoch {position.epoch + 1} starts again.")
        position = Position(position.epoch)
    return position, checkpoint.arrays
