"""One step of each system in several processes, beside the same step in one."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import SimpleNamespace
from typing import Any

import torch

from ganglion.core import LearningRule
from ganglion.core.team import Team, learning
from ganglion.models import find
from ganglion.rules import descend
from ganglion.rules.autoencoder.colouring import Colouring
from ganglion.rules.energy import boltzmann, contrastive
from ganglion.runs.opening import build
from ganglion.training.processes.joining import join
from tests.contract.rows import row_of

DRAWS = ("rand", "randn", "rand_like", "randn_like", "randint", "bernoulli", "multinomial")
"""What draws random numbers."""
kept_draws = SimpleNamespace(**{name: getattr(torch, name) for name in DRAWS})
WITHOUT_GRADIENT = ("mdp", "q-table")
"""Systems that never descend."""
Step = tuple[dict[str, torch.Tensor], dict[str, float], dict[str, torch.Tensor]]
"""Gradients, measures and buffers after a step, by their names."""


def differences(
    names: list[str], exact: int | None = None, samples: int | None = None, double: bool = False
) -> dict[str, dict[str, float]]:
    """Return for systems how far the gradients, measures and running statistics of a step are from those of one
    process, as shares of the largest.

    Args:
        exact: slices of a batch; one for each process when not given.
        samples: at most so many in a batch.
        double: compute in double precision, in which what rounding hides would show.
    """
    torch.set_default_dtype(torch.float64 if double else torch.float32)
    rank = join().rank if "RANK" in os.environ else 0
    size = int(os.environ.get("WORLD_SIZE", 1))
    team = Team(rank=rank, size=size, exact=exact)
    return {name: _difference(name, team, samples) for name in names}


def _difference(name: str, team: Team, samples: int | None) -> dict[str, float]:
    found, descends = {"gradient": 0.0, "measure": 0.0, "statistic": 0.0}, False
    for alone, together in zip(steps(name, None, samples), steps(name, team, samples), strict=True):
        assert alone[0].keys() == together[0].keys(), (name, alone[0].keys() ^ together[0].keys())
        assert alone[1].keys() == together[1].keys(), (name, alone[1].keys() ^ together[1].keys())
        descends = descends or any(bool(one.any()) for one in alone[0].values())
        largest = max([float(one.abs().max()) for one in alone[0].values()], default=1.0)
        slopes = [float((one - together[0][key]).abs().max()) / max(largest, 1e-12) for key, one in alone[0].items()]
        measures = [abs(one - together[1][key]) / (1 + abs(one)) for key, one in alone[1].items()]
        statistics = [
            float((one - together[2][key]).abs().max()) / (1 + float(one.abs().max()))
            for key, one in alone[2].items()
            if one.is_floating_point() and one.numel()
        ]
        for kind, values in (("gradient", slopes), ("measure", measures), ("statistic", statistics)):
            found[kind] = max([found[kind], *values])
    assert descends == (name not in WITHOUT_GRADIENT), f"{name}: there would be nothing to compare"
    return found


def steps(name: str, team: Team | None, samples: int | None = None) -> Iterator[Step]:
    """Yield what the first step of each phase of a system leaves, without dropout."""
    system = find(name)
    row = row_of(system)
    torch.manual_seed(0)
    rule = build(system, system.load().TINY)
    state = rule.state_dict()
    for phase in rule.phases or (None,):
        torch.manual_seed(0)
        rule = build(system, system.load().TINY)
        assert state.keys() == rule.state_dict().keys()
        loader = row.loader()
        if phase is not None:
            for one in rule.phases[: rule.phases.index(phase) + 1]:
                rule.begin(one)
            loader.begin(phase)
        without_chance(rule)
        batch = next(iter(loader))
        if samples is not None:
            batch = {name: values[:samples] for name, values in batch.items()}
        kind = torch.get_default_dtype()
        batch = {name: values.to(kind) if values.is_floating_point() else values for name, values in batch.items()}
        for network in rule.networks.values():
            network.to(kind)
        if isinstance(rule, Colouring) and rule.bins is not None:
            rule.bins = rule.bins.to(kind)
        torch.manual_seed(1)
        with learning(team, rule.networks, 1), steady():
            measured = rule.step(batch)
        named = [(f"{role}.{key}", one) for role, net in rule.networks.items() for key, one in net.named_parameters()]
        buffers = {f"{role}.{key}": one for role, net in rule.networks.items() for key, one in net.named_buffers()}
        yield (
            {key: one.grad.clone() for key, one in named if one.grad is not None},
            {key: float(value) for key, value in measured.items()},
            {key: one.clone() for key, one in buffers.items()},
        )


def without_chance(rule: LearningRule) -> None:
    """Switch off what a network draws by chance, which differs from slice to slice."""
    for network in rule.networks.values():
        for layer in network.modules():
            for name in ("p", "dropout", "probability", "word_dropout", "mixing"):
                if isinstance(getattr(layer, name, None), float):
                    with suppress(AttributeError):
                        setattr(layer, name, 0.0)
    for name in ("noise", "masking"):
        if isinstance(getattr(rule, name, None), float):
            setattr(rule, name, 0.0)


@contextmanager
def steady() -> Iterator[None]:
    """Let what an objective draws be the same for each row: numbers for a slice are not those for a whole batch."""
    kept = {name: getattr(torch, name) for name in DRAWS}
    places = [(descend, "backward"), (contrastive, "summed"), (boltzmann, "summed")]
    before = [getattr(*place) for place in places]
    for place, original in zip(places, before, strict=True):
        setattr(*place, _drawing_alike(original, kept))
    try:
        yield
    finally:
        for place, original in zip(places, before, strict=True):
            setattr(*place, original)


def _drawing_alike(function: Any, kept: dict[str, Any]) -> Any:
    def called(*arguments: Any, **options: Any) -> Any:
        for name, draw in kept.items():
            setattr(torch, name, _alike(draw, name))
        try:
            return function(*arguments, **options)
        finally:
            for name, draw in kept.items():
                setattr(torch, name, draw)

    return called


def _alike(draw: Any, name: str) -> Any:
    """Return a function that draws one row and repeats it."""

    def drawn(*arguments: Any, **options: Any) -> torch.Tensor:
        if name == "multinomial":
            return arguments[0].argmax(1, keepdim=True)
        if name == "bernoulli":
            return (arguments[0] > 0.37).to(arguments[0])
        if name.endswith("_like"):
            shape, limits = tuple(arguments[0].shape), ()
            options = {"dtype": arguments[0].dtype} | options
        else:
            limits = arguments[:2] if name == "randint" else ()
            sizes = arguments[2:] if name == "randint" else arguments
            shape = tuple(sizes[0]) if len(sizes) == 1 and not isinstance(sizes[0], int) else sizes
        options["generator"] = torch.Generator().manual_seed(7)
        function = getattr(kept_draws, name.removesuffix("_like"))
        return function(*limits, (1, *shape[1:]), **options).expand(shape).clone()

    return drawn
