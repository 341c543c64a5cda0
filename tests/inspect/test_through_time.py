"""Errors through time, against powers of matrices and autograd, and the verdicts on nets made to deserve them."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from ganglion.errors import UsageError
from ganglion.inspect import gates, gradient_through_time
from ganglion.inspect.through_time import TimeFlow, recorded
from ganglion.nn.recurrent import GRU, LSTM, ElmanRNN, Recurrent

STEPS = 60


class Reader(nn.Module):
    """A recurrent layer, and a dense one on its last output."""

    def __init__(self, recurrent: Recurrent, width: int) -> None:
        super().__init__()
        self.recurrent, self.head = recurrent, nn.Linear(width, 1)

    def forward(self, inputs: Tensor) -> Tensor:
        outputs, _ = self.recurrent(inputs)
        return self.head(outputs[:, -1])


def flow(network: nn.Module, inputs: Tensor) -> TimeFlow:
    return gradient_through_time(network, inputs, torch.ones(len(inputs), 1), nn.MSELoss())


def elman(scale: float) -> Reader:
    """At inputs of zero the units stay at zero, where tanh has slope 1: the Jacobian of a step is U."""
    torch.manual_seed(0)
    network = Reader(ElmanRNN(1, 6), 6)
    with torch.no_grad():
        network.recurrent.layers[0].recurrent_weight.mul_(scale)
    return network


@pytest.mark.parametrize(("scale", "verdict"), [(0.5, "vanishing"), (1.5, "exploding"), (1.0, "healthy")])
def test_an_elman_net_made_to_vanish_explode_or_last(scale: float, verdict: str) -> None:
    network = elman(scale)
    found = flow(network, torch.zeros(3, STEPS, 1))
    assert found.verdict == verdict, found.finding
    (cell,) = found.cells
    weight = network.recurrent.layers[0].recurrent_weight.detach().double()
    for product in cell.products:
        power = torch.linalg.matrix_power(weight, product.lag)
        assert product.norm == pytest.approx(float(torch.linalg.matrix_norm(power, 2)), rel=1e-5)
        assert product.radius == pytest.approx(float(torch.linalg.eigvals(power).abs().max()), rel=1e-5)
    # An orthogonal U times a scale changes every direction alike.
    assert cell.shares == pytest.approx([scale**lag for lag in range(STEPS)], rel=1e-4)
    if verdict == "vanishing":  # U is orthogonal times a half: 2^-10 is the first power below a thousandth.
        assert cell.vanished_after == 10


def test_an_lstm_that_keeps_a_bit_over_a_hundred_steps() -> None:
    torch.manual_seed(0)
    network = Reader(LSTM(1, 8, forget_bias=5.0), 8)
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-2)
    bits = torch.tensor([-1.0, 1.0]).repeat(16)
    inputs = torch.zeros(len(bits), 101, 1)
    inputs[:, 0, 0] = bits
    for _ in range(60):
        optimizer.zero_grad()
        functional.soft_margin_loss(network(inputs)[:, 0], bits).backward()
        optimizer.step()
    assert bool((network(inputs)[:, 0].sign() == bits).all())
    kept = gradient_through_time(network, inputs, bits[:, None], nn.SoftMarginLoss())
    assert kept.verdict == "healthy", kept.finding
    assert kept.cells[0].shares[100] > 0.01
    assert gates(network, inputs).activities[1].values[1:].mean() > 0.9  # the forget gate stays open


@pytest.mark.parametrize("make", [ElmanRNN, LSTM, GRU])
def test_products_of_jacobians_are_the_derivative_of_the_last_state(make: type[Recurrent]) -> None:
    torch.manual_seed(1)
    network = Reader(make(2, 4, num_layers=2), 4)
    inputs = torch.randn(3, 12, 2)
    found = flow(network, inputs)
    cell = network.recurrent.layers[1]
    with recorded(network) as records:
        network(inputs)
    steps = records["recurrent.layers.1"].steps
    projected = torch.stack([given[:1].detach() for given, _ in steps])
    for product in found.cells[1].products:
        start = [part[0].detach() for part in steps[len(steps) - product.lag][1]]

        def last(flat: Tensor, first: int = len(steps) - product.lag, parts: int = len(start)) -> Tensor:
            states = cell.scan(projected[first:], tuple(part[None] for part in flat.chunk(parts)))
            return torch.cat([part[-1, 0] for part in states])

        derivative = torch.autograd.functional.jacobian(last, torch.cat(start))
        assert product.norm == pytest.approx(float(torch.linalg.matrix_norm(derivative, 2)), rel=1e-4)
    assert {product.lag for product in found.cells[1].products} == {1, 2, 5, 10}


def test_gradients_are_those_of_autograd_and_the_network_is_left_alone() -> None:
    torch.manual_seed(2)
    network = Reader(LSTM(1, 5), 5)
    inputs = torch.randn(4, 9, 1)
    found = flow(network, inputs)
    with recorded(network) as records:
        loss = functional.mse_loss(network(inputs), torch.ones(4, 1))
    states = records["recurrent.layers.0"].states
    for step in (0, 4, 8):
        hidden, cell = torch.autograd.grad(loss, states[step], retain_graph=True, allow_unused=True)
        size = torch.cat([part for part in (hidden, cell) if part is not None], 1).norm(dim=1).square().mean().sqrt()
        assert found.cells[0].gradients[step] == pytest.approx(float(size), rel=1e-4)
    assert network.training
    assert "scan" not in vars(network.recurrent.layers[0])
    assert all(parameter.grad is None for parameter in network.parameters())


def test_questions_for_shapes_are_not_recorded() -> None:
    network = Reader(LSTM(1, 5), 5)
    with recorded(network) as records:
        network.to("meta")(torch.zeros(2, 7, 1, device="meta"))
    assert not records["recurrent.layers.0"].steps


def test_clipping_and_numbers_that_are_none_decide_the_verdict() -> None:
    healthy = flow(elman(1.0), torch.zeros(3, STEPS, 1))
    assert TimeFlow(healthy.cells, clipped=0.9).verdict == "exploding"
    assert "10%" in TimeFlow(healthy.cells, clipped=0.1).finding.message
    assert flow(elman(float("nan")), torch.zeros(3, STEPS, 1)).verdict == "non-finite"


def test_a_state_that_nothing_reads_is_followed_all_the_same() -> None:
    class First(Reader):
        def forward(self, inputs: Tensor) -> Tensor:
            outputs, _ = self.recurrent(inputs)
            return self.head(outputs[:, 0])

    found = flow(First(ElmanRNN(1, 4), 4), torch.randn(2, 7, 1))
    assert found.cells[0].shares[0] == 1
    assert found.cells[0].gradients[1:] == (0,) * 6


def test_a_network_without_time_is_refused() -> None:
    with pytest.raises(UsageError, match="no time to look through"):
        flow(nn.Linear(3, 1), torch.zeros(2, 3))


def test_gates_are_those_of_the_equations() -> None:
    torch.manual_seed(3)
    network = LSTM(2, 3)
    inputs = torch.randn(1, 5, 2)
    found = {one.name: one.values for one in gates(network, inputs).activities}
    reference = nn.LSTMCell(2, 3)
    cell = network.layers[0]
    with torch.no_grad():
        for theirs, ours in zip(
            reference.parameters(), (cell.input_weight, cell.recurrent_weight, cell.bias), strict=False
        ):
            theirs.copy_(ours)
        reference.bias_hh.zero_()
        hidden, memory = torch.zeros(1, 3), torch.zeros(1, 3)
        for step in range(5):
            sums = functional.linear(inputs[:, step], cell.input_weight, cell.bias)
            sums = sums + functional.linear(hidden, cell.recurrent_weight)
            hidden, memory = reference(inputs[:, step], (hidden, memory))
            expected = dict(
                zip(("input gate", "forget gate", "candidate", "output gate"), sums[0].chunk(4), strict=True)
            )
            for name, total in expected.items():
                squashed = total.tanh() if name == "candidate" else total.sigmoid()
                torch.testing.assert_close(torch.from_numpy(found[name][step]), squashed)
            torch.testing.assert_close(torch.from_numpy(found["cell"][step]), memory[0])
            torch.testing.assert_close(torch.from_numpy(found["hidden"][step]), hidden[0])
