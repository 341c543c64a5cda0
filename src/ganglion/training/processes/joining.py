"""Joining the processes that `torchrun` starts, and noticing when one of them is gone.

A process that is killed closes its connections, which the others see at once. One that hangs, or whose host is cut
off, does not: so each process counts aloud in the store that they share, and listens to the one before it.
"""

import atexit
import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, final

import torch
import torch.distributed as dist

from ganglion.core.team import REMEDY, Team
from ganglion.errors import ProcessError, UsageError
from ganglion.training.settings import TrainerSettings

VARIABLES = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
PATIENCE = timedelta(minutes=30)
"""For which one process may keep others waiting while it works, such as the first one that writes."""
BEAT = 1.0
"""Seconds between two beats."""
SILENCE = 20.0
"""Seconds without a beat after which a process is taken for lost."""


@final
@dataclass
class Member:
    """This process among those that were started together."""

    rank: int
    size: int
    store: Any
    """What the processes of this start say to each other."""
    launch: Any
    """What is said to those that the same launcher starts when these have failed."""
    heart: "Heart"

    def may_speak(self) -> bool:
        """Whether this process is the first to say how it ended: the others then end without a word."""
        try:
            return bool(self.store.add("speaker", 1) == 1)
        except RuntimeError:  # the store went with whoever kept it
            return True

    def lost(self) -> list[int]:
        """Return the processes whose hearts stand still, listening for a moment."""
        others = [rank for rank in range(self.size) if rank != self.rank]
        try:
            before = {rank: self.store.add(f"beat {rank}", 0) for rank in others}
            time.sleep(2.5 * BEAT)
            return [rank for rank in others if self.store.add(f"beat {rank}", 0) == before[rank]]
        except RuntimeError:
            return []


_member: Member | None = None


def size_of_world() -> int:
    """Return how many processes were started together; 1 for one alone."""
    return int(os.environ["WORLD_SIZE"]) if all(name in os.environ for name in VARIABLES) else 1


def member() -> Member | None:
    """Return this process among those that it has joined; None where it has not."""
    return _member


def team_of(settings: TrainerSettings) -> Team | None:
    """Return the team that a run of these settings is trained by, and join it; None where one process trains alone.

    Raises `UsageError` if slices of a fixed number cannot be divided among the processes.
    """
    size, exact = size_of_world(), settings.exact_world
    if size == 1 and exact is None:
        return None
    if exact is not None and exact % size:
        raise UsageError(
            "so many slices cannot be divided evenly among the processes",
            where="exact_world",
            expected=f"a multiple of {size}",
            found=str(exact),
            remedy="start as many processes as divide it, or leave --exact-world out of a new run",
        )
    rank = 0 if size == 1 else join().rank
    return Team(
        rank=rank,
        size=size,
        exact=exact,
        statistics=settings.batch_statistics,
        seed=settings.seed,
        sharded=settings.shard,
    )


def join() -> Member:
    """Join the processes that were started together, and wait for them."""
    global _member
    if _member is not None:
        return _member
    rank, size = int(os.environ["RANK"]), size_of_world()
    address, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    run, again = (os.environ.get(f"TORCHELASTIC_{name}", "0") for name in ("RUN_ID", "RESTART_COUNT"))
    hosts = rank == 0 and os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True"
    try:
        backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() and dist.is_nccl_available() else "gloo"
        patient = dist.TCPStore(address, port, is_master=hosts, wait_for_workers=False, timeout=PATIENCE)
        # A launcher may keep its store when it starts processes again: addresses of those that failed are still there.
        meeting = dist.PrefixStore(f"ganglion {run} {again} group", patient)
        dist.init_process_group(backend, store=meeting, rank=rank, world_size=size, timeout=PATIENCE)
        store = dist.TCPStore(address, port, timeout=timedelta(seconds=10))
    except RuntimeError as error:
        raise ProcessError(
            "the processes of this training do not find each other",
            where=f"{address}:{port}",
            found=str(error).partition("\n")[0],
            remedy="start them by torchrun, all with the same --rdzv-endpoint",
        ) from error
    named, launch = dist.PrefixStore(f"ganglion {run} {again}", store), dist.PrefixStore(f"ganglion {run}", store)
    heart = Heart(named, rank, size, _gone)
    _member = Member(rank, size, named, launch, heart)
    heart.start()
    atexit.register(heart.stop)
    return _member


def _gone(rank: int | None) -> None:
    """End this process, whatever it is doing, since another one does not answer."""
    assert _member is not None
    if rank is None or _member.may_speak():  # a store that does not answer cannot be asked who may
        who = "the launcher" if rank is None else f"process {rank} of {_member.size}"
        error = ProcessError(f"{who} has not answered for {SILENCE:g} seconds", remedy=REMEDY)
        print(f"error: {error}", file=sys.__stderr__, flush=True)
    os._exit(ProcessError.exit_code)


@final
class Heart(threading.Thread):
    """Counts aloud in a store, listens to the process before this one, and tells when it is silent.

    A store whose host hangs or is cut off answers nothing, not even that it cannot: a second thread looks for that.

    Args:
        store: shared by all.
        rank: of this process.
        size: of the world.
        gone: is told which process is silent, None for the store itself.
        silence: seconds after which one is.
    """

    def __init__(
        self,
        store: Any,
        rank: int,
        size: int,
        gone: Callable[[int | None], None],
        *,
        beat: float = BEAT,
        silence: float = SILENCE,
    ) -> None:
        super().__init__(name="heart", daemon=True)
        self.store, self.rank, self.before, self.gone = store, rank, (rank - 1) % size, gone
        self.beat, self.silence = beat, silence
        self._stopped = threading.Event()
        self._answered = time.monotonic()
        """When the store was last heard of."""

    def run(self) -> None:
        threading.Thread(target=self._watch_store, name="store", daemon=True).start()
        heard, since, now = -1, time.monotonic(), time.monotonic()
        while not self._stopped.wait(self.beat):
            slept, now = time.monotonic() - now, time.monotonic()
            if slept > 5 * self.beat:  # this process itself was halted: nothing is known of others
                since = self._answered = now
            try:
                self.store.add(f"beat {self.rank}", 1)
                count = self.store.add(f"beat {self.before}", 0)
                left = self.store.add(f"left {self.before}", 0)
                self._answered = time.monotonic()
            except RuntimeError:
                if time.monotonic() - self._answered > self.silence / 4 and not self._stopped.is_set():
                    self.gone(None)
                continue
            if count != heard or left:
                heard, since = count, now
            elif now - since > self.silence and not self._stopped.is_set():
                self.gone(self.before)

    def _watch_store(self) -> None:
        now = self._answered = time.monotonic()
        while not self._stopped.wait(self.beat):
            slept, now = time.monotonic() - now, time.monotonic()
            if slept > 5 * self.beat:
                self._answered = now
            elif now - self._answered > self.silence and not self._stopped.is_set():
                self.gone(None)

    def stop(self) -> None:
        """Say that this process leaves as it should, and beat no more."""
        if self._stopped.is_set():
            return
        self._stopped.set()
        with contextlib.suppress(RuntimeError):
            self.store.add(f"left {self.rank}", 1)
        self.join(timeout=5)
