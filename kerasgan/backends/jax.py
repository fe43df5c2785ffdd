"""The JAX engine: every gradient is taken of a pure function, and variables are handed through it.

Keras runs a JAX step inside a `keras.StatelessScope`: variables are read from the scope's mapping and
writes are recorded there. A function that JAX differentiates needs a scope of its own (a write to the outer
one would leak a tracer), so each nested pass copies the outer mapping, runs, and hands its writes back.
"""

import functools
import os
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import jax
import keras
from keras import ops

from kerasgan.backends.cores import cores_or

State = tuple[list[Any], ...]


class _NestedScope(keras.StatelessScope):
    """A stateless scope that sees all that the enclosing one maps, and remembers what it changed."""

    state_mapping: dict[int, Any]

    def __init__(self, outer: keras.StatelessScope | None, mapping: Iterable[tuple[Any, Any]] = ()) -> None:
        super().__init__(state_mapping=list(mapping), collect_losses=True)
        if outer is not None:
            self.state_mapping = {**outer.state_mapping, **self.state_mapping}
        self.changed: dict[int, Any] = {}

    def add_update(self, update: tuple[Any, Any]) -> None:
        self.changed[id(update[0])] = update[0]
        super().add_update(update)


def enclosing_scope() -> keras.StatelessScope | None:
    """Return the stateless scope that is active, whoever opened it, or None outside of any.

    Keras exports no getter for it; but a scope keeps the one it was opened in, so opening an empty one tells.
    """
    with keras.StatelessScope(initialize_variables=False) as probe:
        return probe.original_scope


def _hand_back(outer: keras.StatelessScope | None, variables: Sequence[Any], values: Sequence[Any]) -> None:
    for variable, value in zip(variables, values, strict=True):
        if outer is None:
            variable.assign(value)
        else:
            outer.add_update((variable, value))


def run_step(step: Callable[[Any], Any], arguments: tuple[Any, ...], variables: Callable[[], State]) -> Any:
    """Run `step(data)` under the calling convention of Keras's JAX trainer.

    Args:
        step: Takes the data of one batch, returns the logs; reads and writes Keras variables freely.
        arguments: `(state, data)` as Keras passes them to `train_step` or `test_step`.
        variables: Returns the groups of variables in the order of `state`.

    Returns:
        `(logs, state)`, with every group's values after the step.
    """
    state, data = arguments
    groups = variables()
    mapping = [pair for group, values in zip(groups, state, strict=True) for pair in zip(group, values, strict=True)]
    with keras.StatelessScope(mapping, collect_losses=True) as scope:
        logs = step(data)
    return logs, tuple([scope.get_current_value(variable) for variable in group] for group in groups)


def keep_weights(function: Callable[..., Any], variables: Callable[[], State]) -> Callable[..., Any]:
    """Wrap a Keras train, test or predict function so that a step that raises leaves the model usable.

    Keras takes the values off the variables for the time of an epoch. If the first step raises (an error in
    the user's step, most often) nothing puts them back, and the model is lost. Here the values that went
    into the failed call return to their variables, unless that call had already consumed them.
    """

    def kept(state: State, iterator: Any) -> Any:
        try:
            return function(state, iterator)
        except BaseException:
            for group, values in zip(variables(), state, strict=True):
                for variable, value in zip(group, values, strict=True):
                    if not value.is_deleted():
                        variable.assign(value)
            raise

    return kept


def sync_variables(model: Any) -> None:
    """Put the values of a running `fit` back on the model's variables, so that they can be read."""
    model.jax_state_sync()


def player_gradients(
    forward: Callable[[], tuple[dict[str, Any], dict[str, Any]]], variables: dict[str, list[Any]]
) -> tuple[dict[str, Any], dict[str, list[Any]]]:
    """Run one forward pass and differentiate every player's loss by that player's variables.

    `jax.vjp` linearizes the shared pass once; it is pulled back once per player with a one for that player's
    loss and zeros for the others. What a player does not need of the backward pass is removed by XLA.

    Args:
        forward: Returns `(scaled_losses, losses)`, both `{player: scalar}`. The scaled ones are differentiated.
        variables: `{player: trainable variables}` of all players, those without a loss included.

    Returns:
        `(losses, gradients)`, with `gradients[player]` in the order of `variables[player]`.
    """
    outer = enclosing_scope()
    watched = list({id(v): v for group in variables.values() for v in group}.values())
    position = {id(v): index for index, v in enumerate(watched)}
    changed: list[Any] = []

    def run(values: list[Any]) -> tuple[dict[str, Any], tuple[dict[str, Any], list[Any]]]:
        with _NestedScope(outer, zip(watched, values, strict=True)) as scope:
            scaled, losses = forward()
        changed[:] = scope.changed.values()
        return scaled, (losses, [scope.get_current_value(v) for v in changed])

    scaled, pull_back, (losses, updates) = jax.vjp(run, [v.value for v in watched], has_aux=True)
    _hand_back(outer, changed, updates)
    gradients = {}
    for player in scaled:
        cotangents = {name: (ops.ones_like if name == player else ops.zeros_like)(scaled[name]) for name in scaled}
        (all_gradients,) = pull_back(cotangents)
        gradients[player] = [all_gradients[position[id(v)]] for v in variables[player]]
    return losses, gradients


def apply_gradients(optimizer: keras.optimizers.Optimizer, gradients: list[Any], variables: list[Any]) -> None:
    """Let `optimizer` take one step; `variables` are those it was built with.

    `stateless_apply`, not `apply`: under dynamic loss scaling `apply` assigns inside a `cond`, which leaks tracers.
    """
    slots = optimizer.variables
    values, slot_values = optimizer.stateless_apply([s.value for s in slots], gradients, [v.value for v in variables])
    for variable, value in zip([*variables, *slots], [*values, *slot_values], strict=True):
        variable.assign(value)


def grad(function: Callable[[Any], Any], x: Any) -> Any:
    """See `kerasgan.grad`."""
    outer = enclosing_scope()
    changed: list[Any] = []

    def total(point: Any) -> tuple[Any, list[Any]]:
        with _NestedScope(outer) as scope:
            value = ops.sum(ops.cast(function(point), "float32"))
        changed[:] = scope.changed.values()
        return value, [scope.get_current_value(v) for v in changed]

    gradient, updates = jax.grad(total, has_aux=True)(x)
    _hand_back(outer, changed, updates)
    return gradient


def conv_transpose(inputs: Any, kernel: Any, **options: Any) -> Any:
    """`keras.ops.conv_transpose` with the same values and a fast weight gradient.

    XLA's CPU compiler differentiates a strided transposed convolution by its kernel through a dilated
    convolution, which is slow. But T, the transposed convolution, is the
    adjoint of an ordinary convolution F, so <g, T(x, k)> = <F(g, k), x>: the gradient by k is F's own
    weight gradient with the roles of x and g exchanged, which is fast.

    Args:
        inputs: Tensor `(batch, height, width, channels)` or channels first.
        kernel: Tensor `(kernel_height, kernel_width, filters, channels)`.
        options: As `keras.ops.conv_transpose` takes them.

    Returns:
        The transposed convolution. Reverse-mode differentiable any number of times.
    """

    def transposed(x: Any, k: Any) -> Any:
        return ops.conv_transpose(x, k, **options)

    def adjoint(g: Any, k: Any, like: Any) -> Any:
        (x,) = jax.linear_transpose(lambda x: transposed(x, k), like)(g)
        return x

    @jax.custom_vjp
    def convolution(x: Any, k: Any) -> Any:
        return transposed(x, k)

    def forward(x: Any, k: Any) -> tuple[Any, tuple[Any, Any]]:
        return transposed(x, k), (x, k)

    def backward(residuals: tuple[Any, Any], g: Any) -> tuple[Any, Any]:
        x, k = residuals
        x_gradient, pull_back = jax.vjp(lambda k: adjoint(g, k, x), k)
        (k_gradient,) = pull_back(x)
        return x_gradient, k_gradient

    convolution.defvjp(forward, backward)
    return convolution(ops.convert_to_tensor(inputs), ops.convert_to_tensor(kernel))


def max_pool(inputs: Any, size: tuple[int, int]) -> Any:
    """`keras.ops.max_pool` over windows that neither overlap nor are padded: the same values, and a fast gradient.

    XLA's CPU compiler differentiates a pooling by `select-and-scatter`, window after window. Here the gradient goes to
    the first of the largest pixels of each window, as there, by comparisons that XLA fuses into one pass.

    Args:
        inputs: Tensor `(batch, height, width, channels)`.
        size: Height and width of a window; rows and columns that fill none are left out.

    Returns:
        Tensor `(batch, height // size[0], width // size[1], channels)`. Reverse-mode differentiable, any number of
        times.
    """
    rows, columns = size
    _, height, width, channels = inputs.shape
    down, across = height // rows, width // columns

    def pixels(x: Any) -> list[Any]:
        """Return what lies at each place of a window, of all windows: `(batch, down, across, channels)` each."""
        x = x[:, : down * rows, : across * columns]
        return [x[:, row::rows, column::columns] for row in range(rows) for column in range(columns)]

    @jax.custom_vjp
    def pooled(x: Any) -> Any:
        return functools.reduce(ops.maximum, pixels(x))

    def forward(x: Any) -> tuple[Any, tuple[Any, Any]]:
        largest = pooled(x)
        return largest, (x, largest)

    def backward(residuals: tuple[Any, Any], g: Any) -> tuple[Any]:
        x, largest = residuals
        given, shares = ops.zeros(largest.shape, "bool"), []
        for pixel in pixels(x):
            takes = ops.logical_and(pixel == largest, ops.logical_not(given))
            given = ops.logical_or(given, takes)
            shares.append(ops.where(takes, g, ops.zeros_like(g)))
        windows = ops.reshape(ops.stack(shares, axis=3), (-1, down, across, rows, columns, channels))
        gradient = ops.reshape(
            ops.transpose(windows, (0, 1, 3, 2, 4, 5)), (-1, down * rows, across * columns, channels)
        )
        left_out = (0, 0), (0, height - down * rows), (0, width - across * columns), (0, 0)
        return (ops.pad(gradient, left_out),)

    pooled.defvjp(forward, backward)
    return pooled(ops.convert_to_tensor(inputs))


def make_deterministic() -> None:
    """Make equal runs give equal bits.

    Raises:
        RuntimeError: On a GPU, XLA must be told before it starts.
    """
    if jax.default_backend() == "gpu" and "xla_gpu_deterministic_ops=true" not in os.environ.get("XLA_FLAGS", ""):
        raise RuntimeError("deterministic=True on a GPU needs XLA_FLAGS=--xla_gpu_deterministic_ops=true in advance.")


def devices() -> list[str]:
    """Return the names of the local devices, such as `["cpu:0"]`."""
    return [f"{device.platform}:{device.id}" for device in jax.local_devices()]


def engine_version() -> str:
    """Return the engine's name and version, such as `"jax 0.10.2"`."""
    return f"jax {jax.__version__}"


def threads() -> int:
    """Return how many threads compute on a CPU; XLA reads `NPROC` when it starts, else takes the cores it may use."""
    return cores_or("NPROC")
