"""The gradient of one batch by several processes: each differentiates its slices, and what they find is added up.

Nothing of a rule knows of it. A slice counts by its share of the samples, or of the terms of the mean that an objective
is said to be (`counted_by`), so that the sum is the gradient of the whole batch. An objective in which samples matter
to each other (`coupled`), or a batch with fewer samples than there are slices, is differentiated whole by everyone, and
what the first process finds counts.

Random numbers that an objective draws are a function of (seed, step, slice), so that processes may come and go; those
that are drawn before it are the same everywhere.
"""

import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from ganglion.core import Batch
from ganglion.core.team import Team, current, moving
from ganglion.rules.compiled import differentiate
from ganglion.rules.statistics import Watched

Objective = Callable[[Batch], dict[str, Tensor]]
WHOLE = -1
"""In the place of a slot: all of the batch."""
_calls: list[int] = []
"""For each call of the latest objective in this process, the slot that it was made for."""


def rows_of_batch(pieces: Sequence[Tensor]) -> Tensor:
    """Return what calls of an objective left, a row a sample, for the whole batch, though others made some of them.

    >>> rows_of_batch([torch.zeros(2), torch.ones(1)])
    tensor([0., 0., 1.])
    """
    team = current()
    if team is None:
        return torch.cat(list(pieces))
    pieces = pieces[-len(_calls) :]
    shared = [(number, slot) for number, slot in enumerate(_calls) if slot != WHOLE]
    everyone = team.ragged([pieces[number] for number, _ in shared])
    each, rows = len(team.own), list[Tensor]()
    number = 0
    while number < len(_calls):
        if _calls[number] == WHOLE:
            rows.append(pieces[number])
            number += 1
            continue
        place = [one for one, _ in shared].index(number)
        for given in everyone:
            rows += given[place : place + each]
        number += each
    return torch.cat(rows)


def backward_together(
    team: Team,
    parts: Sequence[tuple[Batch, float]],
    objective: Objective,
    parameters: list[nn.Parameter],
) -> dict[str, Tensor]:
    """Leave the gradient of the mean loss of all parts in `parameters` and return the means of what was measured.

    Args:
        parts: micro-batches, each with its share of the samples.
    """
    team.updates += 1
    _calls.clear()
    sums = [_Sum([] if team.sharded else parameters, parameters[0]) for _ in team.own]
    for parameter in parameters:
        parameter.grad = None
    _collect(team, parts, objective, parameters, sums)
    measured = sums[0].measured
    _take(team.added(torch.stack([one.values for one in sums])), sums[0].parameters, measured)
    return measured


def _collect(
    team: Team,
    parts: Sequence[tuple[Batch, float]],
    objective: Objective,
    parameters: list[nn.Parameter],
    sums: "list[_Sum]",
) -> None:
    """Add to the sums of this process what its slices of all parts give."""
    networks = list(team.networks.values())
    statistics = Watched(team, networks)
    compiled = not statistics.standardising and not team.sharded
    factor = team.size if team.sharded else 1  # since gradients of spread weights are averaged, not added up
    for number, (part, share) in enumerate(parts):
        cuts = cuts_of(team, part, objective, statistics.least)
        if cuts is None:
            _calls.append(WHOLE)
            found = _differentiated(objective, part, parameters, share, compiled)
            for place, one in enumerate(sums):
                one.add(found, counts=team.rank == 0 and place == 0)
            continue
        before = [buffer.clone() for buffer in moving(networks)]
        after: list[tuple[float, list[Tensor]]] = []
        for place, slot in enumerate(team.own):
            first, last, weight = cuts[slot]
            if place:
                _put_back(networks, before)
            piece = {name: tensor[first:last] for name, tensor in part.items()}
            _calls.append(slot)
            team.share = (last - first) / len(next(iter(part.values()))) if team.synchronised else None
            with _random_numbers_of(team, number, slot, parameters[0].device), statistics.of_slices():
                sums[place].add(_differentiated(objective, piece, parameters, share * weight, compiled, factor))
            team.share = None
            if before:
                after.append((weight, [buffer.clone() for buffer in moving(networks)]))
        if before:
            _settle(team, networks, before, after)
        statistics.observe()


def summed(work: Callable[[Batch], dict[str, Tensor]], rows: Batch, whole: bool = False) -> dict[str, Tensor]:
    """Return what `work` makes of rows, added up over slices of them; of all rows at once by a process alone.

    Args:
        work: gives tensors whose shapes do not depend on how many rows there are; those of a slice are its part.
        rows: tensors (rows, ...), each with a number of rows of its own.
        whole: let every process work on all rows, since they matter to each other.

    >>> summed(lambda part: {"total": part["numbers"].sum()}, {"numbers": torch.ones(5)})
    {'total': tensor(5.)}
    """
    team = current()
    if team is None:
        return work(rows)
    team.updates += 1
    _calls.clear()
    found: list[dict[str, Tensor]] = []
    device = next(iter(rows.values())).device
    if whole or min(map(len, rows.values())) < team.slots:
        _calls.append(WHOLE)
        all_of_it = work(rows)
        nothing = {name: torch.zeros_like(value) for name, value in all_of_it.items()}
        found = [all_of_it if team.rank == place == 0 else nothing for place in range(len(team.own))]
    else:
        for slot in team.own:
            _calls.append(slot)
            bounds = {name: [len(one) * edge // team.slots for edge in (slot, slot + 1)] for name, one in rows.items()}
            with _random_numbers_of(team, 0, slot, device):
                found.append(work({name: one[slice(*bounds[name])] for name, one in rows.items()}))
    total = team.added(torch.stack([torch.cat([value.flatten() for value in one.values()]) for one in found]))
    parts = total.split([value.numel() for value in found[0].values()])
    return {name: part.view_as(value) for part, (name, value) in zip(parts, found[0].items(), strict=True)}


def norm_of_parts(gradients: Sequence[Tensor]) -> tuple[list[Tensor], Tensor] | None:
    """Return the parts of gradients that are here, and the norm of the whole, a scalar; None where all is here."""
    team = current()
    if team is None or not team.sharded:
        return None
    own = [one.to_local() for one in gradients]  # type: ignore[attr-defined]
    squares = torch.stack([one.double().square().sum() for one in own]).sum()
    return own, team.total(squares).sqrt().float()


def cuts_of(team: Team, part: Batch, objective: Objective, least: int = 1) -> list[tuple[int, int, float]] | None:
    """Return of each slot the first sample, the one after the last, and what its mean counts; None for all at once.

    Args:
        least: samples that a slice must have.

    >>> cuts_of(Team(size=2), {"inputs": torch.zeros(5)}, lambda batch: {})
    [(0, 2, 0.4), (2, 5, 0.6)]
    """
    samples, slots = len(next(iter(part.values()))), team.slots
    rule, couples = _attached(objective, "couples")
    if samples < least * slots:
        return None
    if team.statistics == "synchronised" and couples is not None and couples(rule):
        _, shared = _attached(objective, "shared")
        if not (team.synchronised and shared(rule)):
            return None
    bounds = [samples * slot // slots for slot in range(slots + 1)]
    pairs = list(itertools.pairwise(bounds))
    rule, terms = _attached(objective, "terms")
    counts = None if terms is None else terms(rule, part)
    if counts is None:
        return [(first, last, (last - first) / samples) for first, last in pairs]
    counts = counts.double().cpu()
    each = [float(counts[first:last].sum()) for first, last in pairs]
    if not min(each):
        return None  # a mean over nothing is no number
    return [(first, last, count / sum(each)) for (first, last), count in zip(pairs, each, strict=True)]


def _attached(objective: Any, name: str) -> tuple[Any, Any]:
    """Return what was said of an objective, and of which rule."""
    while hasattr(objective, "func"):
        objective = objective.func
    return getattr(objective, "__self__", None), getattr(objective, name, None)


def _differentiated(
    objective: Objective, piece: Batch, parameters: list[nn.Parameter], weight: float, compiled: bool, factor: int = 1
) -> dict[str, Tensor]:
    """Leave the gradient of a weighted loss in `parameters`, and return what was measured, weighted."""
    found = differentiate(objective, piece, parameters) if compiled else None
    if found is not None:
        torch._foreach_mul_([one.grad for one in parameters if one.grad is not None], weight)
        return {name: value * weight for name, value in found.items()}
    if factor == 1:
        for parameter in parameters:
            parameter.grad = None
    measured = objective(piece)
    with torch.autocast(measured["loss"].device.type, enabled=False):
        # Weights that are spread are put together for the pass: the leaves of its graph are not those of the optimizer.
        (measured["loss"] * (weight * factor)).backward(inputs=parameters if factor == 1 else None)
    return {name: value.detach() * weight for name, value in measured.items()}


class _Sum:
    """Gradients and measures of one slot, in one row: gradients, whether there is any of each, and measures."""

    def __init__(self, parameters: list[nn.Parameter], like: Tensor) -> None:
        self.parameters, self.device = parameters, like.device
        self.kind = torch.promote_types(torch.float32, like.dtype)
        self.measured: dict[str, Tensor] = {}
        self.values: Tensor = torch.zeros(0)

    def add(self, measured: dict[str, Tensor], counts: bool = True) -> None:
        """Add what is in the parameters and what was measured; nothing of it counts where somebody else's does."""
        slopes = [one.grad for one in self.parameters]
        flat = [
            torch.zeros_like(one).flatten() if slope is None else slope.reshape(-1)
            for one, slope in zip(self.parameters, slopes, strict=True)
        ]
        device, kind = self.device, self.kind
        flat.append(torch.tensor([float(slope is not None) for slope in slopes], device=device))
        flat.append(torch.stack([value.reshape(()).to(device, kind) for value in measured.values()]))
        row = torch.cat(flat)
        row = row if counts else torch.zeros_like(row)
        self.values = self.values + row if len(self.values) else row
        self.measured = measured


def _take(total: Tensor, parameters: list[nn.Parameter], measured: dict[str, Tensor]) -> None:
    """Put a sum of rows back into the gradients of parameters and into measurements."""
    sizes = [one.numel() for one in parameters]
    *slopes, there, values = total.split([*sizes, len(parameters), len(measured)])
    missing = (there == 0).tolist()
    for parameter, slope, none in zip(parameters, slopes, missing, strict=True):
        if none:
            parameter.grad = None
            continue
        slope = slope.view(parameter.shape).to(parameter.dtype)
        # Laid out like the parameter, which torch's fused steps take for granted.
        alike = slope.stride() == parameter.stride()
        parameter.grad = slope if alike else torch.empty_like(parameter).copy_(slope)
    for (name, value), added in zip(list(measured.items()), values, strict=True):
        measured[name] = added.to(value.device, value.dtype if value.is_floating_point() else added.dtype)


@contextmanager
def _random_numbers_of(team: Team, number: int, slot: int, device: torch.device) -> Iterator[None]:
    """Draw random numbers that are a function of the step and the slot, and leave those outside as they were."""
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(team.draw_seed(number, slot))
        yield


def _put_back(networks: Sequence[nn.Module], values: list[Tensor]) -> None:
    for buffer, value in zip(moving(networks), values, strict=True):
        buffer.copy_(value)


def _settle(
    team: Team, networks: Sequence[nn.Module], before: list[Tensor], after: list[tuple[float, list[Tensor]]]
) -> None:
    """Let running statistics be what the slices made of them on average; whole numbers are those of the first slice."""
    changed = torch.zeros(len(before), device=before[0].device)
    for _, values in after:
        changed += torch.tensor([float(not torch.equal(*pair)) for pair in zip(before, values, strict=True)]).to(
            changed
        )
    changed = team.total(changed)
    buffers = moving(networks)
    places = [place for place, moves in enumerate(changed.tolist()) if moves and buffers[place].is_floating_point()]
    _put_back(networks, after[0][1])
    if not places:
        return
    rows = torch.stack(
        [
            torch.cat([weight * (values[place] - before[place]).flatten() for place in places])
            for weight, values in after
        ]
    )
    moved = team.added(rows).split([buffers[place].numel() for place in places])
    for place, by in zip(places, moved, strict=True):
        buffers[place].copy_(before[place] + by.view(before[place].shape))
