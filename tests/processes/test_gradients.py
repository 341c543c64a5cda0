"""The gradient of a batch in several processes is that of one, for every learning rule."""

import pytest

from ganglion.models import INDEX
from tests.processes.conftest import Record
from tests.warm import WarmProcess

TOLERANCE = 1e-6
QUICK = ("mlp", "resnet", "translator", "char-rnn", "gan", "vae", "rbm", "dqn")
"""A system of most families, one with batch normalisation among them."""


def worst(warm: WarmProcess, size: int, names: list[str], *arguments: object) -> dict[str, dict[str, float]]:
    outcome = warm.run("tests.processes.worlds:run", size, "tests.processes.gradients:differences", names, *arguments)
    assert outcome.status == 0, outcome.errors
    of_first: dict[str, dict[str, float]] = outcome.value[0]
    return of_first


@pytest.mark.parametrize(("size", "samples"), [(2, None), (4, 5), (4, 3)], ids=["two", "ragged", "empty slices"])
def test_processes_find_the_gradient_of_one(warm: WarmProcess, size: int, samples: int | None) -> None:
    names = [name for name in QUICK if samples is None or name in ("mlp", "resnet")]
    for name, kinds in worst(warm, size, names, None, samples).items():
        assert max(kinds.values()) < TOLERANCE, (name, kinds)


SINGLE = ("lenet5", "dqn", "trader")
"""Systems some of whose numbers are always of single precision."""
RAGGED = 11
"""Samples of a batch that four processes share unevenly: slices of 2 and of 3."""


@pytest.mark.full
@pytest.mark.parametrize(("size", "samples"), [(2, None), (4, RAGGED)], ids=["two", "four, ragged"])
@pytest.mark.parametrize("system", [system.name for system in INDEX])
def test_processes_find_the_gradient_of_one_for_every_system(
    warm: WarmProcess, seen: Record, system: str, size: int, samples: int | None
) -> None:
    kinds = worst(warm, size, [system], None, samples, system not in SINGLE)[system]
    seen("gradients", system=system, processes=size, **kinds)
    assert max(kinds.values()) < TOLERANCE, kinds
