"""How the C library deals with memory that a step frees and the next one needs again."""

import ctypes
import sys

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD = -1, -2, -3
"""Numbers of glibc's malloc.h, for mallopt(3)."""
MEGABYTE = 2**20


def keep_freed_memory() -> bool:
    """Let freed memory stay with the process instead of going back to the system after every step.

    Training allocates the same planes of some megabytes again in every step. Given back, each comes anew, page by page
    and filled with zeros: some 2,000 page faults in a step of forge-1 (docs/performance.md). Returns whether the
    C library can be told so: glibc can; elsewhere nothing happens.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    settings = ((M_MMAP_THRESHOLD, 32), (M_TRIM_THRESHOLD, 1024), (M_TOP_PAD, 64))
    return all(mallopt(which, size * MEGABYTE) == 1 for which, size in settings)
