"""What must be saved of a model so that training goes on as if it had never stopped."""

from typing import Any

import keras
import ml_dtypes
import numpy as np

from kerasgan import backends

Array = np.ndarray[Any, np.dtype[Any]]
MEANS = "metric/"
NOT_RESTORED = (MEANS, "callback/")  # in a checkpoint, but no part of what `restore` puts back


class StateError(ValueError):
    """A saved state does not fit the model; one line that names the arrays and what would be right."""


def named_variables(model: keras.Model) -> dict[str, Any]:
    """Name every variable of a model by its role and its place in that role.

    `player/generator/0003` a weight or moving average of one network, `model/0000` one that belongs to no
    network attribute, `optimizer/discriminator/0007` a slot, counter or loss scale, `seed/0001` the state of a
    seed generator, `metric/0000` a running mean. Variable paths would not do: Keras numbers them by how many
    models a process has built before.

    Args:
        model: Any built and compiled Keras model, a `kg.Module` with its players most of all.

    Returns:
        `{name: keras.Variable}`, each variable once.
    """
    networks = {
        name: value
        for name, value in vars(model).items()
        if isinstance(value, keras.Layer) and not name.startswith("_")
    }
    groups = [(f"player/{name}", network.weights) for name, network in networks.items()]
    groups += [("model", model.weights)]
    optimizer = getattr(model, "optimizer", None)
    if optimizer is not None:
        if not optimizer.built:
            optimizer.build(model.trainable_variables)
        parts = getattr(optimizer, "by_player", {})
        groups += [(f"optimizer/{player}", part.variables) for player, part in parts.items()]
        groups += [("optimizer/model", optimizer.variables)]
    # `Module.health` has a name: its place would depend on the metrics that a model has not built yet.
    noted = {id(variable) for variable in getattr(getattr(model, "health", None), "variables", ())}
    means = [variable for variable in model.metrics_variables if id(variable) not in noted]
    groups += [("seed", model.variables), ("metric", means)]

    named: dict[str, Any] = {}
    seen: set[int] = set()
    for role, variables in groups:
        fresh = [variable for variable in variables if id(variable) not in seen]
        seen.update(id(variable) for variable in fresh)
        named |= {f"{role}/{place:04d}": variable for place, variable in enumerate(fresh)}
    return named | {f"{MEANS}health": variable for variable in model.metrics_variables if id(variable) in noted}


def capture(model: keras.Model) -> dict[str, Array]:
    """Copy the values of all of `named_variables` to the host, at any moment between two steps.

    Whole ones, however they are distributed; where their parts lie with several processes, all must call this.

    Returns:
        `{name: array}`, in the order of `named_variables`.
    """
    backends.sync_variables(model)
    return {name: backends.whole(variable) for name, variable in named_variables(model).items()}


def restore(model: keras.Model, arrays: dict[str, Array]) -> None:
    """Put captured values back, all of them or, if one does not fit, none.

    Running means (`metric/...`) are left out: Keras resets them when an epoch begins, and a model that has not
    trained yet does not have all of them. `restore_means` puts them back at that moment. What callbacks remember
    (`callback/...`) is theirs.

    A state saved on one backend fits on the other: integers change their width where their value allows it.

    Args:
        model: Built and compiled as the one that was captured.
        arrays: What `capture` returned.

    Raises:
        StateError: Names, shapes or dtypes differ, or a value is not finite or too large for its variable.
    """
    variables = {name: v for name, v in named_variables(model).items() if not name.startswith(NOT_RESTORED)}
    saved = {name for name in arrays if not name.startswith(NOT_RESTORED)}
    missing, extra = sorted(variables.keys() - saved), sorted(saved - variables.keys())
    if missing or extra:
        raise StateError(
            "The saved state is of another model: "
            + "; ".join(
                f"{len(names)} arrays {verb}, such as {names[0]}"
                for names, verb in ((missing, "are missing"), (extra, "are left over"))
                if names
            )
            + ". Build and compile the model as it was when it was saved."
        )
    values = {name: _fitted(name, arrays[name], variable) for name, variable in variables.items()}
    for name, variable in variables.items():
        variable.assign(values[name])


def restore_means(model: keras.Model, arrays: dict[str, Array]) -> None:
    """Put captured running means back, at the beginning of an epoch that goes on in the middle.

    Raises:
        StateError: A shape or dtype differs.
    """
    variables = named_variables(model)
    for name in [name for name in arrays if name.startswith(MEANS) and name in variables]:
        variables[name].assign(_fitted(name, arrays[name], variables[name]))


def missing_means(model: keras.Model, arrays: dict[str, Array]) -> set[str]:
    """Return the names of captured running means for which the model has no variables yet."""
    return {name for name in arrays if name.startswith(MEANS)} - named_variables(model).keys()


def non_finite(arrays: dict[str, Array]) -> list[str]:
    """Return the names of captured weights and slots that hold a NaN or an infinity."""
    return [
        name
        for name, array in arrays.items()
        if not name.startswith(MEANS)
        and array.dtype.kind not in "iub"
        and not np.isfinite(array.astype("float64")).all()
    ]


def _fitted(name: str, array: Array, variable: Any) -> Array:
    """Return `array` in the dtype of `variable`, having checked that nothing is lost."""
    if tuple(array.shape) != tuple(variable.shape):
        raise StateError(f"{name} was saved with shape {tuple(array.shape)}, the model has {tuple(variable.shape)}.")
    wanted = np.dtype(getattr(ml_dtypes, variable.dtype, variable.dtype))  # NumPy has no bfloat16
    if array.dtype.kind in "iu" and wanted.kind in "iu":
        limits = np.iinfo(wanted)
        if array.size and (array.min() < limits.min or array.max() > limits.max):
            raise StateError(f"{name} holds {array.max()}, which does not fit the model's {wanted}.")
        return array.astype(wanted)
    if array.dtype != wanted:
        raise StateError(
            f"{name} was saved as {array.dtype}, the model has {wanted}; use the precision it was saved in."
        )
    if non_finite({name: array}):
        raise StateError(f"{name} holds a NaN or an infinity; go back to an earlier checkpoint.")
    return array
