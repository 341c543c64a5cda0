"""The promises can be broken: rules that break them are found out."""

import pytest
import torch
from torch import nn

from ganglion.core import Batch, LearningRule, Phase
from ganglion.models import System
from tests.contract.rows import row_of
from tests.contract.test_contract import check_players, check_stretches


class Pair(LearningRule):
    """Two networks with an optimizer each; the second one's turn changes the networks that it is told."""

    def __init__(self, *moved: str) -> None:
        self.networks = {"left": nn.Linear(2, 2), "right": nn.Linear(2, 2)}
        self.optimizers = {
            role: torch.optim.SGD(network.parameters(), lr=0.1) for role, network in self.networks.items()
        }
        self.counters, self.tensors, self.moved = {}, {}, moved
        self.phases = (Phase(name="first", roles=("left",)), Phase(name="then", roles=("right",)))

    def step(self, batch: Batch) -> dict[str, torch.Tensor]:
        return self._move(*self.moved)

    def begin(self, phase: Phase) -> None:
        self.moved = self.moved or phase.roles

    def _move(self, *roles: str) -> dict[str, torch.Tensor]:
        with torch.no_grad():
            for role in roles:
                self.networks[role].weight += 1
        return {}


class Players(Pair):
    def left_phase(self, batch: Batch) -> dict[str, torch.Tensor]:
        return self._move("left")

    def right_phase(self, batch: Batch) -> dict[str, torch.Tensor]:
        return self._move(*self.moved)


class Batches(list):
    def begin(self, phase: Phase) -> None:
        pass


def loader() -> Batches:
    return Batches([{"inputs": torch.zeros(1, 2)}] * 10)


def test_players_that_keep_to_their_networks_pass() -> None:
    check_players(Players("right"), loader)


@pytest.mark.parametrize("moved", [("left",), ("left", "right"), ()])
def test_a_player_that_changes_other_networks_or_none_is_found(moved: tuple[str, ...]) -> None:
    with pytest.raises(AssertionError):
        check_players(Players(*moved), loader)


def test_players_without_turns_of_their_own_are_found() -> None:
    with pytest.raises(AssertionError, match="takes its turn alone"):
        check_players(Pair("right"), loader)


def test_stretches_are_told_apart() -> None:
    with pytest.raises(AssertionError):
        check_stretches(Pair("left", "right"), loader)
    with pytest.raises(AssertionError):
        check_stretches(Pair(), loader)  # goes on with the first


def test_a_system_without_a_row_fails() -> None:
    missing = System(name="new", module="recurrent.new", tasks=("classification",), data="digits")
    with pytest.raises(ModuleNotFoundError):
        row_of(missing)
