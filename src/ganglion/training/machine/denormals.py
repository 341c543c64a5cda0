"""Numbers too small for their format, which processors handle a hundred times more slowly than zero.

A moment of Adam whose gradient has become zero (a rectifier that no longer fires, a pixel that is seldom inked) shrinks
by a tenth a step and after some eight hundred stays for ever at the edge of what can be represented. Taken as zero,
these numbers change no result that anybody could see, and steps keep their speed.
"""

import ctypes
import os
import platform
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache

import torch

from ganglion.openmp import torch_team

MXCSR = 7
"""Place of the SSE control word in glibc's fenv_t on x86-64, in words of 32 bits."""
FLUSH = 0x8040
"""Its bits for results (flush to zero) and operands (denormals are zero)."""


@contextmanager
def denormals_flushed() -> Iterator[bool]:
    """Take denormal numbers as zero in all computing threads; `GANGLION_DENORMALS=kept` leaves them as they are."""
    flushes = os.environ.get("GANGLION_DENORMALS") != "kept" and flush(True)
    try:
        yield flushes
    finally:
        if flushes:
            flush(False)


def flush(on: bool) -> bool:
    """Set what this thread and the pool of threads below it do with denormals; return whether it could be set."""
    if not torch.set_flush_denormal(on):
        return False
    if parallel := _parallel():
        environment = (ctypes.c_uint32 * 8)()
        library = ctypes.CDLL(None)
        library.fegetenv(ctypes.byref(environment))
        environment[MXCSR] = environment[MXCSR] | FLUSH if on else environment[MXCSR] & ~FLUSH
        # torch sets this thread alone. Here every thread of the pool calls fesetenv(environment) once.
        parallel(library.fesetenv, ctypes.byref(environment), torch.get_num_threads(), 0)
    return True


@cache
def _parallel() -> Callable[..., object] | None:
    """Return the call of a function in every thread of torch's pool, where the word above is where it is said to be."""
    known = platform.machine() == "x86_64" and platform.libc_ver()[0] == "glibc"
    return torch_team() if known else None
