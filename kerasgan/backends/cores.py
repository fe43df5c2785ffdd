"""What the host has for an engine: processor cores and memory."""

import os


def cores_or(variable: str) -> int:
    """Return the positive number that an environment variable holds, else how many cores this process may use."""
    given = os.environ.get(variable, "")
    if given.isdecimal() and int(given):
        return int(given)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def free_host_bytes() -> int:
    """Return how much memory of the host is free; where the system does not tell, take it for a small one."""
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return 2**32
