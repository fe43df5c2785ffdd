"""How much faster several devices and several processes train: who takes part, and what their rounds come to."""

import os
import statistics
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from peers.contestants import Contestant
from peers.report import short
from peers.workloads import Workload

PROCESSES = 2  # at most, so that each has half of the cores
KINDS = ("gan", "classifier")  # of workloads, that something is trained in
_ACCELERATORS = {
    "jax": "import jax; print(sum(device.platform != 'cpu' for device in jax.local_devices()))",
    "tensorflow": "import tensorflow; print(len(tensorflow.config.list_physical_devices('GPU')))",
}


@dataclass(frozen=True)
class Layout:
    """What computes a step together.

    Attributes:
        backend: `"jax"` or `"tensorflow"`.
        devices: Of each process.
        processes: On this machine, each with hardware of its own: an accelerator, or half of the processor's cores.
            None for a single one that has all there is.
        accelerators: Whether the devices are no parts of the processor.
        per_device: Whether each device gets a batch as large as that of one device alone, or its part of that one.
    """

    backend: str
    devices: int = 1
    processes: int | None = None
    accelerators: bool = False
    per_device: bool = False

    @property
    def name(self) -> str:
        """In the table."""
        if self.processes is not None:
            return f"{self.backend}-{self.processes}-process{'es' if self.processes > 1 else ''}"
        return f"{self.backend}-{self.devices}-device{'s' if self.devices > 1 else ''}"

    @property
    def base(self) -> str:
        """The layout it is held against: a single one of its kind."""
        return Layout(self.backend, processes=None if self.accelerators or self.processes is None else 1).name

    @property
    def parts(self) -> int:
        """Into how many a batch is divided."""
        return self.devices * (self.processes or 1)

    @property
    def hardware(self) -> int:
        """How many times as much of it computes as for its base: devices of a processor share the same cores."""
        return self.parts if self.accelerators else self.processes or 1

    def contestant(self) -> Contestant:
        """Return who trains in this layout."""
        functions = dict.fromkeys(KINDS, "kerasgan_devices.train")
        return Contestant(self.name, functions, (self.backend,), self.backend, asdict(self))


def layouts(backend: str, accelerators: int, cores: int, per_device: bool = False) -> list[Layout]:
    """Return the layouts that a machine can show something of.

    Args:
        backend: `"jax"` or `"tensorflow"`.
        accelerators: How many there are; 0 for those of the processor.
        cores: Of the processor.
        per_device: As in `Layout`.
    """
    most = accelerators or (4 if cores >= 4 else 2)
    counts = [count for count in (1, 2, 4, 8, 16) if count < most] + [most]
    found = [Layout(backend, count, accelerators=accelerators > 0, per_device=per_device) for count in counts]
    # One process with an accelerator of its own is the first of the devices.
    processes = [2] if accelerators > 1 else [] if accelerators or cores < PROCESSES else [1, PROCESSES]
    return found + [replace(found[0], processes=count) for count in processes]


def accelerators(backend: str) -> int:
    """Return how many GPUs, or devices of that kind, a backend finds; asked in a process that ends."""
    command = [sys.executable, "-c", _ACCELERATORS[backend]]
    told = subprocess.run(command, env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}, capture_output=True, text=True)
    lines = told.stdout.split()
    return int(lines[-1]) if told.returncode == 0 and lines else 0


def figures(
    workload: Workload, answers: dict[str, list[dict[str, Any]]], taking_part: Sequence[Layout], weights: int
) -> dict[str, dict[str, Any]]:
    """Work out what the rounds of each layout come to.

    Args:
        workload: What was trained, on one device.
        answers: `{layout: what it said after each round}`; round `i` of all stands side by side.
        taking_part: The layouts, those that failed included.
        weights: How many are trained.

    Returns:
        `{layout: figures}`: milliseconds a step, images a second; `speed_up`, its images a second over those of its
        base in the same round, of which the median is taken; `efficiency`, that over how much more hardware computes.
        Both None if the base has failed. And the bytes of the gradients in float32, of which all devices need the sum.
    """
    result = {}
    for layout in taking_part:
        if layout.name not in answers:
            continue
        batch = _batch(layout, workload)
        seconds = [answer["seconds"] for answer in answers[layout.name]]
        steps = [1000 * spent / workload.steps for spent in seconds]
        speed_up = None
        if layout.base in answers:
            base = [answer["seconds"] / workload.batch_size for answer in answers[layout.base]]
            pairs = zip(base, seconds, strict=True)
            speed_up = statistics.median(alone / (spent / batch) for alone, spent in pairs)
        result[layout.name] = {
            "layout": asdict(layout),
            "batch_size": batch,
            "ms_per_step": {"median": statistics.median(steps), "min": min(steps), "max": max(steps)},
            "images_per_second": 1000 * batch / statistics.median(steps),
            "speed_up": speed_up,
            "efficiency": None if speed_up is None else speed_up / layout.hardware,
            "gradient_bytes": 4 * weights,
            "seconds": seconds,
        }
    return result


def _batch(layout: Layout, workload: Workload) -> int:
    return workload.batch_size * (layout.parts if layout.per_device else 1)


def table(results: dict[str, dict[str, Any]]) -> Iterable[str]:
    """Yield the lines of a table for people."""
    yield f"{'layout':22}  {'batch':>5}  {'ms a step':>9}  {'from - to':>13}  {'images/s':>8}  {'x':>5}  {'eff.':>5}"
    for name, found in results.items():
        step, ratio = found["ms_per_step"], found["speed_up"]
        spread = f"{short(step['min'])} - {short(step['max'])}"
        speed = [f"{found['batch_size']:5}", f"{short(step['median']):>9}", f"{spread:>13}"]
        shares = [f"{'-':>5}"] * 2 if ratio is None else [f"{short(ratio):>5}", f"{found['efficiency']:5.0%}"]
        yield "  ".join([f"{name:22}", *speed, f"{found['images_per_second']:8.0f}", *shares])
    yield "x: images/s over those of one device or process; eff.: x over how many there are"
    sizes = {found["gradient_bytes"] / 1e6 for found in results.values()}
    yield f"gradients: {', '.join(map(short, sizes))} MB a step, of which every device needs the sum"
    kinds = [found["layout"] for found in results.values()]
    if any(kind["devices"] > 1 and not kind["accelerators"] for kind in kinds):
        yield "devices of a processor share its cores: eff. is what is left of its speed"
    if any((kind["processes"] or 1) > 1 and not kind["accelerators"] for kind in kinds):
        yield "a process has half of the cores to itself, also where it is the only one"
