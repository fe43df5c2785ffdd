"""kerasgan's images on the device: gathered and normalized within the program of the step, by an index.

Nothing is trained; the mean of every batch is taken, as the least that makes a compiler make it. The parts are those
that `Trainer` puts together for data of `kg.data` that fits.
"""

from typing import Any

import keras
from keras import ops

import kerasgan as kg
from peers.worker import Gate
from peers.workloads import Workload


def train(workload: Workload, gate: Gate) -> None:
    """Read round after round, each of which is one program, as of a step that takes no time."""
    batches = kg.data.DataModule(workload.pixels(), batch_size=workload.batch_size).train
    resident = kg.data.resident.Resident(batches)

    def step(*arguments: Any) -> Any:
        *state, (images,) = arguments
        logs = {"brightness": ops.mean(images)}
        return (logs, *state) if state else logs

    state = kg.backends.state_of(())
    read = kg.backends.program(step, resident.gather(batches, workload.batch_size), several=True, jit_compile=True)
    gate.ready(0)
    while True:
        gate.wait()
        outcome = read(*state, resident.arrays(batches), 0, workload.steps)
        keras.tree.map_structure(ops.convert_to_numpy, outcome[0] if state else outcome)  # so that it is computed
        batches.epoch += 1  # another order
