"""From the newest good checkpoint of a run back into training."""

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import keras
import numpy as np

from kerasgan.callbacks.checkpoint import is_best
from kerasgan.checkpoints import (
    NOT_RESTORED,
    Checkpoint,
    CheckpointStore,
    StateError,
    environment,
    named_variables,
    restore,
)
from kerasgan.data import Batches
from kerasgan.trainer import presentation
from kerasgan.trainer.config import differences, going_on, kind_of, rates
from kerasgan.trainer.feed import Feed, Position
from kerasgan.trainer.run_directory import RunDirectory, RunDirectoryError

SHOWN = 6  # Differences in an error; another network differs in everything.


@dataclass(frozen=True)
class Start:
    """Where training begins, and what is known of it there.

    Attributes:
        position: The place in the data.
        arrays: Of the checkpoint, what is not put back before training begins: running means, and what callbacks keep.
        metadata: Of the checkpoint: what callbacks remember, seconds so far, the configuration; empty for a new run.
    """

    position: Position = field(default_factory=Position)
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def at(cls, checkpoint: Checkpoint, feed: Feed) -> "Start":
        """Begin where a checkpoint was taken, or where its epoch began if the data cannot be entered in the middle."""
        position = Position(checkpoint.metadata["epoch"], checkpoint.metadata["batch"])
        if position.batch and not isinstance(feed.train, Batches):
            presentation.warn(
                f"only kg.data can go on in the middle of an epoch; epoch {position.epoch + 1} starts again."
            )
            position = Position(position.epoch)
        arrays = {name: array for name, array in checkpoint.arrays.items() if name.startswith(NOT_RESTORED)}
        return cls(position, arrays, checkpoint.metadata)

    @property
    def finished(self) -> bool:
        """Whether a callback, such as `EarlyStopping`, had ended training there."""
        return bool(self.metadata.get("stopped"))


def newest_good(store: CheckpointStore) -> Checkpoint | None:
    """Return the newest checkpoint that is whole, having named those that are not; None if there is none at all.

    Raises:
        CheckpointError: There are checkpoints, and none is whole.
    """
    found = store.newest_good()
    if found is None:
        return None
    checkpoint, passed_over = found
    for _, reason in passed_over:
        presentation.warn(f"passing over {reason}.")
    return checkpoint


def resumed(
    run: RunDirectory,
    store: CheckpointStore,
    module: keras.Model,
    feed: Feed,
    config: dict[str, Any],
    *,
    allow_changes: bool = False,
) -> Start:
    """Put the newest good state of a run back into `module`.

    Args:
        run: The run that was started before.
        store: Its checkpoints.
        module: Compiled as it was then.
        feed: The data it was trained on.
        config: What `describe_run` says of the present call; becomes what `config.json` shall say of the whole run.
        allow_changes: Go on with other settings, of the optimizers and data most of all, than those of the run.

    Returns:
        Where training goes on.

    Raises:
        RunDirectoryError: The run has trained and kept no checkpoint.
        CheckpointError: There are checkpoints, and none is whole.
        ValueError: A setting is not what it was, and that was not allowed.
        StateError: The checkpoint does not fit the module.
    """
    checkpoint = newest_good(store)
    if checkpoint is None and run.metrics_file.exists():
        raise RunDirectoryError(
            f"{run.path} holds a run that has no checkpoint to go on from; choose another directory."
        )
    if checkpoint is not None:
        check_manifest(checkpoint)
    # A run may have been given other settings and been killed before it saved anything under them.
    earlier = (checkpoint and checkpoint.metadata.get("config")) or run.read_config()
    changed = _changes(run, earlier, config, allow_changes)
    with _understood(run):
        config |= going_on(earlier, config, checkpoint.step if checkpoint else 0, changed)
    if checkpoint is None:
        presentation.warn(f"{run.path} has no checkpoint yet; training starts at its beginning.")
        return Start()
    _check_step(checkpoint, module)
    try:
        restore(module, checkpoint.arrays)
    except StateError as error:
        raise StateError(f"{checkpoint.path}: {error}") from error
    _say_what_computes_otherwise(checkpoint)
    start = Start.at(checkpoint, feed)
    if changed:
        _take_new_rates(module, earlier, config)
        if any(name.startswith(("batch_size", "data", "drop_remainder", "limit", "overfit")) for name in changed):
            start = replace(start, position=Position(start.position.epoch))  # batch 7 would be other images now
    if allow_changes:
        start = replace(start, metadata={**start.metadata, "stopped": False})  # its callbacks may have changed too
    if start.finished:
        presentation.warn(
            f"a callback, such as EarlyStopping, has ended this run after epoch {start.position.epoch}; to train on, "
            "allow changes (allow_changes=True, --allow-changes)."
        )
    return start


def _changes(run: RunDirectory, earlier: dict[str, Any], config: dict[str, Any], allowed: bool) -> list[str]:
    """Return how settings differ from those of the run, if they may."""
    with _understood(run):
        was, now = kind_of(earlier), kind_of(config)
        changed, old_rates = differences(earlier, config), rates(earlier)
    if was and now and was != now:  # which no allowance mends
        raise ValueError(f"{run.path} is the run of a {was}, and this is a {now}; build a {was}, or start a new run.")
    if changed and not allowed:
        raise ValueError(
            f"{run.path} cannot be resumed with other settings: {_listed(changed)}. Use those it was started with, in "
            "a module built anew; allow it (allow_changes=True, --allow-changes); or start a new run."
        )
    for player, rate in rates(config).items():
        if player in old_rates and isinstance(rate, dict) != isinstance(old_rates[player], dict):
            raise ValueError(
                f"{run.path}: a schedule and a constant learning rate of the {player} cannot take each other's place "
                "on resume; start a new run."
            )
    if changed:
        presentation.warn(f"going on with other settings: {_listed(changed)}.")
    return changed


@contextmanager
def _understood(run: RunDirectory) -> Iterator[None]:
    """Refuse a configuration that was read from a file and is not built like one."""
    try:
        yield
    except (LookupError, TypeError, AttributeError, RecursionError) as error:
        raise RunDirectoryError(
            f"{run.path}: its configuration is not that of a run ({error!r}); restore it, or start a new run."
        ) from error


def _listed(changed: list[str]) -> str:
    # A file says what it was, and may say anything.
    shown, more = [" ".join(item.split())[:200] for item in changed[:SHOWN]], len(changed) - SHOWN
    return "; ".join([*shown, f"and {more} more"] if more > 0 else shown)


def check_manifest(checkpoint: Checkpoint) -> None:
    """Refuse a manifest that is whole, by its digest, and says what no run of ours says.

    Raises:
        StateError: It does; one line that names the entry.
    """
    says = checkpoint.metadata
    wrong = {name: says.get(name) for name in ("epoch", "batch") if not _is_count(says.get(name))}
    checks: dict[str, Callable[[Any], bool]] = {
        "config": lambda value: isinstance(value, dict),
        "versions": lambda value: isinstance(value, dict),
        "callbacks": lambda value: isinstance(value, dict) and all(isinstance(item, dict) for item in value.values()),
        "best": lambda value: isinstance(value, dict) and (not value or is_best(value)),
        "wall_seconds": lambda value: type(value) in (int, float) and 0 <= value < math.inf,
        "reshuffles": _is_count,
        "stopped": lambda value: isinstance(value, bool),
    }
    wrong |= {name: says[name] for name, sound in checks.items() if name in says and not sound(says[name])}
    for name, value in wrong.items():
        raise StateError(
            f"{checkpoint.path}: {name!r} is {str(repr(value))[:80]} in its manifest, which no run says; delete it to "
            "go on from an earlier one."
        )


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**63


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
    pairs = [(name, then[name], now[name]) for name in ("devices", "distribution", "threads")]
    pairs += [(name, then["versions"].get(name), number) for name, number in now["versions"].items()]
    if changed := [f"{name} {old}, now {new}" for name, old, new in pairs if old != new]:
        presentation.warn(
            f"{checkpoint.path} was saved with {'; '.join(changed)}: the run goes on, but not bit for bit as it would "
            "have."
        )
