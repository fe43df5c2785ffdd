"""Work on many files or images at once, in threads."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np
import numpy.typing as npt

BLOCK = 256  # What one thread works through before it asks for more.
_Result = TypeVar("_Result")


def in_threads(work: Callable[[npt.NDArray[np.int64]], _Result], count: int, block: int = BLOCK) -> list[_Result]:
    """Work through positions, several blocks of them at a time; files are read, decoded and hashed without the GIL.

    Args:
        work: Takes the positions of a block.
        count: Positions there are.
        block: Positions that one thread works through before it asks for more.

    Returns:
        What `work` returned, in order.
    """
    blocks = np.split(np.arange(count), range(block, count, block))
    with ThreadPoolExecutor(usable_cores()) as pool:
        return list(pool.map(work, blocks))


def usable_cores() -> int:
    """Count the processor's cores that this process may use; no more than 8, where Python's GIL is the limit."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(allowed, 8)
