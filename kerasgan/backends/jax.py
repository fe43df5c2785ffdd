"""The JAX engine: every gradient is taken of a pure function, and variables are handed through it.

Keras runs a JAX step inside a `keras.StatelessScope`: variables are read from the scope's mapping and
writes are recorded there. A function that JAX differentiates needs a scope of its own (a write to the outer
one would leak a tracer), so each nested pass copies the outer mapping, runs, and hands its writes back.
"""

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import jax
import keras
from jax.experimental.compilation_cache import compilation_cache
from keras import ops

from kerasgan.backends.cores import cores_or, free_host_bytes
from kerasgan.backends.jax_convolution import conv as conv
from kerasgan.backends.jax_convolution import conv_transpose as conv_transpose
from kerasgan.backends.jax_pooling import max_pool as max_pool
from kerasgan.backends.jax_random import dropout as dropout
from kerasgan.backends.memory import keep_freed_memory
from kerasgan.backends.unconnected import unconnected

keep_freed_memory()

State = tuple[list[Any], ...]


class _NestedScope(keras.StatelessScope):
    """A stateless scope that sees all that the enclosing one maps, and remembers what it changed."""

    state_mapping: dict[int, Any]

    def __init__(self, outer: keras.StatelessScope | None, mapping: Iterable[tuple[Any, Any]] = ()) -> None:
        super().__init__(state_mapping=list(mapping), collect_losses=True)
        if outer is not None:
            self.state_mapping = {**outer.state_mapping, **self.state_mapping}
        self.changed: dict[int, Any] = {}
        # One for all that are nested: who reads in an inner pass, reads in the outer one.
        self.read: set[int] = outer.read if isinstance(outer, _NestedScope) else set()

    def get_current_value(self, variable: Any) -> Any:
        self.read.add(id(variable))
        return super().get_current_value(variable)

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


def program(
    step: Callable[[State, Any], tuple[Any, State]],
    read: Callable[[Any, Any], Any],
    *,
    several: bool,
    jit_compile: bool,
) -> Callable[..., tuple[Any, State]]:
    """Compile the reading of a batch and a training step into one program, or any number of them.

    The number is an argument of the program, so that one compilation serves a whole epoch and its remainder.

    Args:
        step: Keras's `train_step`: takes `(state, batch)`, returns `(logs, state)`.
        read: Takes `(arrays, index)`, returns a batch.
        several: Whether the program can run more than one step. A program of one is no loop, where XLA compiles some
            operations for a CPU better.
        jit_compile: Always true here.

    Returns:
        `run(state, arrays, first, count)`, which takes the steps of the batches `first` to `first + count - 1` and
        returns the logs of the last one and the state after it. The values of `state` are consumed.
    """

    def one(state: State, arrays: Any, first: Any, count: Any) -> tuple[Any, State]:
        # XLA shall not weave the reading into the step: the bits of a run must not depend on where its data lies.
        return step(state, jax.lax.optimization_barrier(read(arrays, first)))

    def many(state: State, arrays: Any, first: Any, count: Any) -> tuple[Any, State]:
        logs, _ = jax.eval_shape(one, state, arrays, first, count)
        nothing = jax.tree.map(lambda log: jax.numpy.zeros(log.shape, log.dtype), logs)
        return jax.lax.fori_loop(
            first, first + count, lambda index, carry: one(carry[1], arrays, index, None), (nothing, state)
        )

    compiled = jax.jit(many if several else one, donate_argnums=0)
    return lambda state, *arguments: compiled(tuple(state), *arguments)


def state_of(groups: State) -> tuple[State]:
    """Return the values of groups of variables, as arguments for a program; it consumes them."""
    return (tuple([variable.value for variable in group] for group in groups),)


def has_fast_convolutions() -> bool:
    """Whether convolutions run faster one by one than compiled by XLA: there is nothing else here."""
    return False


def build_metrics(compute: Callable[[], Any]) -> None:
    """Create the variables that `compute` makes when it is called for the first time, without computing anything."""
    # Outside of the trace, so that it is after it that the variables get their first values.
    with keras.StatelessScope():
        jax.eval_shape(compute)


def keep_weights(function: Callable[..., Any], variables: Callable[[], State]) -> Callable[..., Any]:
    """Wrap a Keras train, test or predict function so that a step that raises leaves the model usable.

    Keras takes the values off the variables for the time of an epoch. If the first step raises (an error in
    the user's step, most often) nothing puts them back, and the model is lost. Here the values that went
    into the failed call return to their variables, unless that call had already consumed them.
    """

    def kept(state: State, *arguments: Any) -> Any:
        try:
            return function(state, *arguments)
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

    Raises:
        ValueError: None of a player's variables was read for its loss.
    """
    outer = enclosing_scope()
    watched = list({id(v): v for group in variables.values() for v in group}.values())
    position = {id(v): index for index, v in enumerate(watched)}
    changed: list[Any] = []
    read: set[int] = set()

    def run(values: list[Any]) -> tuple[dict[str, Any], tuple[dict[str, Any], list[Any]]]:
        with _NestedScope(outer, zip(watched, values, strict=True)) as scope:
            scaled, losses = forward()
        read.update(scope.read)
        changed[:] = scope.changed.values()
        return scaled, (losses, [scope.get_current_value(v) for v in changed])

    scaled, pull_back, (losses, updates) = jax.vjp(run, [v.value for v in watched], has_aux=True)
    _hand_back(outer, changed, updates)
    gradients = {}
    for player in scaled:
        if variables[player] and read.isdisjoint(map(id, variables[player])):
            raise unconnected(player)
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


def when(predicate: Any, function: Callable[[], Any]) -> Any:
    """Compute something in some steps only, within a compiled program and under differentiation.

    Args:
        predicate: Boolean scalar, a tensor.
        function: Returns a float32 scalar; it may change variables, such as moving averages and seeds.

    Returns:
        Where the predicate holds what `function` returns, with the variables changed; else zero.
    """
    outer = enclosing_scope()
    changed: list[Any] = []

    def done() -> tuple[Any, list[Any]]:
        with _NestedScope(outer) as scope:
            value = function()
        changed[:] = scope.changed.values()
        return value, [scope.get_current_value(v) for v in changed]

    jax.eval_shape(done)  # It tells what changes, which the other branch has to hand on as it is.
    value, updates = jax.lax.cond(predicate, done, lambda: (ops.zeros(()), [v.value for v in changed]))
    _hand_back(outer, changed, updates)
    return value


def make_deterministic() -> None:
    """Make equal runs give equal bits.

    Raises:
        RuntimeError: On a GPU, XLA must be told before it starts.
    """
    if jax.default_backend() == "gpu" and "xla_gpu_deterministic_ops=true" not in os.environ.get("XLA_FLAGS", ""):
        raise RuntimeError("deterministic=True on a GPU needs XLA_FLAGS=--xla_gpu_deterministic_ops=true in advance.")


def use_compile_cache(directory: Path) -> None:
    """Keep what XLA compiles in a directory for later processes, and take from there what one has compiled before.

    Small programs too: building a network dispatches dozens, which cost more to compile than to read.
    """
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    jax.config.update("jax_compilation_cache_dir", str(directory))
    compilation_cache.reset_cache()  # JAX stays with the first directory it has used.


def devices() -> list[str]:
    """Return the names of the local devices, such as `["cpu:0"]`."""
    return [f"{device.platform}:{device.id}" for device in jax.local_devices()]


def free_bytes() -> int:
    """Return how much memory is free where arrays go by default."""
    stats = jax.local_devices()[0].memory_stats()
    return stats["bytes_limit"] - stats["bytes_in_use"] if stats and "bytes_limit" in stats else free_host_bytes()


def start_trace(directory: Path) -> None:
    """Begin to record what the host and the devices do, for TensorBoard's profiler."""
    jax.profiler.start_trace(str(directory))


def stop_trace() -> None:
    """Write what was recorded."""
    jax.profiler.stop_trace()


def engine_version() -> str:
    """Return the engine's name and version, such as `"jax 0.10.2"`."""
    return f"jax {jax.__version__}"


def threads() -> int:
    """Return how many threads compute on a CPU; XLA reads `NPROC` when it starts, else takes the cores it may use."""
    return cores_or("NPROC")
