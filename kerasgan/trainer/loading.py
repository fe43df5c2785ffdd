"""From a run directory back to the module that was trained there."""

from pathlib import Path
from typing import Any

import keras

from kerasgan.checkpoints import CheckpointError, restore
from kerasgan.trainer.run_directory import RunDirectory


def load_run(run_dir: str | Path, step: int | None = None) -> Any:
    """Rebuild the module of a run, with the weights, optimizers and seeds of one of its checkpoints.

    Args:
        run_dir: The directory of a finished run or of one that still goes on.
        step: The global step of the checkpoint; the newest good one if None.

    Returns:
        The compiled `kg.Module`.

    Raises:
        RunExistsError: The directory holds no run.
        CheckpointError: It has no checkpoint, or none that is whole.
        StateError: The checkpoint does not fit the module that `config.json` describes.

    Example:
        >>> images = kg.load_run("runs/mnist").generate(64, seed=0)
    """
    run = RunDirectory(run_dir)
    config = run.read_config()
    module = keras.saving.deserialize_keras_object(config["module"])
    if not module.compiled:
        module.compile_from_config(config["compile"])
    if step is not None:
        checkpoint = run.store.load(step)
    else:
        found = run.store.newest_good()
        if found is None:
            raise CheckpointError(f"{run.path} has no checkpoint yet; train it with kg.callbacks.Checkpoint().")
        checkpoint, _ = found
    restore(module, checkpoint.arrays)
    return module
