"""kerasgan's batches on the host, of images in memory or of pictures in a folder: what Keras's `fit` would be given."""

from collections.abc import Iterator
from typing import Any

import kerasgan as kg
from peers.pictures import written
from peers.reading import read
from peers.worker import Gate
from peers.workloads import Workload


class Epochs:
    """A split whose every iteration is an epoch of its own; Keras's `fit` counts them otherwise."""

    def __init__(self, batches: kg.data.Batches) -> None:
        self.batches = batches

    def __iter__(self) -> Iterator[Any]:
        yield from (self.batches[number] for number in range(len(self.batches)))
        self.batches.epoch += 1  # another order


def in_memory(workload: Workload, gate: Gate) -> None:
    """Read round after round from an array."""
    read(Epochs(kg.data.DataModule(workload.pixels(), batch_size=workload.batch_size).train), gate)


def streamed(workload: Workload, gate: Gate) -> None:
    """Read round after round from a folder of PNGs, decoded a little ahead by `grain`.

    What lies decoded when a round begins, the round before has paid for.
    """
    read(Epochs(kg.data.load(written(workload), batch_size=workload.batch_size, stream=True).train), gate)
