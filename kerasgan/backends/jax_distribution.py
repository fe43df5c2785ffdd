"""Several devices on JAX, by `keras.distribution` alone.

The other engine's file offers the same names; what they promise is written here. A *part* is what one device, or one
process with its devices, gets of a batch. Where a function is *collective* every process has to call it, in the same
order, or all wait for ever. `jax_processes` has what concerns several processes.
"""

import contextlib
import copy
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import jax
import keras
from jax.experimental import multihost_utils

WORDS = ("auto", "data_parallel")


def distribute(wanted: Any) -> None:
    """Have Keras distribute all that is built from now on.

    Args:
        wanted: `"auto"`: every device has the variables and a part of each batch, if there is more than one device;
            `"data_parallel"`: likewise, with a single device too; a distribution of the engine's own kind; None: take
            away what is set.

    Raises:
        ValueError: It is none of these, or of the other engine's kind.
    """
    if wanted == "auto" and jax.device_count() == 1:
        wanted = None
    if wanted is None:
        keras.distribution.set_distribution(None)
        return
    if isinstance(wanted, str) and wanted in WORDS:
        # Of all processes: a device of another one's is none to Keras's default where it lists the local ones.
        wanted = keras.distribution.DataParallel(auto_shard_dataset=False)
    if not hasattr(wanted, "get_variable_layout"):
        kind = f"a tf.distribute {type(wanted).__name__}" if _is_of_tensorflow(wanted) else repr(wanted)
        raise ValueError(
            f'distribution is {kind}; on JAX choose "auto", "data_parallel" or an object of keras.distribution.'
        )
    keras.distribution.set_distribution(_careful(wanted))


def _is_of_tensorflow(value: Any) -> bool:
    return any(kind.__module__.partition(".")[0] == "tensorflow" for kind in type(value).__mro__)


def _careful(distribution: Any) -> Any:
    """Copy a distribution into one that divides batches only where it is told that all of them can be divided.

    Keras takes the layout of the first batch for all that follow, and would fail at a last smaller one. And what
    `predict` returns, every process wants whole.
    """

    class Careful(type(distribution)):  # type: ignore[misc]
        divides = False

        def get_data_layout(self, data_shape: Sequence[int]) -> Any:
            if self.divides:
                return super().get_data_layout(data_shape)
            return keras.distribution.TensorLayout([None] * len(data_shape), self.device_mesh)

    Careful.__name__ = Careful.__qualname__ = type(distribution).__name__
    careful = copy.copy(distribution)
    careful.__class__ = Careful
    careful.auto_shard_dataset = False  # each process is fed its part
    return careful


def divide_batches(divides: bool) -> None:
    """Say whether the batches of the next pass over data are divided, or go whole to every device.

    Of a distribution that the user has set with the engine itself nothing changes. Where an engine can divide batches
    of any size this does nothing.
    """
    current = distribution()
    if hasattr(current, "divides"):
        current.divides = divides


def divides_unevenly() -> bool:
    """Whether parts of a batch may differ in size, or hold nothing."""
    return False


def distribution() -> Any:
    """Return the engine's object that is in force, or None."""
    return keras.distribution.distribution()


def replicas() -> int:
    """Return into how many parts the devices divide a batch; 1 without a distribution."""
    current = distribution()
    return 1 if current is None else int(current.num_model_replicas)


def data_part() -> tuple[int, int]:
    """Return which part of every batch this process has to be fed, counted from 0, and into how many they go."""
    current, processes = distribution(), jax.process_count()
    if current is None or processes == 1:
        return 0, 1
    return int(current.data_shard_id), min(processes, replicas())


def built_outside(variables: Iterable[Any]) -> Any:
    """Return the first variable that does not lie as the distribution in force wants it, or None.

    Such a one was made before the distribution was set.
    """
    current = distribution()
    if current is None:
        return None
    devices = set(current.device_mesh.backend_mesh.devices.flat)
    return next((v for v in variables if set(v.value.sharding.device_set) != devices), None)


@contextlib.contextmanager
def undistributed() -> Iterator[None]:
    """Leave what is built in a `with` block to this process and its first device, where the engine allows it."""
    current = distribution()
    keras.distribution.set_distribution(None)
    try:
        yield
    finally:
        keras.distribution.set_distribution(current)


def whole(variable: Any) -> Any:
    """Return the full value of a variable as an array; collective where its parts lie with several processes."""
    value = variable.value
    if isinstance(value, jax.Array) and not (value.is_fully_addressable or value.is_fully_replicated):
        return multihost_utils.process_allgather(value, tiled=True)
    return keras.ops.convert_to_numpy(variable)


def global_draw(draw: Callable[[Any], Any], count: Any) -> Any:
    """Return the rows of `draw(number)` that belong to the examples at hand, within a step.

    Args:
        draw: Takes a number, returns so many random rows.
        count: Examples at hand: those of the whole batch here, where XLA divides the program; those of a part where
            each replica runs a program of its own.
    """
    return draw(count)


def beside_batch(values: Any) -> Any:
    """Return what a step has drawn, a row for each example, laid beside the examples: each device has its own rows.

    XLA divides what follows from the batch, and computes everything else whole on every device. A generator follows
    from its latents alone: without this it would take as long on many devices as on one.

    Args:
        values: Tensor `(batch, ...)`; where its rows cannot be divided evenly it stays whole.
    """
    current = distribution()
    if current is None or current.batch_dim_name is None or values.shape[0] % replicas():
        return values
    axes = [current.batch_dim_name, *[None] * (values.ndim - 1)]
    return keras.distribution.distribute_tensor(values, keras.distribution.TensorLayout(axes, current.device_mesh))
