"""How the C library deals with memory that an engine has freed."""

import ctypes
import os

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8  # of <malloc.h>


def keep_freed_memory() -> None:
    """Let this process keep the memory of a step for the next one, where `KERASGAN_KEEP_MEMORY=1` asks for it.

    XLA's CPU client takes the buffers of a step from `malloc` and frees them after it. GNU's hands blocks that large
    back to the system at once, which clears every page anew: a DCGAN step at batch 256 meets 79,000 page faults, a
    fifth of its time on a virtual machine. Not the default, because it is paid for in memory: glibc leaves scraps
    between aligned blocks, so that up to seven blocks of one size may come to lie side by side before one is used
    again. The DCGAN takes 15% more.

    One arena, since glibc always gives back what the others free. Threads that are running keep theirs, such as
    NumPy's, and an engine's may come to share it; but a block of more than 64 MB fits the first one only. Call this
    before the engine computes. Without GNU's C library it does nothing.
    """
    if os.environ.get("KERASGAN_KEEP_MEMORY") != "1":
        return
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # another C library; TypeError on Windows
        return
    for option, value in ((M_MMAP_THRESHOLD, 2**30), (M_TRIM_THRESHOLD, 2**31 - 1), (M_ARENA_MAX, 1)):
        mallopt(option, value)
