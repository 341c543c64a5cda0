"""Who trains the trials: this process, processes of our own, or any `concurrent.futures.Executor`."""

import multiprocessing
import os
import signal
import threading
import time
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any, Self, final

from ganglion.errors import ResourceError
from ganglion.runs.tuning.trial import Assignment, Outcome, busy, run_trial
from ganglion.training.machine.signals import Interrupted

MOST_DEATHS = 3
"""Processes that a trial may take with it before it is not tried any more."""


@final
class Crew:
    """Trains trials, several at once, and gives their outcomes when asked; the processes end with it.

    Where a process dies, nobody knows which trial was at fault: those under way are trained one at a time then, and one
    that has taken three processes with it has failed.

    Args:
        workers: processes of our own, this one if it is a single one and no executor is given.
        executor: trains the trials instead; it is not shut down.
    """

    def __init__(self, workers: int = 1, executor: Executor | None = None) -> None:
        self._workers, self._given = workers, executor
        self._own: ProcessPoolExecutor | None = None
        self._reader: Connection | None = None
        self._writer: Connection | None = None
        self._waiting: dict[str, Assignment] = {}
        self._futures: dict[str, Future[Outcome]] = {}
        self._deaths: dict[str, int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: Any, *exception: object) -> None:
        for future in self._futures.values():
            future.cancel()
        self._leave(at_once=kind is not None)

    @property
    def _here(self) -> bool:
        return self._given is None and self._workers == 1

    def start(self, key: str, assignment: Assignment) -> None:
        """Let a trial be trained as soon as somebody is free."""
        self._waiting[key] = assignment
        if not self._here and not self._deaths:
            self._submit(key)

    def outcome(self, key: str) -> Outcome:
        """Wait for a trial that was started, and return what came of it. Raises `Interrupted` if it was stopped."""
        while True:
            try:
                outcome = run_trial(self._waiting[key]) if self._here else self._submit(key).result()
            except BrokenExecutor as error:
                self._bury(key, error)
                if self._deaths.get(key, 0) < MOST_DEATHS:
                    continue
                outcome = Outcome(state="failed", reason=f"the process that trained it died {MOST_DEATHS} times")
            if outcome.state == "stopped":
                raise Interrupted(signal.SIGTERM, saved=True)
            for known in (self._waiting, self._futures, self._deaths):
                known.pop(key, None)
            return outcome

    def _submit(self, key: str) -> "Future[Outcome]":
        if key not in self._futures:
            self._futures[key] = self._executor().submit(run_elsewhere, self._waiting[key])
        return self._futures[key]

    def _executor(self) -> Executor:
        if self._given is not None:
            return self._given
        if self._own is None:
            context = multiprocessing.get_context("spawn")
            self._reader, self._writer = context.Pipe(duplex=False)
            self._own = ProcessPoolExecutor(
                self._workers, mp_context=context, initializer=_settle_in, initargs=(self._reader,)
            )
        return self._own

    def _bury(self, key: str, error: BrokenExecutor) -> None:
        """Forget the processes, one of which died, and note the trials that were under way."""
        if self._given is not None:
            raise ResourceError(
                "a worker died while it trained",
                found=str(error),
                remedy="look whether memory ran out; the study goes on from there when it is continued",
            ) from error
        under_way = [
            one for one, future in self._futures.items() if not future.done() or future.exception() is not None
        ]
        for one in under_way:
            self._deaths[one] = self._deaths.get(one, 0) + 1
        self._futures = {one: future for one, future in self._futures.items() if one not in under_way}
        self._leave(at_once=True)

    def _leave(self, at_once: bool) -> None:
        """Let the processes of our own end, with `at_once` those that train after they have saved where they are."""
        if self._own is None or self._writer is None or self._reader is None:
            return
        if at_once:
            self._writer.close()
        self._own.shutdown(wait=True, cancel_futures=True)
        self._writer.close()
        self._reader.close()
        self._own = None


def run_elsewhere(assignment: Assignment) -> Outcome:
    """Train a trial in a process that others sent it to; where that is asked to stop, the outcome says so."""
    try:
        return run_trial(assignment)
    except KeyboardInterrupt as stop:
        return Outcome(state="stopped", reason=str(stop) or "interrupted")


def _settle_in(reader: Connection) -> None:
    """Leave Ctrl-C to the process that asks, and end when that process says so or is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(reader,), daemon=True).start()


def _end_with(reader: Connection) -> None:
    with suppress(EOFError, OSError):
        reader.recv_bytes()
    os.kill(os.getpid(), signal.SIGTERM)  # a trial that is trained is saved first
    while busy():
        time.sleep(0.05)
    os._exit(0)
