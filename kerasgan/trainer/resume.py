"""From the newest good checkpoint of a run back into training."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import keras
import numpy as np

from kerasgan.checkpoints import Checkpoint, CheckpointStore, StateError, environment, named_variables, restore
from kerasgan.data import Batches
from kerasgan.trainer import presentation
from kerasgan.trainer.config import differences, rates
from kerasgan.trainer.feed import Feed, Position
from kerasgan.trainer.run_directory import RunDirectory, RunDirectoryError

SHOWN = 6  # Differences in an error; another network differs in everything.


@dataclass(frozen=True)
class Start:
    """Where training begins, and what is known of it there.

    Attributes:
        position: The place in the data.
        arrays: Of the checkpoint, by the names of `named_variables`; empty at the very beginning.
        metadata: Of the checkpoint: what callbacks remember, seconds so far, the configuration.
    """

    position: Position = field(default_factory=Position)
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def finished(self) -> bool:
        """Whether a callback, such as `EarlyStopping`, had ended training there."""
        return bool(self.metadata.get("stopped"))


def resumed(
    run: RunDirectory, module: keras.Model, feed: Feed, config: dict[str, Any], *, allow_changes: bool = False
) -> Start:
    """Put the newest good state of a run back into `module`.

    Args:
        run: The run that was started before.
        module: Compiled as it was then.
        feed: The data it was trained on.
        config: What `describe_run` says of the present call. Changes that are allowed are noted in it.
        allow_changes: Go on with other settings, of the optimizers and data most of all, than those of the run.

    Returns:
        Where training goes on.

    Raises:
        RunDirectoryError: The run has trained and kept no checkpoint.
        CheckpointError: There are checkpoints, and none is whole.
        ValueError: A setting is not what it was, and that was not allowed.
        StateError: The checkpoint does not fit the module.
    """
    found = CheckpointStore(config["checkpoints"] or run.store.directory).newest_good()
    if found is None:
        if run.metrics_file.exists():
            raise RunDirectoryError(
                f"{run.path} holds a run that has no checkpoint to go on from; choose another directory."
            )
        presentation.warn(f"{run.path} has no checkpoint yet; training starts at its beginning.")
        return Start()
    checkpoint, passed_over = found
    _check_metadata(checkpoint)
    # A run may have been given other settings and been killed before it saved anything under them.
    earlier = checkpoint.metadata.get("config") or run.read_config()
    try:
        changed = differences(earlier, config)
    except (LookupError, TypeError, AttributeError, RecursionError) as error:
        raise RunDirectoryError(
            f"{run.path}: its configuration is not that of a run ({error!r}); restore it, or start a new run."
        ) from error
    if changed and not allow_changes:
        raise ValueError(
            f"{run.path} cannot be resumed with other settings: {_listed(changed)}. Use those it was started with, "
            "allow it (allow_changes=True, --allow-changes), or start a new run."
        )
    _check_step(checkpoint, module)
    for _, reason in passed_over:
        presentation.warn(f"passing over {reason}")
    try:
        restore(module, checkpoint.arrays)
    except StateError as error:
        raise StateError(f"{checkpoint.path}: {error}") from error
    _say_what_computes_otherwise(checkpoint)
    start = Start(
        Position(checkpoint.metadata["epoch"], checkpoint.metadata["batch"]), checkpoint.arrays, checkpoint.metadata
    )
    if changed:
        presentation.warn(f"going on with other settings: {_listed(changed)}.")
        config["changes"] = [*earlier.get("changes", []), {"step": checkpoint.step, "differences": changed}]
        _take_new_rates(module, earlier, config)
        # Batch 7 of other batches would be other images.
        same_data = not any(
            name.startswith(("batch_size", "data", "drop_remainder", "limit", "overfit")) for name in changed
        )
        position = start.position if same_data else Position(start.position.epoch)
        start = replace(start, position=position)
    if allow_changes:
        start = replace(start, metadata={**start.metadata, "stopped": False})  # its callbacks may have changed too
    if start.position.batch and not isinstance(feed.train, Batches):
        presentation.warn(
            f"only kg.data can go on in the middle of an epoch; epoch {start.position.epoch + 1} starts again."
        )
        start = replace(start, position=Position(start.position.epoch))
    return start


def _listed(changed: list[str]) -> str:
    # A file says what it was, and may say anything.
    shown, more = [" ".join(item.split())[:200] for item in changed[:SHOWN]], len(changed) - SHOWN
    return "; ".join([*shown, f"and {more} more"] if more > 0 else shown)


def _check_metadata(checkpoint: Checkpoint) -> None:
    """Refuse a manifest that is whole, by its digest, and says what no run of ours says."""
    counts = {name: checkpoint.metadata.get(name) for name in ("epoch", "batch")}
    wrong = {name: count for name, count in counts.items() if type(count) is not int or not 0 <= count < 2**63}
    for name, kind in {"config": dict, "versions": dict, "callbacks": dict, "wall_seconds": int | float}.items():
        value = checkpoint.metadata.get(name)
        if value is not None and not isinstance(value, kind):
            wrong[name] = value
    remembered = checkpoint.metadata.get("callbacks") or {}
    if "callbacks" not in wrong and not all(isinstance(fields, dict) for fields in remembered.values()):
        wrong["callbacks"] = remembered
    for name, value in wrong.items():
        raise StateError(
            f"{checkpoint.path}: {name!r} is {str(repr(value))[:80]} in its manifest, which no run says; delete it to "
            "go on from an earlier one."
        )


def _check_step(checkpoint: Checkpoint, module: keras.Model) -> None:
    """Refuse arrays whose own count of steps is not that of the directory they lie in."""
    optimizer = module.optimizer
    counters = [name for name, variable in named_variables(module).items() if variable is optimizer.iterations]
    for name in counters:
        if name in checkpoint.arrays and checkpoint.arrays[name] != checkpoint.step:
            raise StateError(
                f"{checkpoint.path}: its arrays are of step {checkpoint.arrays[name]}; delete it to go on from an "
                "earlier one."
            )


def _take_new_rates(module: keras.Model, earlier: dict[str, Any], config: dict[str, Any]) -> None:
    """Set learning rates that were changed: they are variables, so that the state brought the old ones back."""
    old, new = rates(earlier), rates(config)
    by_player = getattr(module.optimizer, "by_player", {"model": module.optimizer})
    for player, rate in new.items():
        if isinstance(rate, int | float) and old.get(player) != rate:
            by_player[player].learning_rate = rate


def _say_what_computes_otherwise(checkpoint: Checkpoint) -> None:
    """Warn where nobody can promise the bits of a run that was never stopped."""
    now = environment()
    then = {name: checkpoint.metadata.get(name, value) for name, value in now.items()}
    pairs = [("threads", then["threads"], now["threads"])]
    pairs += [(name, then["versions"].get(name), now["versions"][name]) for name in ("engine", "keras")]
    if changed := [f"{name} {old}, now {new}" for name, old, new in pairs if old != new]:
        presentation.warn(
            f"{checkpoint.path} was saved with {' and '.join(changed)}: the run goes on, but not bit for bit as it "
            "would have."
        )
