"""Gates of any slope: the equations written out in plain torch, counts, and what becomes of errors through time."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ganglion.errors import ConfigurationError
from ganglion.inspect import gradient_through_time
from ganglion.models.recurrent.lstm_forecaster import TINY, build
from ganglion.nn.recurrent import GRU, LSTM, Cell, GRUCell, LSTMCell, Recurrent
from ganglion.nn.recurrent.named_cells import recurrent_layers

CELLS: dict[str, Callable[..., Any]] = {
    "lstm": lambda **steep: LSTMCell(3, 5, **steep),
    "lstm with peepholes": lambda **steep: LSTMCell(3, 5, peepholes=True, **steep),
    "gru, reset after": lambda **steep: GRUCell(3, 5, **steep),
    "gru, reset before": lambda **steep: GRUCell(3, 5, reset_after=False, **steep),
}


@pytest.fixture(params=["fast", "reference"])
def path(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("GANGLION_FAST", "1" if request.param == "fast" else "0")
    return str(request.param)


def drawn(name: str, **steep: Any) -> Any:
    torch.manual_seed(0)
    cell = CELLS[name](**steep)
    for key, parameter in cell.named_parameters():
        if key == "gate_slopes":
            parameter.data = torch.tensor([2.5, 0.4, 1.7])[: len(parameter)]
        else:
            nn.init.normal_(parameter, std=0.5)
    return cell


def written_out(cell: Any, inputs: Tensor) -> Tensor:
    """Outputs (batch, time, hidden) by the equations of the docstrings, each gate as sigmoid(s a)."""
    width = 5
    gates = 2 if isinstance(cell, GRUCell) else 3
    s = cell.gate_slopes if cell.gate_slopes is not None else torch.full((gates,), cell.gate_slope)
    w, u, b = cell.input_weight.split(width), cell.recurrent_weight.split(width), cell.bias.split(width)
    h = inputs.new_zeros(len(inputs), width)
    c, outputs = h, []
    for x in inputs.unbind(1):
        a = [x @ w[k].T + b[k] for k in range(len(w))]
        if isinstance(cell, LSTMCell):
            p = [0.0, 0.0, 0.0] if cell.peepholes is None else cell.peepholes.unbind()
            i = torch.sigmoid(s[0] * (a[0] + h @ u[0].T + p[0] * c))
            f = torch.sigmoid(s[1] * (a[1] + h @ u[1].T + p[1] * c))
            c = f * c + i * torch.tanh(a[2] + h @ u[2].T)
            h = torch.sigmoid(s[2] * (a[3] + h @ u[3].T + p[2] * c)) * torch.tanh(c)
        else:
            r = torch.sigmoid(s[0] * (a[0] + h @ u[0].T))
            update = torch.sigmoid(s[1] * (a[1] + h @ u[1].T))
            inner = (r * h) @ u[2].T if cell.recurrent_bias is None else r * (h @ u[2].T + cell.recurrent_bias)
            h = (1 - update) * torch.tanh(a[2] + inner) + update * h
        outputs.append(h)
    return torch.stack(outputs, dim=1)


@pytest.mark.parametrize("steep", [{"gate_slope": 3.0}, {"gate_slope": 0.5}, {"learned_slope": True}])
@pytest.mark.parametrize("name", CELLS)
def test_values_and_gradients_are_those_of_the_equations(name: str, steep: dict[str, Any], path: str) -> None:
    cell = drawn(name, **steep)
    network = Recurrent([cell])
    inputs = torch.randn(4, 9, 3)
    outputs, expected = network(inputs)[0], written_out(cell, inputs)
    torch.testing.assert_close(outputs, expected, rtol=1e-4, atol=1e-5)
    weights = torch.randn_like(outputs)
    parameters = list(cell.parameters())
    found = torch.autograd.grad((outputs * weights).sum(), parameters)
    wanted = torch.autograd.grad((expected * weights).sum(), parameters)
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", CELLS)
def test_single_steps_know_the_slope(name: str) -> None:
    cell = drawn(name, gate_slope=4.0)
    inputs = torch.randn(4, 1, 3)
    state = tuple(torch.zeros(4, width) for width in cell.state_features)
    (hidden, *_) = cell.step(cell.project(inputs.transpose(0, 1))[0], state)
    torch.testing.assert_close(hidden, written_out(cell, inputs)[:, 0])


@pytest.mark.parametrize(("make", "learnt"), [(LSTM, 3), (GRU, 2)])
def test_counts_and_names(make: Any, learnt: int) -> None:
    plain, fixed, learning = make(3, 5, 2), make(3, 5, 2, gate_slope=2.0), make(3, 5, 2, learned_slope=True)
    count = sum(parameter.numel() for parameter in plain.parameters())
    assert sum(parameter.numel() for parameter in fixed.parameters()) == count
    assert sum(parameter.numel() for parameter in learning.parameters()) == count + 2 * learnt
    assert list(fixed.state_dict()) == list(plain.state_dict())
    assert all(cell.gate_slopes.tolist() == [1.0] * learnt for cell in learning.cells)


@pytest.mark.parametrize("make", [LSTM, GRU])
def test_torch_gets_the_slope_within_its_weights(make: Any) -> None:
    network = make(3, 5, 2, gate_slope=2.5, bidirectional=True)
    inputs = torch.randn(4, 9, 3)
    torch.testing.assert_close(network(inputs)[0], network.to_torch()(inputs)[0], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("make", [LSTM, GRU])
def test_errors_last_longer_through_steep_gates(make: Any) -> None:
    """The remedy against vanishing: a gate that is open to 0.73 lets 2e-7 of an error pass in 50 steps; steep, 0.4."""
    left = {}
    for slope in (1.0, 4.0):
        torch.manual_seed(0)
        network = make(2, 16, gate_slope=slope)
        cell = network.cells[0]
        with torch.no_grad():  # what remembers begins open, as the forget gate does
            cell.recurrent_weight.mul_(0.05)
            cell.bias.chunk(len(cell.bias) // 16)[1].fill_(1.0)
        flow = gradient_through_time(network, torch.randn(4, 51, 2), torch.zeros(4, 51, 16), _last_step)
        left[slope] = flow.cells[0].shares[-1]
        assert flow.verdict == ("vanishing" if slope == 1 else "healthy")
        assert ("slope 4" in str(flow)) is (slope == 4)
    assert left[4.0] > 1e3 * left[1.0]


def _last_step(outputs: tuple[Tensor, Any], targets: Tensor) -> Tensor:
    return (outputs[0][:, -1] - targets[:, -1] - 1).square().mean()


def test_slopes_are_learnt() -> None:
    torch.manual_seed(0)
    rule = build(replace(TINY, learned_slope=True, gate_slope=2.0))
    before = [cell.gate_slopes.clone() for cell in rule.home.recurrent.cells]
    for _ in range(5):
        rule.step({"inputs": torch.randn(16, TINY.window, 1), "targets": torch.randn(16, 1)})
    for cell, old in zip(rule.home.recurrent.cells, before, strict=True):
        assert (cell.gate_slopes != old).all() and old.tolist() == [2.0] * 3


@pytest.mark.parametrize("wrong", [{"gate_slope": 0.0}, {"gate_slope": -1.0}])
def test_refuses_slopes_that_are_none(wrong: dict[str, float]) -> None:
    for make in (LSTMCell, GRUCell):
        with pytest.raises(ConfigurationError, match="slope"):
            make(3, 5, **wrong)


def test_cells_without_gates_have_no_slope() -> None:
    with pytest.raises(ConfigurationError, match="without gates"):
        recurrent_layers("elman", 3, 5, gate_slope=2.0)
    assert isinstance(recurrent_layers("gru", 3, 5, gate_slope=2.0).cells[0], Cell)
