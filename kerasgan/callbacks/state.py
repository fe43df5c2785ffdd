"""What callbacks remember from epoch to epoch, so that a resumed run stops early when the whole one would."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import keras
import numpy as np

# Keras's callbacks forget all of this when training begins. Their public attributes, by class.
REMEMBERED: dict[type[keras.callbacks.Callback], tuple[str, ...]] = {
    keras.callbacks.EarlyStopping: ("best", "best_epoch", "wait", "stopped_epoch", "best_weights"),
    keras.callbacks.ReduceLROnPlateau: ("best", "wait", "cooldown_counter"),
    keras.callbacks.ModelCheckpoint: ("best",),
}
PREFIX = "callback/"


def capture_callbacks(
    callbacks: Sequence[keras.callbacks.Callback],
) -> tuple[dict[str, dict[str, Any]], dict[str, np.ndarray]]:
    """Copy what the callbacks remember: those of Keras, and any that has `state_dict` and `load_state_dict`.

    `state_dict()` takes nothing and returns `{name: value}`, where a value is what JSON can hold, or a list of arrays
    or tensors; `load_state_dict(state)` takes the same, called once training has begun.

    Args:
        callbacks: In the order of the run, by which those of one class are told apart.

    Returns:
        `{callback: {name: value}}` for a manifest, and the arrays, named `callback/EarlyStopping/0/best_weights/0003`.
    """
    fields: dict[str, dict[str, Any]] = {}
    arrays: dict[str, np.ndarray] = {}
    for title, callback in _titled(callbacks):
        fields[title] = {}
        for name, value in _state_of(callback).items():
            if isinstance(value, list | tuple) and value and all(hasattr(item, "shape") for item in value):
                held = {f"{PREFIX}{title}/{name}/{place:04d}": item for place, item in enumerate(value)}
                arrays |= {key: keras.ops.convert_to_numpy(item) for key, item in held.items()}
            else:
                fields[title][name] = value.item() if isinstance(value, np.generic) else value
    return fields, arrays


def restore_callbacks(
    callbacks: Sequence[keras.callbacks.Callback],
    fields: Mapping[str, Mapping[str, Any]],
    arrays: Mapping[str, np.ndarray],
) -> None:
    """Give the callbacks back what they remembered; one that was not there then begins afresh.

    Args:
        callbacks: In the order of the run; their `on_train_begin` has been called.
        fields: As `capture_callbacks` returned them.
        arrays: Likewise; others may be among them.
    """
    for title, callback in _titled(callbacks):
        if title not in fields:
            continue
        state = dict(fields[title])
        for key in sorted(key for key in arrays if key.startswith(f"{PREFIX}{title}/")):
            state.setdefault(key.split("/")[-2], []).append(arrays[key])
        if hasattr(callback, "load_state_dict"):
            callback.load_state_dict(state)
        else:
            for name in _attributes(callback) & state.keys():
                setattr(callback, name, state[name])


def _titled(callbacks: Sequence[keras.callbacks.Callback]) -> Iterator[tuple[str, Any]]:
    """Yield `Class/0`, `Class/1`, ... and the callback, of all that remember something."""
    seen: dict[str, int] = {}
    for callback in callbacks:
        if hasattr(callback, "state_dict") or _attributes(callback):
            name = type(callback).__name__
            yield f"{name}/{seen.get(name, 0)}", callback
            seen[name] = seen.get(name, 0) + 1


def _state_of(callback: Any) -> dict[str, Any]:
    if hasattr(callback, "state_dict"):
        return dict(callback.state_dict())
    return {name: getattr(callback, name) for name in sorted(_attributes(callback))}


def _attributes(callback: keras.callbacks.Callback) -> set[str]:
    return {name for kind, names in REMEMBERED.items() if isinstance(callback, kind) for name in names}
