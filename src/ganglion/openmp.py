"""The threads that torch computes with."""

import ctypes
from collections.abc import Callable
from functools import cache
from pathlib import Path

import torch


@cache
def torch_runtime() -> ctypes.CDLL | None:
    """Return GNU's OpenMP library, where torch computes with it.

    torch's threads keep spinning for a while after each of its operations, so that threads of anyone else have to share
    their cores with them: on two cores a scan in threads of its own took half as long again.
    """
    path = next((Path(torch.__file__).parent / "lib").glob("libgomp*.so*"), None)
    return ctypes.CDLL(str(path)) if path else None


def torch_team() -> Callable[..., None] | None:
    """Return the call of a C function in every thread of torch's pool, where there is one."""
    return getattr(torch_runtime(), "GOMP_parallel", None)
