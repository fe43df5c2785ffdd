"""What computed a state: equal bits can only be expected of the same versions, backend and threads."""

import platform
from importlib.metadata import version
from typing import Any

from kerasgan import backends

PACKAGES = ("kerasgan", "keras", "numpy")


def environment() -> dict[str, Any]:
    """Return `versions` by package, `backend`, `devices`, `distribution` and `threads`, of this process."""
    return {
        "backend": backends.name,
        "devices": backends.devices(),
        "distribution": _distribution(),
        "threads": backends.threads(),
        "versions": {
            "python": platform.python_version(),
            "engine": backends.engine_version(),
            **{package: version(package) for package in PACKAGES},
        },
    }


def _distribution() -> str | None:
    """Return what is distributed over how much, such as `"DataParallel: 4 parts, 2 processes"`."""
    current, processes = backends.distribution(), backends.process_count()
    if current is None:
        return None
    return f"{type(current).__name__}: {backends.replicas()} parts" + (f", {processes} processes" * (processes > 1))
