"""How a scan is shared between threads: slices of the batch, each in a thread of its own from first to last step."""

import ctypes
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import count

import torch

from ganglion.openmp import torch_team

LEAST_ROWS = 8
"""Samples below which a slice of a batch is not worth a thread."""

Work = Callable[[int, int, int], None]
"""Works on the samples from the first to before the last, as the part of that number."""


def parts_of(rows: int) -> int:
    """Return how many threads share a batch."""
    return max(1, min(torch.get_num_threads(), rows // LEAST_ROWS))


def in_slices(work: Work, rows: int) -> None:
    """Call `work` for every slice of a batch at once, and wait for all.

    Samples do not meet within a scan, so threads wait for each other once a scan, not once a step.
    """
    parts = parts_of(rows)
    if parts == 1:
        work(0, rows, 0)
        return
    failures: list[BaseException] = []

    def one_part(part: int) -> None:
        try:
            work(rows * part // parts, rows * (part + 1) // parts, part)
        except BaseException as failure:
            failures.append(failure)

    _run(one_part, parts)
    if failures:
        raise failures[0]


def _run(one_part: Callable[[int], None], parts: int) -> None:
    """Call `one_part` for every part, in the threads that torch computes with where they can be had."""
    team = torch_team()
    if team is None:
        list(_own_threads(os.getpid()).map(one_part, range(parts)))
        return
    waiting = count()

    def member(_: int | None) -> None:
        for part in iter(lambda: next(waiting), None):
            if part >= parts:
                return
            one_part(part)

    team(_BODY(member), None, parts, 0)


_BODY = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


@cache
def _own_threads(process: int) -> ThreadPoolExecutor:
    """Return threads of this process; a forked one has none of its parent's."""
    return ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="scan")
