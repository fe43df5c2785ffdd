"""kerasgan's trainer on several devices, and as several processes of this machine.

The process that the benchmark has started is process 0. It starts the others, which do a round when it does.
"""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import IO, Any

from peers.scaling import PROCESSES, Layout
from peers.worker import Gate
from peers.workloads import Workload


def train(workload: Workload, gate: Gate, process: int = 0, coordinator: str | None = None, **options: Any) -> None:
    """Train round after round.

    Args:
        workload: On one device.
        gate: As ever.
        process: Which process of the layout this is.
        coordinator: Where the processes meet; None for process 0, which chooses.
        options: Those of `Layout`, and of `kerasgan_trainer.train`.
    """
    layout = Layout(**{name: options.pop(name) for name in asdict(Layout("")) if name in options})
    processes, coordinator = layout.processes or 1, coordinator or f"127.0.0.1:{free_port()}"
    # Before this one takes its part of the hardware, which they would take theirs of.
    with started(range(1, processes) if process == 0 else (), layout, workload, coordinator, options) as orders:
        take_hardware(layout, process)
        # Only now: an engine looks at its devices when it is imported, or soon after.
        import kerasgan as kg
        from peers import kerasgan_trainer

        if processes > 1:
            kg.connect(coordinator, processes, process)
        gate.followers = orders
        distribution = "data_parallel" if layout.parts > 1 else None
        own = workload.changed(batch_size=workload.batch_size * (layout.parts if layout.per_device else 1))
        kerasgan_trainer.train(own, gate, distribution=distribution, **options)


def take_hardware(layout: Layout, process: int) -> None:
    """Restrict this process to what it has in a layout; before its engine is imported."""
    if layout.accelerators:
        visible = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")
        first = process * layout.devices
        chosen = range(first, first + layout.devices)
        os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(visible[i] if visible != [""] else str(i) for i in chosen)
        return
    if layout.processes is not None and hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        each = len(cores) // PROCESSES
        os.sched_setaffinity(0, cores[process * each : (process + 1) * each])
    if layout.devices == 1:
        return
    if layout.backend == "jax":
        flag = f"--xla_force_host_platform_device_count={layout.devices}"
        os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {flag}".strip()
        return
    import tensorflow as tf

    (processor,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(
        processor, [tf.config.LogicalDeviceConfiguration() for _ in range(layout.devices)]
    )


@contextmanager
def started(
    numbers: Iterable[int], layout: Layout, workload: Workload, coordinator: str, options: dict[str, Any]
) -> Iterator[list[IO[str]]]:
    """Start the processes with these numbers, and end them afterwards.

    Yields:
        Where they read their orders, at the end of which they end.
    """
    running = []
    try:
        for number in numbers:
            more = asdict(layout) | options | {"process": number, "coordinator": coordinator}
            work = {"workload": asdict(workload), "function": "kerasgan_devices.train", "options": more}
            command = [sys.executable, "-m", "peers.worker", f"{layout.name}-{number}", json.dumps(work)]
            running.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True))
        yield [process.stdin for process in running if process.stdin is not None]
    finally:
        for process in running:
            process.kill()
            process.communicate()


def free_port() -> int:
    """Return a port of this machine on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
