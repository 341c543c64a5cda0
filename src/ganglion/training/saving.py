"""When checkpoints are written: as often as was asked for, or so seldom that they take at most a tenth of the time."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, final

from torch import Tensor

from ganglion.errors import CheckpointError
from ganglion.training.packing import pack, size, unpack
from ganglion.training.run_folder import RunFolder
from ganglion.training.settings import TrainerSettings

SHARE = 0.1
"""Of the time, that checkpoints may take which nobody asked for."""
MOST_HELD = 64 << 20
"""Bytes of a state that may be held in memory until there is time to write it."""


@final
class Saving:
    """Writes the checkpoints of a run, and holds the best one back where it follows too soon upon another.

    Networks that learn in seconds improve at every evaluation, and waiting for the disk would take them longer than
    learning does. What is held back is written before anything later; a process that dies before comes to the same
    evaluation again. Nothing is held back where the settings say how often to save, or where training may go back to
    the newest checkpoint, which must not depend on a clock.

    Args:
        run: the folder that is written.
        settings: say how often to save, how many checkpoints to keep, and what becomes of a run that fails.
        alone: whether no other process trains the same network: several would have to agree on the time.
        clock: seconds from any beginning.
    """

    def __init__(
        self, run: RunFolder, settings: TrainerSettings, alone: bool, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self.run, self.keep, self.clock = run, settings.keep, clock
        self.at_leisure = alone and settings.checkpoint_every is None and not settings.goes_back
        """Whether checkpoints wait until there is time for them."""
        self._held: tuple[int, dict[str, Any]] | None = None
        self._not_before = -float("inf")

    def prepare(self, state: dict[str, Any], begun: bool) -> None:
        """Refuse a disk that has no room for checkpoints of such a state; one not `begun` has no moments yet."""
        moments = 0 if begun else 2 * size(state["networks"])
        self.run.preflight(size(state) + moments, self.keep)

    def wants(self, improved: bool, due: bool) -> bool:
        """Return whether something is to be saved after a step: an improvement, or what is `due` where there is time.

        A checkpoint that was held back is due from then on.
        """
        return improved or ((due or self._held is not None) and not self._is_too_soon)

    @property
    def _is_too_soon(self) -> bool:
        return self.at_leisure and self.clock() < self._not_before

    def save(self, step: int, state: dict[str, Any], is_best: bool, soon: bool = False) -> bool:
        """Write a checkpoint, with the best one that waits before it, and return True; or `soon` hold it back."""
        if soon and self._is_too_soon and self._hold(step, state):
            return False
        begun = self.clock()
        if is_best:
            self._held = None
        self.write_held()
        self.run.save(step, state, is_best=is_best, keep=self.keep)
        ended = self.clock()
        self._not_before = ended + (ended - begun) / SHARE
        return True

    def write_held(self) -> None:
        """Write the best checkpoint that waits, if there is one."""
        if self._held is not None:
            (step, state), self._held = self._held, None
            self.run.save(step, state, is_best=True, keep=self.keep)

    def _hold(self, step: int, state: dict[str, Any]) -> bool:
        """Keep the best state so far in memory, if it is small; return whether it is kept."""
        tensors: dict[str, Tensor] = {}
        segments: list[str] = []
        structure = pack(state, tensors, keep=lambda segment, path: segments.append(path))
        if segments or sum(tensor.nbytes for tensor in tensors.values()) > MOST_HELD:
            return False
        self._held = step, unpack(structure, {name: tensor.detach().clone() for name, tensor in tensors.items()})
        return True


@contextmanager
def nothing_held_back(saving: Saving | None) -> Iterator[None]:
    """Write the best checkpoint that waits where training fails: whoever asks about the run or goes on needs it."""
    try:
        yield
    except BaseException:
        if saving is not None:
            with suppress(CheckpointError):  # what went wrong before is what is to be told
                saving.write_held()
        raise
