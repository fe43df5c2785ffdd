"""From a run directory back to the module that was trained there."""

import math
from pathlib import Path
from typing import Any

import keras

from kerasgan.callbacks.checkpoint import BEST
from kerasgan.checkpoints import Checkpoint, CheckpointError, CheckpointStore, restore
from kerasgan.loading.sizes import MAX_OUTPUTS, check_size, first_line
from kerasgan.loading.trust import TrustError, check_config, read_json, resolved, shown
from kerasgan.trainer.run_directory import RunDirectory, RunDirectoryError

REMEDY = "build and compile the module and pass it as load_run(..., module=...)"


def load_run(run_dir: str | Path, step: int | str | None = None, *, module: keras.Model | None = None) -> Any:
    """Rebuild the module of a run, with the weights, optimizers and seeds of one of its checkpoints.

    The run may be of others: its `config.json` may name stock layers and classes that this process has registered, and
    nothing else; nothing that it brings along is run; and its network may be no larger than the checkpoint.

    Args:
        run_dir: The directory of a finished run or of one that still goes on.
        step: The global step of the checkpoint; the newest good one if None; `"best"` for the one that
            `Checkpoint(monitor=...)` found best.
        module: A compiled module to fill, where its class cannot be rebuilt from `config.json` (one without
            `get_config`, or that is not registered with `keras.saving.register_keras_serializable`).

    Returns:
        The compiled module.

    Raises:
        RunDirectoryError: The directory holds no run, or one whose module cannot be rebuilt, or not without danger.
        CheckpointError: It has no checkpoint, none that is whole, or no best one.
        StateError: The checkpoint does not fit the module that `config.json` describes.

    Example:
        >>> images = kg.load_run("runs/mnist").generate(64, seed=0)
    """
    run = RunDirectory(run_dir)
    config = _config(run)
    if module is None and config["module"] is None:
        raise RunDirectoryError(
            f"{run.config_file} does not say how to rebuild the module, which has no get_config; {REMEDY}."
        )
    checkpoint = _checkpoint(run, config, step)
    image_shape = config["data"].get("image_shape")
    if module is None:
        module = _rebuilt(run, config["module"], checkpoint, image_shape)
    if not module.built:
        _build(run, module, image_shape)
    restore(module, checkpoint.arrays)
    return module


def _config(run: RunDirectory) -> dict[str, Any]:
    """Read `config.json`, and see that what is used of it is there."""
    if not run.config_file.exists():
        return run.read_config()  # which says so
    try:
        config = read_json(run.config_file)
    except TrustError as error:
        raise RunDirectoryError(str(error)) from error
    wanted = {"module": dict | None, "data": dict, "checkpoints": str | None}
    for name, kind in wanted.items():
        if name not in config or not isinstance(config[name], kind):
            raise RunDirectoryError(f"{run.config_file}: is damaged, {name!r} is not what a run says; fetch it again.")
    shape = config["data"].get("image_shape")
    if shape is not None and not _is_image_shape(shape):
        raise RunDirectoryError(
            f"{run.config_file}: is damaged, {str(shape)[:80]!r} is no shape of images such as [28, 28, 1]."
        )
    return config


def _is_image_shape(shape: Any) -> bool:
    return (
        isinstance(shape, list)
        and len(shape) == 3
        and all(type(side) is int and side > 0 for side in shape)
        and math.prod(shape) <= MAX_OUTPUTS
    )


def _checkpoint(run: RunDirectory, config: dict[str, Any], step: int | str | None) -> Checkpoint:
    store = run.store if run.store.steps() else CheckpointStore(config["checkpoints"] or run.store.directory)
    if step == "best":
        step = _best_step(store)
    if step is not None:
        return store.load(int(step))
    found = store.newest_good()
    if found is None:
        raise CheckpointError(f"{run.path} has no checkpoint; train it with kg.callbacks.Checkpoint().")
    return found[0]


def _best_step(store: CheckpointStore) -> int:
    best = store.directory / BEST
    if not best.exists():
        raise CheckpointError(
            f"{best} is not there: no best checkpoint was kept; train with kg.callbacks.Checkpoint(monitor=...)."
        )
    try:
        return int(read_json(best)["step"])
    except (TrustError, KeyError, TypeError, ValueError, OverflowError) as error:
        raise CheckpointError(
            f"{best}: does not name a step; load the newest checkpoint, or one by its step."
        ) from error


def _build(run: RunDirectory, module: keras.Model, image_shape: list[int] | None) -> None:
    """Make the weights of a network that the first batch had built when the run began."""
    if image_shape is None:
        raise RunDirectoryError(
            f"{run.config_file} does not say what images the module took, and its network was not built; start it with "
            "keras.Input, or pass a built module as load_run(..., module=...)."
        )
    module.build((None, *image_shape))


def _rebuilt(
    run: RunDirectory, config: dict[str, Any], checkpoint: Checkpoint, image_shape: list[int] | None
) -> keras.Model:
    source = str(run.config_file)
    held = sum(array.size for name, array in checkpoint.arrays.items() if name.startswith(("player/", "model/")))
    try:
        own = check_config(config, source)
        kind = resolved(config, source)
        if not isinstance(kind, type) or not issubclass(kind, keras.Model):
            raise TrustError(f"{source}: describes {shown(config['class_name'])}, not a module.")
        check_size(config, held, source, own=own, input_shape=image_shape)
        return keras.saving.deserialize_keras_object(config)
    except TrustError as error:
        raise RunDirectoryError(f"{str(error).removesuffix('.')}; or {REMEDY}.") from error
    except Exception as error:  # whatever Keras and a backend make of a file that nobody vouches for
        raise RunDirectoryError(f"{source}: the module cannot be rebuilt: {first_line(error)}; {REMEDY}.") from error
