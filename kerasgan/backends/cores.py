"""How many processor cores an engine takes."""

import os


def cores_or(variable: str) -> int:
    """Return the positive number that an environment variable holds, else how many cores this process may use."""
    given = os.environ.get(variable, "")
    if given.isdecimal() and int(given):
        return int(given)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
