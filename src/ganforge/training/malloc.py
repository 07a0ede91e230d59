"""How the C library deals with memory that a step frees and the next one needs again, until there is no next one."""

import ctypes
import sys
from collections.abc import Callable

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD = -1, -2, -3
"""Numbers of glibc's malloc.h, for mallopt(3)."""
MEGABYTE = 2**20


def keep_freed_memory() -> bool:
    """Let freed memory stay with the process instead of going back to the system after every step.

    Training allocates the same planes of some megabytes again in every step. Given back, each comes anew, page by page
    and filled with zeros: some 2,000 page faults in a step of forge-1 (docs/lab/performance.md). Returns whether the
    C library can be told so: glibc can; elsewhere nothing happens.
    """
    mallopt = _from_glibc("mallopt")
    settings = ((M_MMAP_THRESHOLD, 32), (M_TRIM_THRESHOLD, 1024), (M_TOP_PAD, 64))
    return mallopt is not None and all(mallopt(which, size * MEGABYTE) == 1 for which, size in settings)


def give_back_freed_memory() -> bool:
    """Return to the system what training freed and kept, before another kind of work; whether there was any."""
    trim = _from_glibc("malloc_trim")
    return trim is not None and trim(0) == 1


def _from_glibc(name: str) -> Callable[..., int] | None:
    return getattr(ctypes.CDLL(None), name, None) if sys.platform.startswith("linux") else None
