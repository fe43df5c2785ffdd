"""What computed a state: equal bits can only be expected of the same versions, backend and threads."""

import platform
from importlib.metadata import version
from typing import Any

from kerasgan import backends

PACKAGES = ("kerasgan", "keras", "numpy")


def environment() -> dict[str, Any]:
    """Return `versions` by package, `backend`, `devices` and `threads`, of this process."""
    return {
        "backend": backends.name,
        "devices": backends.devices(),
        "threads": backends.threads(),
        "versions": {
            "python": platform.python_version(),
            "engine": backends.engine_version(),
            **{package: version(package) for package in PACKAGES},
        },
    }
