"""How much memory there is."""

import os


def machine_memory() -> int:
    """Return the bytes of memory of this machine."""
    if not hasattr(os, "sysconf"):
        return 1 << 40
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
