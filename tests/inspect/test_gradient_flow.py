"""Gradient statistics equal what backward leaves in `grad`, and each illness gets its name."""

import json
from collections.abc import Callable

import pytest
import torch
from torch import nn

from ganglion.errors import UsageError
from ganglion.inspect import gradient_flow
from ganglion.nn.recurrent import LSTM, ConvLSTM, Recurrent


def batch(features, samples=32):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(samples, features, generator=generator), torch.rand(samples, features, generator=generator)


def deep(activation, depth=10):
    torch.manual_seed(0)
    layers = [layer for _ in range(depth) for layer in (nn.Linear(8, 8), activation())]
    return nn.Sequential(*layers)


def test_gradients_are_those_of_backward():
    network = deep(nn.Tanh, depth=3)
    inputs, targets = batch(8)
    found = gradient_flow(network, inputs, targets, nn.MSELoss())
    loss = nn.functional.mse_loss(network(inputs), targets)
    loss.backward()
    assert found.loss == pytest.approx(loss.item())
    for layer, module in zip(found.layers, (network[0], network[2], network[4]), strict=True):
        together = torch.cat([module.weight.grad.flatten(), module.bias.grad])
        assert layer.gradient == pytest.approx(together.square().mean().sqrt().item(), rel=1e-5)
    first = network[0](inputs)
    assert found.layers[0].activation == pytest.approx(first.square().mean().sqrt().item(), rel=1e-5)


def unscaled():
    """Inputs in the hundred thousands, as a column of prices would be, with weights that make up for it."""
    network = deep(nn.Tanh, depth=2)
    with torch.no_grad():
        network[0].weight.mul_(1e-5)
    return network, 1e5


@pytest.mark.parametrize(
    ("network", "scale", "verdict"),
    [
        (deep(nn.Sigmoid), 1, "vanishing"),
        (*unscaled(), "exploding"),
        (deep(nn.Tanh, depth=2), 1, "healthy"),
    ],
)
def test_verdicts(network, scale, verdict):
    inputs, targets = batch(8)
    found = gradient_flow(network, inputs * scale, targets, nn.MSELoss())
    assert found.verdict == verdict
    assert found.ratio == pytest.approx(found.layers[0].gradient / found.layers[-1].gradient)
    assert f"a ratio of {found.ratio:.2g}" in str(found.findings)


def test_dead_units_are_counted_also_behind_functions():
    class Dead(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.last = nn.Linear(4, 4), nn.Linear(4, 4)
            with torch.no_grad():
                self.first.bias[:3] = -100.0
                self.first.bias[3] = 100.0

        def forward(self, inputs):
            return self.last(torch.relu(self.first(inputs)))

    found = gradient_flow(Dead(), *batch(4), nn.MSELoss())
    assert [layer.dead for layer in found.layers] == [0.75, 0.0]
    assert [finding.name for finding in found.findings] == ["dead"]
    assert found.findings[0].where == ("first 75%",)


def test_dead_channels():
    network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(144, 2))
    with torch.no_grad():
        network[0].bias[0] = -100.0
        network[0].bias[1:] = 100.0
    found = gradient_flow(network, torch.rand(3, 1, 8, 8), torch.tensor([0, 1, 1]), nn.CrossEntropyLoss())
    assert found.layers[0].dead == 0.25


def test_numbers_that_are_none_are_named():
    network = deep(nn.Tanh, depth=2)
    with torch.no_grad():
        network[0].weight[0, 0] = float("nan")
    found = gradient_flow(network, *batch(8), nn.MSELoss())
    assert found.verdict == "non-finite"
    assert found.findings[0].where == ("0", "2")


def test_recurrent_layers_and_parameters_that_no_layer_is_called_with():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.last, self.lstm, self.unseen = nn.Linear(3, 1), nn.LSTM(2, 3, batch_first=True), nn.Linear(1, 1)

        def forward(self, inputs):
            return self.last(self.lstm(inputs)[0][:, -1]) * self.unseen.weight

    found = gradient_flow(Net(), torch.randn(4, 5, 2), torch.randn(4, 1), nn.MSELoss())
    values = {layer["name"]: layer for layer in json.loads(json.dumps(found.to_dict()))["layers"]}
    assert list(values) == ["lstm", "last", "unseen"]
    assert 0 < values["lstm"]["activation"] < 1
    assert values["lstm"]["gradient"] > 0
    assert values["unseen"]["activation"] is None
    assert "unknown" in str(found)
    assert len(found.figure.axes) == 3


def test_nothing_is_left_behind():
    network = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Dropout(), nn.Linear(4, 4))
    network[0].weight.grad = torch.full((4, 4), 7.0)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    state = torch.get_rng_state()
    gradient_flow(network, *batch(4), nn.MSELoss())
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert network[0].weight.grad.unique().tolist() == [7.0]
    assert network[3].weight.grad is None


def test_a_frozen_network_is_refused():
    with pytest.raises(UsageError, match="nothing to learn"):
        gradient_flow(nn.Linear(4, 4).requires_grad_(False), *batch(4), nn.MSELoss())


@pytest.mark.parametrize("make", [lambda: LSTM(2, 4), lambda: ConvLSTM(2, [4])])
@pytest.mark.parametrize("read", ["outputs", "state"])
def test_a_recurrent_layer_lives_whose_state_is_read(make: Callable[[], Recurrent], read: str) -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.memory = make()

        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            outputs, ((hidden, cell),) = self.memory(inputs)
            found = outputs[:, -1] if read == "outputs" else hidden + cell
            return found * (torch.arange(4) != 1).reshape(
                1, 4, *(1,) * (found.dim() - 2)
            )  # of one unit nothing is read

    network = Net()
    inputs = torch.randn(3, 5, 2, *((6, 7) if isinstance(network.memory, ConvLSTM) else ()))
    (layer,) = gradient_flow(network, inputs, torch.zeros(()), lambda outputs, _: outputs.square().mean()).layers
    assert layer.dead == 0.25
