"""Settings of the C allocator for memory that each step frees and the next step needs again."""

import ctypes
import sys
from collections.abc import Callable

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD = -1, -2, -3
"""Parameter numbers of mallopt(3), from glibc's malloc.h."""
MEGABYTE = 2**20


def keep_freed_memory() -> bool:
    """Keep freed memory in the process instead of returning it to the system after every step.

    Every training step allocates the same feature maps of some megabytes. If they are returned to the system, each
    comes back page by page, filled with zeros: some 2,000 page faults per step of forge-1 (docs/lab/performance.md).
    Return whether the C library took the settings: glibc does; with any other nothing happens.
    """
    mallopt = _from_glibc("mallopt")
    settings = ((M_MMAP_THRESHOLD, 32), (M_TRIM_THRESHOLD, 1024), (M_TOP_PAD, 64))
    return mallopt is not None and all(mallopt(parameter, size * MEGABYTE) == 1 for parameter, size in settings)


def give_back_freed_memory() -> bool:
    """Return the kept memory to the system after training; return whether there was any."""
    trim = _from_glibc("malloc_trim")
    return trim is not None and trim(0) == 1


def _from_glibc(name: str) -> Callable[..., int] | None:
    return getattr(ctypes.CDLL(None), name, None) if sys.platform.startswith("linux") else None
