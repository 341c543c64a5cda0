"""The chain rule written out equals the textbook, autograd and finite differences."""

import itertools
import json
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from ganglion.errors import ConfigurationError, UsageError
from ganglion.inspect import example, trace
from ganglion.inspect.backpropagation import half_squared_error


def textbook():
    network = nn.Sequential(nn.Linear(2, 2), nn.Sigmoid(), nn.Linear(2, 2), nn.Sigmoid()).double()
    values = ([[0.15, 0.20], [0.25, 0.30]], [0.35, 0.35], [[0.40, 0.45], [0.50, 0.55]], [0.60, 0.60])
    with torch.no_grad():
        for parameter, value in zip(network.parameters(), values, strict=True):
            parameter.copy_(torch.tensor(value, dtype=torch.float64))
    return network, torch.tensor([[0.05, 0.10]]).double(), torch.tensor([[0.01, 0.99]]).double()


def product_along_the_path(steps):
    return math.prod(step.local[0] for step in steps)


def test_the_textbook_example_prints_its_published_numbers():
    found = example()
    assert found.forward["net2"][0] == pytest.approx(1.105905967, abs=5e-10)
    assert found.forward["out3"] == pytest.approx((0.75136507, 0.772928465), abs=5e-9)
    assert found.error == pytest.approx(0.298371109, abs=5e-10)
    assert found.gradient == pytest.approx(0.082167041, abs=5e-10)
    assert found.updated == pytest.approx(0.35891648, abs=5e-9)
    shown = str(found)
    for digits in ("1.105905967", "0.751365070", "0.298371109", "0.082167041", "0.35891648", "∂net2/∂w"):
        assert digits in shown


def test_along_a_single_path_the_product_of_the_local_derivatives_is_the_gradient():
    found = example()
    assert [step.derivative for step in found.steps] == ["∂E/∂out3", "∂out3/∂net2", "∂net2/∂w"]
    assert all(len(step.local) == 1 for step in found.steps)
    assert product_along_the_path(found.steps) == pytest.approx(found.autograd, abs=1e-12)


def test_a_hidden_weight_sums_over_both_paths():
    found = trace(*textbook(), half_squared_error, "0.weight[0, 0]", rate=0.5)
    assert found.gradient == pytest.approx(0.000438568, abs=5e-10)  # the textbook's dE/dw1
    assert found.updated == pytest.approx(0.149780716, abs=5e-10)
    loss, output, dense, hidden, own = found.steps
    by_hand = sum(
        error * slope * weight for error, slope, weight in zip(loss.local, output.local, dense.local, strict=True)
    )
    assert dense.running == pytest.approx((by_hand,))
    assert by_hand * hidden.local[0] * own.local[0] == pytest.approx(found.autograd, abs=1e-12)
    assert own.local == pytest.approx((0.05,))


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.branch, self.last = nn.Linear(3, 3), nn.Linear(3, 3), nn.Linear(3, 2)

    def forward(self, inputs):
        hidden = torch.relu(self.first(inputs))
        return self.last(hidden + torch.tanh(self.branch(hidden)))


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell, self.last = nn.RNNCell(3, 3), nn.Linear(3, 2)

    def forward(self, inputs):
        hidden = inputs.new_zeros(len(inputs), 3)
        for _ in range(3):
            hidden = self.cell(inputs, hidden)
        return self.last(hidden)


def convolutional():
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1), nn.ReLU(inplace=True), nn.MaxPool2d(2), nn.Conv2d(4, 6, 3, groups=2),
        nn.BatchNorm2d(6), nn.LeakyReLU(0.1), nn.ConvTranspose2d(6, 4, 2, stride=2), nn.ELU(), nn.Flatten(),
        nn.Linear(64, 5), nn.Tanh(), nn.Linear(5, 3),
    )  # fmt: skip


def finite_difference(network, inputs, targets, loss, name, index, step=1e-5):
    weight = network.get_parameter(name)
    errors = []
    with torch.no_grad():
        for sign in (1, -2):
            weight[index] += sign * step
            errors.append(float(loss(network(inputs), targets)))
        weight[index] += step
    return (errors[0] - errors[1]) / (2 * step)


class InPlace(nn.Module):
    """Shares one activation, and works in place by module, by function and by method."""

    def __init__(self):
        super().__init__()
        self.first, self.middle, self.last = nn.Linear(3, 4), nn.Linear(4, 4), nn.Linear(4, 2)
        self.squash = nn.SiLU(inplace=True)

    def forward(self, inputs):
        hidden = self.squash(self.first(inputs))
        hidden = self.middle(hidden)
        hidden.tanh_()
        return self.last(self.squash(hidden))


class Scaled(nn.Module):
    """An activation of one's own."""

    def forward(self, inputs):
        return 1.7 * torch.tanh(0.6 * inputs)


CASES = {
    "in place": (InPlace, (4, 3)),
    "own activation": (lambda: nn.Sequential(nn.Linear(3, 4), Scaled(), nn.Linear(4, 2), nn.Softmax(-1)), (4, 3)),
    "dense": (lambda: nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 4), nn.SiLU(), nn.Linear(4, 2)), (5, 3)),
    "convolutional": (convolutional, (3, 2, 8, 8)),
    "residual": (Residual, (4, 3)),
    "recurrent": (Recurrent, (4, 3)),
    "over time": (lambda: nn.Sequential(nn.Linear(3, 4), nn.GELU(), nn.Linear(4, 2)), (4, 6, 3)),
    "unbatched": (lambda: nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)), (3,)),
    "one layer": (lambda: nn.Linear(3, 2), (4, 3)),
}


@pytest.mark.parametrize("case", CASES)
def test_every_parameter_of_every_kind_of_network(case):
    torch.manual_seed(0)
    build, shape = CASES[case]
    network, inputs = build().double(), torch.randn(shape).double()
    targets = torch.randn(network(inputs).shape).double()
    for name, parameter in network.named_parameters():
        index = tuple(int(torch.randint(size, ())) for size in parameter.shape)
        found = trace(network, inputs, targets, nn.MSELoss(), (name, index))
        assert found.gradient == pytest.approx(found.autograd, rel=1e-9, abs=1e-14), name
        slope = finite_difference(network, inputs, targets, nn.MSELoss(), name, index)
        assert found.gradient == pytest.approx(slope, rel=1e-4, abs=1e-8), name


def test_a_convolutional_network_is_written_out_layer_by_layer():
    torch.manual_seed(0)
    found = trace(convolutional(), torch.randn(3, 2, 8, 8), torch.tensor([0, 1, 2]), nn.CrossEntropyLoss(), "0.bias[1]")
    assert [step.layer for step in found.steps] == ["", *map(str, range(11, -1, -1))]
    assert len(found.steps[-1].local) == 3 * 8 * 8  # one map of every sample


def test_elementwise_layers_are_recognised_by_what_they_do():
    network = nn.Sequential(nn.Linear(3, 4), Scaled(), nn.Softmax(-1), nn.Linear(4, 2))
    found = trace(network, torch.randn(1, 3), torch.randn(1, 2), nn.MSELoss(), "0.bias[1]")
    steps = {step.layer: step for step in found.steps}
    assert (steps["1"].formula, len(steps["1"].local)) == ("slope at net", 1)
    assert steps["2"].local == ()  # every output of a softmax depends on every input


def test_layers_that_are_called_again_have_letters_of_their_own():
    found = trace(InPlace(), torch.randn(1, 3), torch.randn(1, 2), nn.MSELoss(), "first.bias[1]")
    assert list(found.forward) == ["net[first]", "out[squash]", "net[middle]", "out[squash:2]", "net[last]"]
    assert [step.kind for step in found.steps][2:4] == ["SiLU", "tanh"]


def test_functions_between_layers_are_steps_of_their_own():
    torch.manual_seed(0)
    found = trace(Residual(), torch.randn(4, 3), torch.randn(4, 2), nn.MSELoss(), "first.weight[0, 1]")
    names = [step.derivative for step in found.steps]
    assert names == ["∂E/∂net[last]", "∂net[last]/∂in[last]", "∂in[last]/∂net[first]", "∂net[first]/∂w"]
    assert found.steps[2].kind == "several paths"


ACTIVATIONS = (nn.Sigmoid, nn.Tanh, nn.ReLU, nn.LeakyReLU, nn.ELU, nn.SiLU, nn.Softplus, nn.Identity, nn.Hardsigmoid)


@settings(max_examples=30, deadline=None)
@given(
    widths=st.lists(st.integers(1, 5), min_size=2, max_size=5),
    kinds=st.lists(st.sampled_from(ACTIVATIONS), min_size=4, max_size=4),
    batch=st.integers(1, 4),
    seed=st.integers(0, 10_000),
)
def test_random_dense_networks(widths, kinds, batch, seed):
    torch.manual_seed(seed)
    layers = [
        layer
        for number, (below, above) in enumerate(itertools.pairwise(widths))
        for layer in (nn.Linear(below, above), kinds[number]())
    ]
    network = nn.Sequential(*layers)
    inputs, targets = torch.randn(batch, widths[0]), torch.randn(batch, widths[-1])
    for name in ("0.weight", f"{len(layers) - 2}.bias"):
        index = tuple(size - 1 for size in network.get_parameter(name).shape)
        found = trace(network, inputs, targets, half_squared_error, (name, index))
        assert found.gradient == pytest.approx(found.autograd, rel=1e-9, abs=1e-12)


def test_the_network_is_left_alone():
    torch.manual_seed(0)
    network = convolutional().train()
    network.add_module("dropout", nn.Dropout())
    before = {name: value.clone() for name, value in network.state_dict().items()}
    state = torch.get_rng_state()
    trace(network, torch.zeros(3, 2, 8, 8), torch.zeros(3, 3), nn.MSELoss(), "0.bias[0]")
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert all(parameter.grad is None and parameter.dtype == torch.float32 for parameter in network.parameters())
    assert not any(module._forward_hooks for module in network.modules())


@pytest.mark.parametrize(
    ("parameter", "error", "words"),
    [
        ("0.wieght[0, 0]", ConfigurationError, "did you mean '0.weight'"),
        ("0.weight[0]", UsageError, "no such weight"),
        ("0.weight[2, 0]", UsageError, "no such weight"),
        ("0.weight", UsageError, "cannot read"),
    ],
)
def test_a_wrong_weight_is_one_clear_error(parameter, error, words):
    with pytest.raises(error, match=words):
        trace(*textbook(), half_squared_error, parameter)


def test_a_loss_that_is_no_number_or_does_not_depend_is_refused():
    with pytest.raises(UsageError, match="single number"):
        trace(*textbook(), nn.MSELoss(reduction="none"), "0.bias[0]")
    with pytest.raises(UsageError, match="does not depend"):
        trace(*textbook(), lambda outputs, targets: targets.sum(), "0.bias[0]")


def test_representations():
    found = example()
    values = json.loads(json.dumps(found.to_dict()))
    assert values["gradient"] == found.gradient
    assert values["steps"][0]["local"] == {"count": 1, "values": list(found.steps[0].local)}
    assert "Chain rule" in found._repr_html_()
