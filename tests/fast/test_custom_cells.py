"""Cells of a user's own: compiled from their equations they compute the same, or they run as they are written."""

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from ganglion.fast import applies
from ganglion.fast.custom_cells.program import program_of
from ganglion.nn.recurrent import Cell, GRUCell, JordanCell, LSTMCell, Recurrent, State

pytestmark = pytest.mark.skipif(not applies.enabled(), reason="needs numba")


class Minimal(Cell):
    """A minimal gated unit, whose weight is cut in two inside the step."""

    def __init__(self, in_features: int, hidden_features: int) -> None:
        super().__init__()
        self.state_features, self.hidden_features = (hidden_features,), hidden_features
        self.input, self.weight = nn.Linear(in_features, 2 * hidden_features), nn.Parameter(torch.empty(0))
        self.weight = nn.Parameter(torch.randn(2 * hidden_features, hidden_features) / hidden_features)

    def project(self, inputs: Tensor) -> Tensor:
        return self.input(inputs)

    def step(self, projected: Tensor, state: State) -> State:
        (hidden,), width = state, self.hidden_features
        forget = torch.sigmoid(projected[:, :width] + hidden @ self.weight[:width].T)
        new = torch.tanh(projected[:, width:] + (forget * hidden) @ self.weight[width:].T)
        return ((1 - forget) * hidden + forget * new,)


class Normalised(Cell):
    """Layer normalisation inside a step that projects its inputs itself."""

    def __init__(self, in_features: int, hidden_features: int) -> None:
        super().__init__()
        self.state_features = (hidden_features,)
        self.both, self.norm = nn.Linear(in_features + hidden_features, hidden_features), nn.LayerNorm(hidden_features)
        self.slope = nn.Parameter(torch.tensor(0.7))

    def step(self, projected: Tensor, state: State) -> State:
        return (functional.silu(self.norm(self.both(torch.cat([projected, state[0]], dim=1)))) * self.slope,)


class Kinked(Cell):
    """Two states of different widths, comparisons, powers, limits and sums over units."""

    def __init__(self, in_features: int, hidden_features: int) -> None:
        super().__init__()
        self.state_features = (hidden_features, 2)
        self.input, self.first = nn.Linear(in_features, hidden_features), nn.Linear(hidden_features, hidden_features)
        self.second = nn.Linear(hidden_features, 2, bias=False)
        self.register_buffer("scale", torch.linspace(0.5, 1.5, hidden_features))

    def step(self, projected: Tensor, state: State) -> State:
        total = functional.relu(self.input(projected) + self.first(state[0])) - state[1].sum(1, keepdim=True) ** 2
        hidden = torch.where(total > 0.5, state[0], -total).clamp(-2, 2) * self.scale
        return functional.elu(hidden) / (1 + hidden**2), functional.softplus(self.second(hidden)) - 0.5 * state[1]


CELLS: dict[str, Callable[[], Cell]] = {
    "minimal": lambda: Minimal(3, 8),
    "normalised": lambda: Normalised(3, 8),
    "kinked": lambda: Kinked(3, 40),
    "jordan": lambda: JordanCell(3, 8, 5),
    "lstm": lambda: LSTMCell(3, 8, peepholes=True),
}


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compile however small a scan is."""
    monkeypatch.setattr(applies, "LEAST_COMPILED_INPUTS", 0)


def _drawn(name: str) -> tuple[Cell, Tensor, State]:
    torch.manual_seed(0)
    cell = CELLS[name]()
    for parameter in cell.parameters():
        nn.init.normal_(parameter, std=0.2)
    inputs = cell.project(torch.randn(4, 20, 3)).detach().requires_grad_()
    return cell, inputs, tuple(torch.randn(20, width, requires_grad=True) for width in cell.state_features)


@pytest.mark.parametrize("masked", [False, pytest.param(True, marks=pytest.mark.full)], ids=["plain", "masked"])
@pytest.mark.parametrize("name", CELLS)
def test_compiled_steps_equal_the_equations(name: str, masked: bool, always: None) -> None:
    cell, inputs, state = _drawn(name)
    mask = functional.dropout(torch.ones_like(state[0]), 0.3) if masked else None
    program = program_of(cell, inputs, state, mask)
    assert program is not None
    results = []
    for states in (program(cell, inputs, state, mask), cell.step_by_step(inputs, state, mask)):
        value = sum((part * part.detach().cos()).sum() for part in states)
        wanted = [inputs, *state, *cell.parameters()]
        slopes = torch.autograd.grad(value, wanted, allow_unused=True, materialize_grads=True)
        results.append([*states, *slopes])
    for ours, expected in zip(*results, strict=True):
        torch.testing.assert_close(
            ours, expected, rtol=1e-5, atol=1e-5 * max(1.0, float(expected.detach().abs().max()))
        )


def test_a_network_of_compiled_cells_equals_one_step_by_step(monkeypatch: pytest.MonkeyPatch, always: None) -> None:
    torch.manual_seed(0)
    network = Recurrent([Minimal(3, 8), Minimal(16, 8)], [Minimal(3, 8), Minimal(16, 8)], learned_state=True)
    inputs, lengths = torch.randn(4, 11, 3), torch.tensor([4, 11, 1, 7])
    results = []
    for fast in ("1", "0"):
        monkeypatch.setenv("GANGLION_FAST", fast)
        network.zero_grad()
        outputs, _ = network(inputs, lengths=lengths)
        outputs.square().sum().backward()
        results.append([outputs, *[parameter.grad for parameter in network.parameters()]])
    for ours, expected in zip(*results, strict=True):
        torch.testing.assert_close(ours, expected, rtol=1e-5, atol=1e-5)


def test_no_gradient_is_asked_for_without_any(always: None) -> None:
    cell, inputs, state = _drawn("minimal")
    with torch.no_grad():
        (found,) = cell.scan(inputs, state)
        torch.testing.assert_close(found, cell.step_by_step(inputs, state)[0])
    assert found.grad_fn is None


def test_weights_are_read_anew_at_every_call(always: None) -> None:
    cell, inputs, state = _drawn("minimal")
    cell.scan(inputs, state)
    with torch.no_grad():
        for parameter in cell.parameters():
            parameter.mul_(0.5)
    torch.testing.assert_close(cell.scan(inputs, state), cell.step_by_step(inputs, state))


def test_a_changed_setting_is_followed_anew(always: None) -> None:
    class Scaled(Minimal):
        factor = 1.0

        def step(self, projected: Tensor, state: State) -> State:
            return (self.factor * super().step(projected, state)[0],)

    cell, inputs, state = Scaled(3, 8), torch.randn(9, 20, 16), (torch.randn(20, 8),)
    before = cell.scan(inputs, state)[0]
    cell.factor = 0.5
    after = cell.scan(inputs, state)[0]
    assert not torch.allclose(before, after)
    torch.testing.assert_close(after, cell.step_by_step(inputs, state)[0])


class Branching(Minimal):
    """What a step does depends on numbers."""

    def step(self, projected: Tensor, state: State) -> State:
        found = super().step(projected, state)
        return found if found[0].sum() > 0 else (-found[0],)


class Random(Minimal):
    def step(self, projected: Tensor, state: State) -> State:
        return (functional.dropout(super().step(projected, state)[0], 0.5),)


class InPlace(Minimal):
    def step(self, projected: Tensor, state: State) -> State:
        (hidden,) = super().step(projected, state)
        hidden.mul_(2)
        return (hidden,)


class OverTheBatch(Minimal):
    def step(self, projected: Tensor, state: State) -> State:
        (hidden,) = super().step(projected, state)
        return (hidden - hidden.mean(0, keepdim=True),)


class Quadratic(Minimal):
    def step(self, projected: Tensor, state: State) -> State:
        (hidden,) = super().step(projected, state)
        return ((hidden @ (hidden.T @ hidden)).tanh(),)


@pytest.mark.parametrize("kind", [Branching, Random, InPlace, OverTheBatch, Quadratic])
def test_what_cannot_be_compiled_runs_as_it_is_written(kind: type[Minimal], always: None) -> None:
    torch.manual_seed(0)
    cell, inputs, state = kind(3, 8), torch.randn(5, 20, 16), (torch.randn(20, 8),)
    assert program_of(cell, inputs, state, None) is None
    torch.manual_seed(1)
    found = cell.scan(inputs, state)
    torch.manual_seed(1)
    assert torch.equal(found[0], cell.step_by_step(inputs, state)[0])


def test_a_compiled_network_can_be_copied_and_its_gradient_runs_under_autocast(always: None) -> None:
    network = Recurrent(Minimal(3, 8))
    inputs = torch.randn(4, 11, 3)
    expected, _ = network(inputs)
    torch.testing.assert_close(copy.deepcopy(network)(inputs)[0], expected)
    with torch.autocast("cpu", torch.bfloat16):
        outputs, _ = network(inputs)
        outputs.float().sum().backward()
    torch.testing.assert_close(outputs.float(), expected, rtol=0.05, atol=0.03)
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in network.parameters())


def test_small_scans_and_other_types_run_as_they_are_written() -> None:
    cell = GRUCell(3, 8)
    assert program_of(cell, torch.zeros(5, 20, 24), (torch.zeros(20, 8),), None) is None
    double = Minimal(3, 8).double()
    assert program_of(double, torch.zeros(60, 64, 16).double(), (torch.zeros(64, 8).double(),), None) is None
