"""Signals that ask a process to stop: SIGINT (Ctrl-C), SIGTERM (job systems), SIGHUP (a closed terminal)."""

import math
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

NUMBERS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


ECHO = 10.0
"""Seconds within which a second signal is the first one again: a launcher passes on what the terminal has sent to all
of its processes. It ends those that do not stop by itself."""
_heard = -math.inf
"""When the latest signal came."""


class Interrupted(KeyboardInterrupt):
    """Work was stopped by a signal; `saved` when what was trained is in a checkpoint."""

    def __init__(self, number: int, saved: bool = False) -> None:
        super().__init__(f"stopped by {signal.Signals(number).name}")
        self.number, self.saved = number, saved
        self.exit_code = 128 + number


class StopRequest:
    """The first signal that came, if any, and whether it may interrupt what is being done."""

    def __init__(self, raises: bool = False) -> None:
        self.number: int | None = None
        self.raises = raises

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Let a signal raise `Interrupted` here, for work that changes nothing and can be done again."""
        before, self.raises = self.raises, True
        try:
            if self.number is not None:
                raise Interrupted(self.number)
            yield
        finally:
            self.raises = before


@contextmanager
def stop_requests(raises: bool = False) -> Iterator[StopRequest]:
    """Collect the first signal, or raise it as `Interrupted`; a second one ends the process without further ado.

    What was told to be ignored stays so (`nohup`), and a forked worker that inherits the handlers never runs them.
    """
    request, owner = StopRequest(raises), os.getpid()

    def handle(number: int, frame: FrameType | None) -> None:
        global _heard
        now, before_that, _heard = time.monotonic(), _heard, time.monotonic()
        if "TORCHELASTIC_RUN_ID" in os.environ:
            if now - before_that < ECHO:
                return
        else:
            for other in before:
                signal.signal(other, _impatient(other))
        if os.getpid() != owner:
            os.kill(os.getpid(), number)
            return
        request.number = number
        if request.raises:
            raise Interrupted(number)

    before: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():
        found = {number: signal.getsignal(number) for number in NUMBERS}
        before = {number: handler for number, handler in found.items() if handler not in (None, signal.SIG_IGN)}
    for number in before:
        signal.signal(number, handle)
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _impatient(number: int) -> Any:
    """Return what a second signal does: Ctrl-C unwinds, so that a notebook survives it; others end the process."""
    return signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
