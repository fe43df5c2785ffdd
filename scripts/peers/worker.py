"""The process of one contestant, `python -m peers.worker NAME OPTIONS`; it trains a round each time it is told to.

It reads a line for each round on stdin, and answers with a line of JSON on stdout; at the end of stdin it ends. All
else that is printed goes to stderr, which `benchmark.py` keeps in a file. Runs and logs go into the present directory.
"""

import importlib
import json
import os
import resource
import sys
import time
from typing import TextIO

from peers.contestants import BY_NAME
from peers.workloads import Workload


class Gate:
    """Lets one round of training through at a time, and says how long it took.

    Whoever trains by an epoch loop of its own calls `wait` at the beginning of every epoch, so that a round is all
    from there to the next: batches, steps, and what its callbacks do between two epochs.

    Args:
        orders: A line lets a round through; its end ends the process.
        answers: Where the seconds go.
    """

    def __init__(self, orders: TextIO, answers: TextIO) -> None:
        self._orders, self._answers = orders, answers
        self._began: tuple[float, float] | None = None
        self._about: dict[str, int] = {}

    def ready(self, parameters: int) -> None:
        """Say how many weights are trained, which must be the same for all."""
        self._about = {"parameters": parameters}

    def wait(self) -> None:
        """Report the round that is over, and return once the next one may begin.

        The caller has waited for its devices: all that was asked of them is computed.

        Raises:
            SystemExit: There is no next one.
        """
        now, used = time.perf_counter(), time.process_time()
        if self._began is None:
            answer: dict[str, float] = dict(self._about)
        else:
            kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            answer = {
                "seconds": now - self._began[0],
                "processor_seconds": used - self._began[1],  # of all its threads
                "peak_megabytes": round(kilobytes / 1024),
            }
        print(json.dumps(answer), file=self._answers, flush=True)
        if not self._orders.readline():
            raise SystemExit
        self._began = time.perf_counter(), time.process_time()


def main() -> None:
    """Train until stdin ends."""
    name, options = sys.argv[1], json.loads(sys.argv[2])
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints must not look like an answer
    shape = tuple(options["workload"].pop("image_shape"))
    workload = Workload(image_shape=shape, **options["workload"])
    contestant = BY_NAME[name]
    more = options["kerasgan"] if contestant.module == "kerasgan_trainer" else {}
    train = importlib.import_module(f"peers.{contestant.module}").train
    train(workload, Gate(sys.stdin, answers), **contestant.options, **more)


if __name__ == "__main__":
    main()
