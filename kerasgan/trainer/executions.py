"""An epoch cut into executions: training steps that run as one program, with nothing of Python between them."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from kerasgan.data import Batches
from kerasgan.data.resident import Resident
from kerasgan.modules import Module


@dataclass(frozen=True)
class Execution:
    """Batches `first` to `first + count - 1` of an epoch, of `size` images each."""

    first: int
    count: int
    size: int

    @property
    def end(self) -> int:
        """The batch after the last one."""
        return self.first + self.count


def cut(sizes: Sequence[int], longest: int, cuts: Iterable[int]) -> list[Execution]:
    """Cut an epoch into as few executions as may be.

    Args:
        sizes: Images in each batch; only batches of one size make one program.
        longest: Batches in an execution, at most.
        cuts: Batches before which an execution has to end.

    Returns:
        The executions, in order; together they are the epoch.
    """
    ends = {len(sizes), *(place for place in cuts if 0 < place < len(sizes))}
    ends |= {place for place in range(1, len(sizes)) if sizes[place] != sizes[place - 1]}
    executions, first = [], 0
    for end in sorted(ends):
        for begin in range(first, end, longest):
            executions.append(Execution(begin, min(longest, end - begin), sizes[begin]))
        first = end
    return executions


def leading(arrays: Any, index: Any) -> Any:
    """Read a batch out of stacked batches, within a compiled step."""
    return keras.tree.map_structure(lambda array: array[index], arrays)


class Executions(keras.utils.PyDataset):
    """What Keras counts in place of batches, if several of them are one execution.

    Keras's own `steps_per_execution` is a grid, which a checkpoint, a limit of steps or a smaller last batch does not
    fit. Here every execution ends where something is due, so that all of it happens at its exact step. The programs
    take the number of steps as an argument: however an epoch is cut, it is the same program and gives the same bits.

    Keras has to know beforehand how many executions an epoch has: it is given the most that any can have, and what is
    left over does nothing.

    Args:
        batches: Training data.
        longest: Steps in an execution, at most.
        due: Something happens after every step that one of these numbers divides.
        last_step: The step to end with, counted over all epochs, if there is one.
        resident: The same data on the device, or None to stack batches as they come.
    """

    def __init__(
        self,
        batches: Batches,
        longest: int,
        due: Iterable[int] = (),
        last_step: int | None = None,
        resident: Resident | None = None,
    ) -> None:
        super().__init__()
        self.batches, self.longest = batches, longest
        self._due, self._last_step, self._resident = tuple(due), last_step, resident
        self._plan: list[Execution] = []
        self._next = 0
        self._logs: Any = {}
        self._sample: Any = None

    @property
    def labels(self) -> Any:
        """The labels of the whole split, as `Batches` has them: a conditional GAN looks at them before it trains."""
        return self.batches.labels

    @property
    def num_batches(self) -> int:
        """Executions in an epoch, at most."""
        steps = self.batches.num_batches
        ends = sum(steps // every + 1 for every in self._due) + 3  # of the epoch, of the run, before a smaller batch
        return min(steps, -(-steps // self.longest) + ends)

    def __getitem__(self, index: int) -> Any:
        """Return the first batch, by which Keras builds what is not built; programs read their batches themselves."""
        if self._sample is None:
            self._sample = self.batches[0]
        return self._sample

    def begin(self, step: int) -> None:
        """Cut the epoch that begins with the given number of training steps done."""
        batches = self.batches
        steps, images = batches.num_batches, len(batches.order)
        sizes = [min(batches.batch_size, images - place * batches.batch_size) for place in range(steps)]
        cuts = {place for every in self._due for place in range(-step % every, steps, every)}
        if self._last_step is not None:
            cuts.add(self._last_step - step)
        self._plan, self._next = cut(sizes, self.longest, cuts), 0
        self._arrays = None if self._resident is None else self._resident.arrays(batches)

    def at(self, index: int) -> Execution | None:
        """Return an execution of this epoch by its number, or None beyond the last one."""
        return self._plan[index] if index < len(self._plan) else None

    def train_function(self, module: Module) -> Callable[..., Any]:
        """Return what Keras calls once for each execution."""

        def run(*arguments: Any) -> Any:
            *state, _ = arguments
            execution, self._next = self.at(self._next), self._next + 1
            if execution is None:
                return (self._logs, *state) if state else self._logs
            outcome = self._program(module, execution.size)(*state, *self._reading(execution))
            self._logs = outcome[0] if state else outcome
            return outcome

        return run

    def _program(self, module: Module, size: int) -> Callable[..., Any]:
        read = leading if self._resident is None else self._resident.gather(self.batches, size)
        return module.program(read, several=self.longest > 1 or module.loops_well)

    def _reading(self, execution: Execution) -> tuple[Any, int, int]:
        """Return the arrays to read from, the first index to read and how many."""
        if self._arrays is not None:
            return self._arrays, execution.first, execution.count
        parts = [self.batches[place] for place in range(execution.first, execution.end)]
        # Always of one shape, so that there is one program; what is read stays below `count`.
        parts += parts[-1:] * (self.longest - execution.count)
        return keras.tree.map_structure(lambda *arrays: np.stack(arrays), *parts), 0, execution.count
