"""Random state and other global switches of a process, saved, restored and set for the length of a run."""

import random
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from ganglion.core.team import Team
from ganglion.errors import CheckpointError

_TRAINING = threading.RLock()
"""Held by the thread that trains."""


@contextmanager
def alone() -> Iterator[None]:
    """Let one thread at a time train; others wait, since random generators and other switches are the process's own."""
    if not _TRAINING.acquire(blocking=False):
        warnings.warn(
            "waits until another training in this process has ended: they share its random numbers", stacklevel=4
        )
        _TRAINING.acquire()
    try:
        yield
    finally:
        _TRAINING.release()


def seed_all(seed: int) -> None:
    """Seed Python, NumPy and torch on every device."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def random_state() -> dict[str, Any]:
    """Return the state of every random generator of the process."""
    legacy: Any = np.random.get_state(legacy=True)
    name, keys, position, has_gauss, cached = legacy
    version, words, gauss = random.getstate()
    return {
        "python": (version, torch.tensor(words), gauss),
        "numpy": (str(name), torch.from_numpy(keys.astype(np.int64)), int(position), int(has_gauss), float(cached)),
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else [],
    }


def set_random_state(state: dict[str, Any]) -> None:
    version, words, gauss = state["python"]
    random.setstate((version, tuple(words.tolist()), gauss))
    name, keys, position, has_gauss, cached = state["numpy"]
    np.random.set_state((name, keys.numpy().astype(np.uint32), position, has_gauss, cached))
    torch.set_rng_state(state["torch"])
    if state["cuda"]:
        torch.cuda.set_rng_state_all(state["cuda"])


def guarantees(device: torch.device, threads: int | None, team: Team | None = None) -> dict[str, Any]:
    """Return what must be the same for the bits to be the same. How many workers load the data is not among it."""
    several = {} if team is None or team.exact else {"processes": team.size}
    return several | {
        "torch": torch.__version__,
        "device": device.type,
        "processor": torch.cuda.get_device_name(device)
        if device.type == "cuda"
        else torch.backends.cpu.get_cpu_capability(),
        "threads": threads or torch.get_num_threads(),
    }


def differences(then: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Return a sentence for everything in which two `guarantees` differ.

    >>> differences({"threads": 1}, {"threads": 2})
    ['not bit for bit: threads was 1 and is 2']
    """
    then, now = ({"processes": 1, **one} for one in (then, now))
    changed = [name for name, value in then.items() if now.get(name) != value]
    return [f"not bit for bit: {name} was {then[name]} and is {now.get(name)}" for name in changed]


def doubts(then: Any, device: torch.device, threads: int | None, team: Team | None = None) -> list[str]:
    """Return what rules out that the bits of a run go on here, given what a checkpoint says of where it was made."""
    now = guarantees(device, threads, team)
    return differences(then if isinstance(then, dict) else dict.fromkeys(now), now)


def require_same(then: Any, device: torch.device, threads: int | None, where: str, team: Team | None = None) -> None:
    """Raise `CheckpointError` if anything rules out that the bits of the checkpoint at `where` go on here."""
    if found := doubts(then, device, threads, team):
        raise CheckpointError(
            "the run cannot be continued bit for bit",
            where=where,
            found="; ".join(doubt.removeprefix("not bit for bit: ") for doubt in found),
            remedy="continue it where it was started, or without --exact",
        )


@contextmanager
def random_state_kept() -> Iterator[None]:
    """Leave the random generators as they were, whatever is drawn inside."""
    state = random_state()
    try:
        yield
    finally:
        set_random_state(state)


@contextmanager
def surroundings(threads: int | None, deterministic: bool) -> Iterator[None]:
    """Set the number of threads and the choice of algorithms, and put both back afterwards; one thread at a time."""
    with alone():
        before = torch.get_num_threads(), torch.get_deterministic_debug_mode()
        if threads:
            torch.set_num_threads(threads)
        # The same switch as `use_deterministic_algorithms`, which would also import torch's compiler to tell it.
        torch.set_deterministic_debug_mode("warn" if deterministic else "default")
        fill = torch.utils.deterministic
        fill.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # costs time: nothing reads such memory
        try:
            yield
        finally:
            torch.set_num_threads(before[0])
            torch.set_deterministic_debug_mode(before[1])
