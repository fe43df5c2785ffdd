"""What the rounds come to: medians, spreads, and ratios to kerasgan; as a table of 80 columns and as JSON."""

import importlib.metadata
import os
import platform
import statistics
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from peers.contestants import KERASGAN
from peers.workloads import Workload

PACKAGES = ("keras", "jax", "tensorflow", "torch", "lightning", "kerasgan")


def figures(workload: Workload, answers: dict[str, list[dict[str, Any]]]) -> dict[str, dict[str, Any]]:
    """Work out what each contestant's rounds come to.

    Args:
        workload: What was trained.
        answers: `{contestant: what it said after each round}`; round `i` of all stands side by side.

    Returns:
        `{contestant: figures}`: milliseconds a step, images a second, and `over`, its time over that of each
        kerasgan of the same round, of which the median is taken: a round on a busy machine is a busy one for both.
    """
    seconds = {name: [answer["seconds"] for answer in rounds] for name, rounds in answers.items()}
    result = {}
    for name, rounds in seconds.items():
        steps = [1000 * spent / workload.steps for spent in rounds]
        middle = statistics.median(steps)
        result[name] = {
            "ms_per_step": {"median": middle, "min": min(steps), "max": max(steps)},
            "images_per_second": 1000 * workload.batch_size / middle,
            "over": {
                base: statistics.median(own / other for own, other in zip(rounds, seconds[base], strict=True))
                for base in KERASGAN
                if base in seconds
            },
            "seconds": rounds,
            "processor_seconds": [answer["processor_seconds"] for answer in answers[name]],
            "peak_megabytes": answers[name][-1]["peak_megabytes"],
        }
    return result


def table(results: dict[str, dict[str, Any]]) -> Iterable[str]:
    """Yield the lines of a table for people."""
    yield f"{'contestant':28}  {'ms a step':>9}  {'from - to':>13}  {'images/s':>8}  {'x jax':>5}  {'x tf':>5}"
    for name, found in results.items():
        step, over = found["ms_per_step"], found["over"]
        ratios = [f"{short(over[base]) if base in over else '-':>5}" for base in KERASGAN]
        spread = f"{short(step['min'])} - {short(step['max'])}"
        speed = f"{found['images_per_second']:8.0f}"
        yield "  ".join([f"{name:28}", f"{short(step['median']):>9}", f"{spread:>13}", speed, *ratios])
    yield "x jax, x tf: time over that of kerasgan on JAX, on TensorFlow; median of rounds"


def short(number: float) -> str:
    """Write a number with three digits at least, and none after the point beyond them."""
    return f"{number:.{0 if number >= 100 else 1 if number >= 10 else 2 if number >= 1 else 3}f}"


def machine() -> dict[str, Any]:
    """Say what it ran on."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return {
        "processor": names[0] if names else platform.processor() or platform.machine(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "load": round(os.getloadavg()[0], 2),
    }


def warning(machine: dict[str, Any]) -> str | None:
    """Return what to say of a machine that is not at rest; None of one that is."""
    if machine["load"] <= machine["cores"] / 4:
        return None
    return (
        f"the load is {machine['load']} on {machine['cores']} cores: others are at work here. Ratios suffer too, above "
        "all those of contestants whose threads wait for each other; measure again on a quiet machine."
    )


def versions() -> dict[str, str]:
    """Return the versions of what is installed."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
