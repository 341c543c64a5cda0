"""Keep big blocks of memory in the process instead of returning them to the kernel after every step.

glibc gives every freed block above a threshold back at once, so each step of a convolutional network has its
activations mapped, zeroed page by page and unmapped again.
"""

import ctypes
import os
import sys
from functools import cache

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4
"""Parameters of mallopt(3), from malloc.h."""
TOP_PAD = 64 * 2**20


@cache
def keep_big_blocks() -> bool:
    """Tell glibc to keep what is freed; return whether it does. `GANGLION_ALLOCATOR=system` leaves it alone.

    Takes effect once a process, and changes nothing on other platforms or under another allocator.
    """
    if not sys.platform.startswith("linux") or os.environ.get("GANGLION_ALLOCATOR") == "system":
        return False
    if "malloc" in os.environ.get("LD_PRELOAD", ""):
        return False
    library = ctypes.CDLL(None)
    if not hasattr(library, "gnu_get_libc_version"):
        return False
    settings = ((M_MMAP_MAX, 0), (M_TRIM_THRESHOLD, 2**31 - 1), (M_TOP_PAD, TOP_PAD))
    return all(library.mallopt(parameter, value) for parameter, value in settings)
