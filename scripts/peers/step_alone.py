"""The compiled step of kerasgan against that of `by_hand_jax`, called by turns in one process: nothing else is timed.

    KERAS_BACKEND=jax python scripts/peers/step_alone.py 25

Prints the median ratio of pairs, by the processor time of the whole process, which other jobs disturb least, and by the
clock. The batch lies on the device for both.
"""

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import jax
import jax.numpy as jnp

import kerasgan as kg
from peers.by_hand_jax import training_step
from peers.kerasgan_trainer import build
from peers.workloads import WORKLOADS


class Turns:
    """Calls a step again and again, each time on the state that the last one has left."""

    def __init__(self, step: Callable[[Any], tuple[Any, Any]], state: Any) -> None:
        self._step, self._state = step, state
        self.seconds: list[tuple[float, float]] = []  # of the processor and of the clock

    def take(self) -> None:
        """Take one step, and wait for it."""
        began = time.process_time(), time.perf_counter()
        self._state, losses = self._step(self._state)
        jax.block_until_ready(losses)
        self.seconds.append((time.process_time() - began[0], time.perf_counter() - began[1]))


def main(pairs: int) -> None:
    """Take both steps by turns, after two that compile and warm up."""
    workload = WORKLOADS["dcgan"].changed(steps=1)
    step, state, _ = training_step(workload)
    compiled, images = jax.jit(step, donate_argnums=0), jnp.asarray(workload.images())
    by_hand = Turns(lambda state: compiled(state, images), state)

    gan, data = build(workload), kg.data.DataModule(workload.pixels(), batch_size=workload.batch_size)
    on_device = kg.data.resident.Resident(data.train)
    arrays = on_device.arrays(data.train)
    program = gan.program(on_device.gather(data.train, workload.batch_size), several=False)
    ours = Turns(lambda state: program(state, arrays, 0, 1)[::-1], *kg.backends.state_of(gan.step_variables()))

    for pair in range(2 + pairs):
        for turns in (by_hand, ours) if pair % 2 else (ours, by_hand):
            turns.take()
    for place, name in enumerate(("processor time", "time")):
        ratios = [one[place] / other[place] for one, other in zip(ours.seconds[2:], by_hand.seconds[2:], strict=True)]
        print(
            f"{name} of kerasgan's step over the one by hand: {statistics.median(ratios):.3f}, median of {pairs} pairs"
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 25)
