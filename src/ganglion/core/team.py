"""Several processes that learn one model: who they are, and what they say to each other while they do.

A process knows its team only while it makes a step (`learning`); all else that it does, it does alone.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
import torch.distributed as dist
from torch import Tensor, nn

from ganglion.errors import ProcessError

REMEDY = "the same command line goes on from the newest checkpoint if it names --out; so does `ganglion resume`"
Statistics = Literal["synchronised", "per-process"]


@dataclass
class Team:
    """The processes that learn together, as one of them sees it.

    A batch is cut into `slots` slices: one for each process, or with `exact` a number that stays the same however
    many processes there are. What each slice gives is added up in the order of the slots.
    """

    rank: int = 0
    size: int = 1
    exact: int | None = None
    """Slices of a batch, whatever the number of processes."""
    statistics: Statistics = "synchronised"
    """Whether layers that look at the whole batch see all of it, or the slice of their process."""
    seed: int = 0
    sharded: bool = False
    """Whether weights are spread over the processes, which then adds up their gradients, too."""
    step: int = 0
    """The batch under way, counted from 1 over the whole run."""
    networks: Mapping[str, nn.Module] = field(default_factory=dict)
    """Those of the rule, whose running statistics are kept alike."""
    updates: int = 0
    """Gradients so far in this step."""
    share: float | None = None
    """What the slice that is being looked at is of its batch, where all slices are looked at at once."""

    @property
    def slots(self) -> int:
        """Slices that a batch is cut into."""
        return self.exact or self.size

    @property
    def own(self) -> range:
        """The slots of this process."""
        each = self.slots // self.size
        return range(self.rank * each, (self.rank + 1) * each)

    @property
    def synchronised(self) -> bool:
        """Whether all of a batch is seen at once; slices that may come one after the other cannot."""
        return self.statistics == "synchronised" and not self.exact

    def __str__(self) -> str:
        several = f"{self.size} processes" if self.size > 1 else "one process"
        if self.exact:
            return f"{several}, each batch in {self.exact} slices with batch statistics of their own"
        return f"{several}, batch statistics {self.statistics}"

    def added(self, own: Tensor) -> Tensor:
        """Return the sum over all slots of rows (slots of this process, values), the same bits in every process."""
        if self.size == 1:
            everyone = own
        elif self.exact:
            everyone = self.rows(own)
        else:
            return self.total(own[0].clone())
        total = everyone[0].clone()
        for row in everyone[1:]:
            total += row
        return total

    def rows(self, own: Tensor) -> Tensor:
        """Return the rows of all processes, (processes x rows, ...), in the order of the processes; as many each."""
        if self.size == 1:
            return own
        found = own.new_empty(self.size, *own.shape)
        with reached():
            dist.all_gather(list(found), own.contiguous())
        return found.flatten(0, 1)

    def total(self, values: Tensor) -> Tensor:
        """Return the sum of values over all processes, in their place and shape."""
        if self.size > 1:
            with reached():
                dist.all_reduce(values)
        return values

    def largest(self, value: int) -> int:
        """Return the largest of the numbers that the processes give."""
        if self.size == 1:
            return value
        found = torch.tensor(value)
        with reached():
            dist.all_reduce(found, dist.ReduceOp.MAX)
        return int(found)

    def first(self, values: Tensor) -> Tensor:
        """Return the values that the first process gives, of a shape and kind that all know, in their place."""
        if self.size > 1:
            with reached():
                dist.broadcast(values, 0)
        return values

    def said(self, words: bytes = b"") -> bytes:
        """Return what the first process says."""
        length = int(self.first(torch.tensor(len(words))))
        return bytes(self.first(_bytes(words) if self.rank == 0 else torch.empty(length, dtype=torch.uint8)).numpy())

    def ragged(self, own: list[Tensor]) -> list[list[Tensor]]:
        """Return for each process the tensors that it gave: as many and of the same kinds, with any number of rows."""
        if self.size == 1:
            return [own]
        lengths = self.rows(torch.tensor([[len(one) for one in own]]))
        found: list[list[Tensor]] = [[] for _ in range(self.size)]
        for place, one in enumerate(own):
            longest = int(lengths[:, place].max())
            padded = one.new_zeros(1, longest, *one.shape[1:])
            padded[0, : len(one)] = one
            for process, rows in enumerate(self.rows(padded)):
                found[process].append(rows[: lengths[process, place]])
        return found

    def draw_seed(self, *place: int) -> int:
        """Return what the random numbers of a place of this step come from: the same however many processes work."""
        words = ",".join(map(str, (self.seed, self.step, self.updates, *place)))
        return int.from_bytes(hashlib.blake2b(words.encode(), digest_size=8).digest(), "little") >> 1


@contextmanager
def reached() -> Iterator[None]:
    """Turn what torch says of a process that cannot be reached into an error that says so."""
    try:
        yield
    except RuntimeError as error:
        found = str(error).partition("\n")[0].rpartition("] ")[2].partition(". ")[0]
        raise ProcessError("another process of this training has ended", found=found, remedy=REMEDY) from error


def _bytes(words: bytes) -> Tensor:
    return torch.frombuffer(bytearray(words), dtype=torch.uint8) if words else torch.empty(0, dtype=torch.uint8)


_current: Team | None = None


def current() -> Team | None:
    """Return the team that the step under way is made with; None where this process learns alone."""
    return _current


@contextmanager
def learning(team: Team | None, networks: Mapping[str, nn.Module], step: int) -> Iterator[None]:
    """Make a step of the run with a team, which is on networks by role."""
    global _current
    if team is None:
        yield
        return
    team.networks, team.step, team.updates = networks, step, 0
    _current = team
    try:
        yield
    finally:
        _current = None


@contextmanager
def alone() -> Iterator[None]:
    """Do something in the middle of a step that every process does by itself."""
    global _current
    before, _current = _current, None
    try:
        yield
    finally:
        _current = before


Terms = Callable[[Any, dict[str, Tensor]], Tensor | None]
"""From a rule and a batch to how many terms of the mean each sample gives, `(batch,)`; None for as many each."""
Couples = Callable[[Any], bool]
"""Whether samples of a batch matter to each other in the loss of a rule."""


def counted_by(terms: Terms) -> Callable[[Any], Any]:
    """Say of an objective that its loss and measures are means over other things than samples, and how many there are.

    Slices of a batch then count as many times as they have such terms.
    """

    def attach(objective: Any) -> Any:
        objective.terms = terms
        return objective

    return attach


def terms_of(loss: Any, values: Tensor) -> Tensor:
    """Return how many terms each of the values (batch, ...) gives to the mean that a loss is, (batch,).

    One, unless the loss has an attribute `terms` that says how many.
    """
    while hasattr(loss, "func"):
        loss = loss.func
    terms = getattr(loss, "terms", None)
    found: Tensor = values.new_ones(len(values)) if terms is None else terms(values)
    return found


def coupled(couples: Couples = lambda rule: True, *, shared: Couples = lambda rule: True) -> Callable[[Any], Any]:
    """Say of an objective that samples of a batch matter to each other in it, for some rules or all.

    Where slices are not all looked at at once, every process then looks at the whole batch; unless statistics are those
    of each process.

    Args:
        shared: whether it takes what it needs of other slices by `mean_of_batch` and `rows_of_all`; where it does not,
            every process always looks at the whole batch.
    """

    def attach(objective: Any) -> Any:
        objective.couples, objective.shared = couples, shared
        return objective

    return attach


def moving(networks: Iterable[nn.Module]) -> list[Tensor]:
    """Return the buffers of networks, each once: what a pass may change."""
    found = {id(one): one for network in networks for one in network.buffers()}
    return list(found.values())
