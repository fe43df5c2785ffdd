"""How many training steps run as one program, and where their data lies."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops

from kerasgan import backends
from kerasgan.data import Batches
from kerasgan.data.resident import Resident
from kerasgan.modules import Module
from kerasgan.trainer.executions import Executions

# What Python, Keras and the callbacks take between two executions is 0.1 to 0.2 ms: under 2 % of these.
_LONG_STEP_SECONDS = 0.01
_EXECUTION_SECONDS = 0.05  # A signal or a checkpoint waits for a few executions at most.
_SHORT_RUN = 100  # Steps.
_REPEATS = 3
_BATCH_HOOKS = ("on_train_batch_begin", "on_train_batch_end", "on_batch_begin", "on_batch_end")


@dataclass(frozen=True)
class Pace:
    """What `fit` hands to Keras in place of batches, if that is of any use.

    Attributes:
        steps: Training steps in an execution, at most.
        resident: The training data on the device; None if it does not fit there, or is none of `kg.data`'s.
        fuses: Whether `Executions` are used at all; otherwise Keras does it its own way.
    """

    steps: int = 1
    resident: Resident | None = None
    fuses: bool = False

    @classmethod
    def of(
        cls,
        module: keras.Model,
        data: Any,
        callbacks: Sequence[keras.callbacks.Callback],
        wanted: int | str,
        *,
        known: int | None = None,
        steps_to_go: int | None = None,
    ) -> "Pace":
        """Choose a pace.

        Args:
            module: Compiled.
            data: To train on.
            callbacks: Those of the run.
            wanted: Steps in an execution, or `"auto"`: as many as make what lies between two of them less than 2 % of
                the time; one where a step takes long by itself, or where a callback of the user's wants to be called
                for each.
            known: What `"auto"` has chosen before a resume.
            steps_to_go: Of the run, if that is known: a short one is over before a choice has paid.
        """
        if not _can_fuse(module, data):
            return cls(steps=module.steps_per_execution if wanted == "auto" else int(wanted))
        resident = Resident(data) if _fits(data) else None
        if wanted == "auto" and module.steps_per_execution > 1:
            wanted = module.steps_per_execution  # as it was compiled
        if wanted != "auto":
            steps = int(wanted)
        elif resident is None or any(map(_watches_batches, callbacks)):
            steps = 1
        elif known is not None:
            steps = known
        elif steps_to_go is not None and steps_to_go < _SHORT_RUN:
            steps = 1
        else:
            steps = _measured(module, data, resident)
        return cls(steps, resident, fuses=True)

    def executions(
        self, batches: Batches, callbacks: Sequence[keras.callbacks.Callback], last_step: int | None
    ) -> Executions:
        """Return what Keras shall count in place of `batches`."""
        every = {getattr(callback, "every_n_steps", None) for callback in callbacks}
        due = [number for number in every if isinstance(number, int)]
        return Executions(batches, self.steps, due, last_step, self.resident)

    @contextmanager
    def kept(self, module: keras.Model) -> Iterator[None]:
        """Let Keras step at this pace for the time of a `fit`, and afterwards as the module was compiled."""
        steps, train, test = module.steps_per_execution, module.train_function, module.test_function
        wanted = 1 if self.fuses else self.steps
        if steps != wanted:
            module.steps_per_execution, module.train_function, module.test_function = wanted, None, None
        try:
            yield
        finally:
            if self.fuses:
                module.train_function = train
            if steps != wanted:
                module.steps_per_execution, module.train_function, module.test_function = steps, train, test


def _can_fuse(module: keras.Model, data: Any) -> bool:
    return (
        isinstance(module, Module)
        and isinstance(data, Batches)
        and module.built
        and type(module).train_step is Module.train_step
        and not module.run_eagerly
        and (bool(module.jit_compile) or backends.name == "tensorflow")
        and backends.distribution() is None
    )


def _fits(batches: Batches) -> bool:
    """Whether the images are in memory, and may be on the device as well."""
    return isinstance(batches.images, np.ndarray) and batches.images.nbytes < backends.free_bytes() / 4


def _watches_batches(callback: keras.callbacks.Callback) -> bool:
    """Whether a callback of neither Keras's nor ours wants to be called for every batch."""
    if any(hook in vars(callback) for hook in _BATCH_HOOKS):  # as in a LambdaCallback
        return True
    if type(callback).__module__.partition(".")[0] in ("keras", "kerasgan"):
        return False
    return any(getattr(type(callback), hook) is not getattr(keras.callbacks.Callback, hook) for hook in _BATCH_HOOKS)


def _measured(module: Module, batches: Batches, resident: Resident) -> int:
    """Time a few steps, and undo them."""
    _build_metrics(module, batches)
    module.make_train_function()
    arrays, read = resident.arrays(batches), resident.gather(batches, min(batches.batch_size, len(batches.order)))
    variables = [variable for group in module.step_variables() for variable in group]
    values = [np.array(ops.convert_to_numpy(variable)) for variable in variables]
    state = backends.state_of(module.step_variables())

    def seconds(run: Callable[..., Any], steps: int) -> float:
        """Run once more than is timed, since the first one compiles, and stop where it is clear."""
        nonlocal state
        fastest = math.inf
        for turn in range(1 + _REPEATS):
            began = time.perf_counter()
            outcome = run(*state, arrays, 0, steps)
            logs, state = (outcome[0], outcome[1:]) if state else (outcome, ())
            for log in logs.values():
                ops.convert_to_numpy(log)
            if turn and (fastest := min(fastest, time.perf_counter() - began)) > 10 * _LONG_STEP_SECONDS:
                break
        return fastest / steps

    try:
        alone = seconds(module.program(read, several=module.loops_well), 1)
        whole_batches = len(batches.order) // read.size
        steps = min(whole_batches, math.ceil(_LONG_STEP_SECONDS / alone))
        if steps <= 1:
            return 1
        among_others = seconds(module.program(read, several=True), steps)
        if among_others > alone:  # as convolutions may be that XLA compiles within a loop
            return 1
        return min(batches.num_batches, math.ceil(_EXECUTION_SECONDS / among_others))
    finally:
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)


def _build_metrics(module: Module, batches: Batches) -> None:
    """Make the metrics of `compile`, which Keras leaves to the first batch."""
    if not module.judges or batches.labels is None:
        return
    images, labels = (ops.convert_to_tensor(part) for part in batches[0])

    def compute() -> None:
        outputs = module(images, training=False)
        module.compute_loss(images, labels, outputs)
        module.compute_metrics(images, labels, outputs)

    backends.build_metrics(compute)
    module.reset_metrics()
