"""The process of one contestant, `python -m peers.worker NAME WORK`; it does a round each time it is told to.

It reads a line for each round on stdin, and answers with a line of JSON on stdout; at the end of stdin it ends. All
else that is printed goes to stderr, which `benchmark.py` keeps in a file. Runs and logs go into the present directory.
"""

import importlib
import json
import os
import resource
import sys
import time
from pathlib import Path
from typing import IO, TextIO

from peers.workloads import Workload


class Gate:
    """Lets one round of training through at a time, and says how long it took.

    Whoever trains by an epoch loop of its own calls `wait` at the beginning of every epoch, so that a round is all
    from there to the next: batches, steps, and what its callbacks do between two epochs.

    Args:
        orders: A line lets a round through; its end ends the process.
        answers: Where the seconds go.

    Attributes:
        programs: Compiled so far; whoever trains counts them, and most do not.
        followers: Where other processes that train along read their orders.
    """

    def __init__(self, orders: TextIO, answers: TextIO) -> None:
        self._orders, self._answers = orders, answers
        self._began: tuple[float, float] | None = None
        self._about: dict[str, int] = {}
        self.programs = 0
        self.followers: list[IO[str]] = []

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
            answer = {
                "seconds": now - self._began[0],
                "processor_seconds": used - self._began[1],  # of all its threads
                "peak_megabytes": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
                "resident_megabytes": resident_megabytes(),
                "programs": self.programs,
            }
        print(json.dumps(answer), file=self._answers, flush=True)
        if not self._orders.readline():
            raise SystemExit
        for follower in self.followers:
            print(file=follower, flush=True)
        self._began = time.perf_counter(), time.process_time()


def resident_megabytes() -> float | None:
    """Return how much memory this process has now; None where only the peak is known, as outside of Linux."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return None
    return round(pages * resource.getpagesize() / 2**20, 1)


def main() -> None:
    """Do round after round until stdin ends."""
    work = json.loads(sys.argv[2])
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints must not look like an answer
    shape = tuple(work["workload"].pop("image_shape"))
    workload = Workload(image_shape=shape, **work["workload"])
    file, function = work["function"].split(".")
    train = getattr(importlib.import_module(f"peers.{file}"), function)
    train(workload, Gate(sys.stdin, answers), **work["options"])


if __name__ == "__main__":
    main()
