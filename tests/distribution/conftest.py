"""Devices and processes are fixed as an engine starts, so runs on several are children of the test."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import pytest

backend = keras.backend.backend()
# Each file is one backend's, or says nothing of a backend.
collect_ignore_glob = ["test_tensorflow*"] if backend == "jax" else ["test_jax*"]

SCRIPTS = Path(__file__).parents[2] / "scripts"
PROGRAM = Path(__file__).with_name("life.py")
# What TensorFlow says as it is imported, whatever it is told: how it will compute, and that it finds no GPU.
OF_TENSORFLOW = re.compile(r"WARNING: All log messages before absl::InitializeLog\(\)|I\d{4} \d\d:.*\.cc:\d+\] ")
# Both of a pair compile the same program at once, and JAX says so where one finds it half written by the other.
QUIET = {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "PYTHONWARNINGS": "ignore:Error reading persistent compilation cache entry:UserWarning",
}
SECONDS = 240.0  # For a child that hangs; a quiet machine needs a tenth of it.


class Child:
    """One process of a run, with what it says on its two streams in files."""

    def __init__(self, command: list[str], folder: Path, name: str, env: dict[str, str]) -> None:
        self.files = [folder / f"{name}.{stream}" for stream in ("out", "err")]
        out, err = (file.open("w") for file in self.files)
        with out, err:
            # A session of its own: whatever it starts can be ended with it.
            self.process = subprocess.Popen(
                [sys.executable, *command],
                stdout=out,
                stderr=err,
                env={**os.environ, "KERAS_BACKEND": backend, **QUIET, **env},
                start_new_session=True,
            )

    def wait(self, seconds: float = SECONDS) -> int:
        """Return the exit status."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.end()
            pytest.fail(f"still running after {seconds:.0f} s:\n{self.said}")

    def end(self) -> None:
        """Kill it, and what it has started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    @property
    def out(self) -> str:
        return self.files[0].read_text()

    @property
    def err(self) -> str:
        lines = self.files[1].read_text().splitlines(keepends=True)
        return "".join(line for line in lines if not OF_TENSORFLOW.match(line))

    @property
    def said(self) -> str:
        return f"{self.out}\n{self.files[1].read_text()}"

    def results(self) -> list[Any]:
        """What each task has returned."""
        return [
            json.loads(line.removeprefix("RESULT ")) for line in self.out.splitlines() if line.startswith("RESULT ")
        ]


class Children:
    """Starts children, and ends them with the test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.all: list[Child] = []

    def start(self, tasks: list[dict[str, Any]], *, devices: int = 1, options: dict[str, str] | None = None) -> Child:
        """Start one process that sees so many devices, all of them cores of the processor."""
        flags = {"XLA_FLAGS": f"--xla_force_host_platform_device_count={devices}", "LIFE_DEVICES": str(devices)}
        return self._started([str(PROGRAM), json.dumps(tasks)], {**flags, **(options or {})})

    def script(self, name: str, arguments: list[str]) -> Child:
        """Start one of the project's scripts."""
        return self._started([str(SCRIPTS / name), *arguments], {})

    def _started(self, command: list[str], env: dict[str, str]) -> Child:
        child = Child(command, self.folder, f"child-{len(self.all)}", env)
        self.all.append(child)
        return child

    def pair(self, tasks: list[dict[str, Any]], *others: list[dict[str, Any]]) -> list[Child]:
        """Start two processes that find each other; the second may be given other tasks."""
        address = f"127.0.0.1:{free_port()}"
        each = [tasks, *others] if others else [tasks, tasks]
        return [
            self.start(own, options={"LIFE_COORDINATOR": address, "LIFE_PROCESS": str(number)})
            for number, own in enumerate(each)
        ]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@pytest.fixture(scope="module")
def children(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Children]:
    started = Children(tmp_path_factory.mktemp("children"))
    yield started
    for child in started.all:
        child.end()


@pytest.fixture(scope="session")
def wait_for():
    """Wait until something is so."""

    def wait(condition, seconds: float = SECONDS) -> None:
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, "it did not come to pass"
            time.sleep(0.05)

    return wait
