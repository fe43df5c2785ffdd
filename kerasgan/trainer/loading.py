"""From a run directory back to the module that was trained there."""

import json
from pathlib import Path
from typing import Any

import keras

from kerasgan.callbacks.checkpoint import BEST
from kerasgan.checkpoints import CheckpointError, CheckpointStore, restore
from kerasgan.trainer.run_directory import RunDirectory, RunDirectoryError


def load_run(run_dir: str | Path, step: int | str | None = None, *, module: keras.Model | None = None) -> Any:
    """Rebuild the module of a run, with the weights, optimizers and seeds of one of its checkpoints.

    Args:
        run_dir: The directory of a finished run or of one that still goes on.
        step: The global step of the checkpoint; the newest good one if None; `"best"` for the one that
            `Checkpoint(monitor=...)` found best.
        module: A compiled module to fill, where its class cannot be rebuilt from `config.json` (one without
            `get_config`, or that is not registered with `keras.saving.register_keras_serializable`).

    Returns:
        The compiled module.

    Raises:
        RunDirectoryError: The directory holds no run, or one whose module cannot be rebuilt.
        CheckpointError: It has no checkpoint, none that is whole, or no best one.
        StateError: The checkpoint does not fit the module that `config.json` describes.

    Example:
        >>> images = kg.load_run("runs/mnist").generate(64, seed=0)
    """
    run = RunDirectory(run_dir)
    config = run.read_config()
    if module is None:
        module = _rebuilt(run, config["module"])
    if not module.built:
        _build(run, module, config["data"].get("image_shape"))
    store = run.store if run.store.steps() else CheckpointStore(config["checkpoints"] or run.store.directory)
    if step == "best":
        step = _best_step(store)
    if step is not None:
        checkpoint = store.load(int(step))
    else:
        found = store.newest_good()
        if found is None:
            raise CheckpointError(f"{run.path} has no checkpoint; train it with kg.callbacks.Checkpoint().")
        checkpoint, _ = found
    restore(module, checkpoint.arrays)
    return module


def _best_step(store: CheckpointStore) -> int:
    best = store.directory / BEST
    if not best.exists():
        raise CheckpointError(
            f"{best} is not there: no best checkpoint was kept; train with kg.callbacks.Checkpoint(monitor=...)."
        )
    return int(json.loads(best.read_bytes())["step"])


def _build(run: RunDirectory, module: keras.Model, image_shape: list[int] | None) -> None:
    """Make the weights of a network that the first batch had built when the run began."""
    if image_shape is None:
        raise RunDirectoryError(
            f"{run.config_file} does not say what images the module took, and its network was not built; start it with "
            "keras.Input, or pass a built module as load_run(..., module=...)."
        )
    module.build((None, *image_shape))


def _rebuilt(run: RunDirectory, config: dict[str, Any] | None) -> keras.Model:
    remedy = "build and compile the module and pass it as load_run(..., module=...)"
    if config is None:
        raise RunDirectoryError(
            f"{run.config_file} does not say how to rebuild the module, which has no get_config; {remedy}."
        )
    try:
        return keras.saving.deserialize_keras_object(config)
    except TypeError as error:  # what Keras raises for a class it cannot find
        name = config.get("class_name")
        raise RunDirectoryError(f"{run.config_file}: the class {name!r} is not known to Keras; {remedy}.") from error
