"""Attempts in a process of their own, with the time and the memory that they took."""

import contextlib
import io
import multiprocessing
import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from multiprocessing.connection import Connection
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import patch

from ganglion.errors import GanglionError
from tests.budgets import slowness

MOST_SECONDS = 2.0
"""Seconds of the processor, on a machine of the usual pace; slower ones are allowed more."""
MOST_BYTES = 300 << 20
PATIENCE = 30.0
"""Seconds after which an attempt counts as hanging and is killed."""


@dataclass(frozen=True)
class Outcome:
    """What came of an attempt."""

    seconds: float
    """Of the processor, so that other work on the machine does not count."""
    bytes: int
    """Memory beyond what the process had before."""
    error: GanglionError | None
    defect: str
    """The traceback of an exception that is no `GanglionError`, empty where there was none."""
    value: str
    """What the attempt returned, as text."""
    output: str
    """What it printed."""

    def refused_within_bounds(self) -> bool:
        return self.error is not None and not self.defect and self.is_bounded()

    def is_bounded(self, attempts: int = 1) -> bool:
        return self.seconds < attempts * MOST_SECONDS * slowness() and self.bytes < MOST_BYTES


def attempt_bounded(function: Callable[..., Any], *arguments: Any) -> Outcome:
    """Attempt it up to three times, until once it stays within bounds: what else the machine does slows it down."""
    outcomes = (attempt(function, *arguments) for _ in range(3))
    outcome = next(outcomes)
    while not outcome.is_bounded() and not outcome.defect and (another := next(outcomes, None)):
        outcome = another
    return outcome


def attempt(function: Callable[..., Any], *arguments: Any, patience: float = PATIENCE) -> Outcome:
    """Call a function of a module in a new process. One that hangs, or that the system kills, is a defect."""
    receiving, sending = multiprocessing.Pipe(duplex=False)
    process = _context().Process(target=_run, args=(sending, function, arguments))
    with patch.dict(sys.modules, __main__=ModuleType("__main__")):  # or pytest would be imported in every process
        process.start()
    sending.close()
    try:
        # Counted in tenths, so that a machine that stands still for a while is not taken for an attempt that does.
        if any(receiving.poll(0.1) for _ in range(int(10 * patience))):
            return receiving.recv()
        return Outcome(patience, 0, None, f"it hung for {patience} seconds", "", "")
    except EOFError:
        process.join(5)
        return Outcome(0.0, 0, None, f"the process died with exit code {process.exitcode}", "", "")
    finally:
        process.kill()
        process.join()
        receiving.close()


@cache
def _context() -> Any:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.hostile.preload"])
    return context


def _run(sending: Connection, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    error, defect, value = None, "", ""
    printed = io.StringIO()
    meter = _Meter()
    start = time.process_time()
    with meter, contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        try:
            value = repr(function(*arguments))[:2000]
        except GanglionError as caught:
            error = caught
        except BaseException:
            defect = traceback.format_exc()
    seconds = time.process_time() - start
    sending.send(Outcome(seconds, meter.extra, error, defect, value, printed.getvalue()[-20_000:]))


class _Meter(threading.Thread):
    """Watches how much memory of its own this process takes."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.base = self.most = _private()
        self.done = threading.Event()

    def __enter__(self) -> "_Meter":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.done.set()
        self.join()
        self.most = max(self.most, _private())

    @property
    def extra(self) -> int:
        return self.most - self.base

    def run(self) -> None:
        while not self.done.wait(0.005):
            self.most = max(self.most, _private())


def _private() -> int:
    """Return the bytes of memory that are no pages of files; 0 where the system does not tell."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return 0
    return sum(1024 * int(line.split()[1]) for line in lines if line.startswith(("RssAnon", "RssShmem")))
