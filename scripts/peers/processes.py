"""The orchestrator's end: starts the process of a contestant, has it train a round, says what it died of."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

from peers.contestants import Contestant
from peers.workloads import Workload

OF_TRAINER = ("kerasgan_trainer.train", "kerasgan_devices.train")
SCRIPTS = Path(__file__).resolve().parents[1]


class Failed(Exception):
    """A contestant's process has ended.

    Args:
        reason: In one line.
        said: All that it printed.
    """

    def __init__(self, reason: str, said: Sequence[str] = ()) -> None:
        super().__init__(reason)
        self.said = "\n".join(said)


class Worker:
    """The process of one contestant, alive until `close`.

    Args:
        contestant: Who.
        workload: What it is to train.
        kerasgan: Options for `kg.Trainer`, where the contestant is one of kerasgan's.
        folder: Where its runs go, and whatever it prints.

    Attributes:
        folder: As given.
        weights: How many it trains, once it is ready.
        answers: What it said after each round: seconds by the clock and of the processor, megabytes now and at the
            peak so far, programs compiled so far.
    """

    def __init__(self, contestant: Contestant, workload: Workload, kerasgan: dict[str, Any], folder: Path) -> None:
        self.contestant, self.folder, self._log = contestant, folder, folder / "log"
        folder.mkdir()
        self.answers: list[dict[str, float]] = []
        function = contestant.functions[workload.kind]
        more = kerasgan if function in OF_TRAINER else {}
        work = {"workload": asdict(workload), "function": function, "options": contestant.options | more}
        self.weights = 0
        self._output: IO[str] = self._log.open("w")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "peers.worker", contestant.name, json.dumps(work)],
            cwd=folder,
            env=_environment(contestant),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._output,
            text=True,
            start_new_session=True,  # Ctrl-C is for the orchestrator, which then ends the others
        )

    def ready(self) -> int:
        """Wait until it could begin; return how many weights it trains."""
        self.weights = int(self._answer()["parameters"])
        return self.weights

    def round(self) -> float:
        """Have it train one round; return its seconds."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # _answer says what happened
            self._process.stdin.write("\n")
            self._process.stdin.flush()
        answer = self._answer()
        self.answers.append(answer)
        return answer["seconds"]

    def close(self) -> None:
        """End the process: it is waiting, or its round is of no more interest."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.communicate()
        self._output.close()

    def _answer(self) -> dict[str, float]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if line:
            return json.loads(line)
        self._process.wait()
        said = self._log.read_text(errors="replace").strip().splitlines()
        raise Failed(f"ended with status {self._process.returncode}: {said[-1] if said else 'it said nothing'}", said)


@contextmanager
def started(
    contestants: Sequence[Contestant], workload: Workload, kerasgan: dict[str, Any], folder: Path
) -> Iterator[list[Worker]]:
    """Start all contestants; end their processes afterwards, whatever happened."""
    workers = []
    try:
        for contestant in contestants:
            workers.append(Worker(contestant, workload, kerasgan, folder / contestant.name))
        yield workers
    finally:
        for worker in workers:
            worker.close()


def _environment(contestant: Contestant) -> dict[str, str]:
    """Return the variables of its process: no setting that would make one faster than its users have it."""
    settings = {
        "PYTHONPATH": os.pathsep.join(filter(None, [str(SCRIPTS), os.environ.get("PYTHONPATH")])),
        "TF_CPP_MIN_LOG_LEVEL": "3",
        # Several processes share a GPU, each of which would take all of its memory.
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
        "TF_FORCE_GPU_ALLOW_GROWTH": "true",
    }
    return os.environ | settings | ({"KERAS_BACKEND": contestant.backend} if contestant.backend else {})
