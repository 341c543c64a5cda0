"""The summary agrees with published tables and with counting by hand, and leaves no trace."""

import copy
import json
import random

import numpy as np
import pytest
import torch
from torch import nn

from ganglion.inspect import summarise
from ganglion.nn import (
    GRU,
    LSTM,
    ConvLSTM,
    Convolution2d,
    ElmanRNN,
    FilterBank,
    JordanRNN,
    L2Pooling2d,
    Linear,
    LocallyConnected1d,
    LocallyConnected2d,
    LocalResponseNormalisation,
    MaxoutConvolution2d,
    PartialConvolution,
    RadialBasisOutput,
    Recurrent,
    SeparableConvolution2d,
    TiledConvolution2d,
)
from ganglion.nn.energy.restricted import BernoulliRBM
from ganglion.nn.recurrent.jordan import JordanCell


def convnet():
    return nn.Sequential(
        nn.Conv2d(1, 32, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(64, 64, 3), nn.ReLU(), nn.Flatten(), nn.Linear(576, 64), nn.ReLU(), nn.Linear(64, 10),
    )  # fmt: skip


class Functional(nn.Module):
    """A layer that owns a parameter beside a child, shares a child, and counts its calls in a buffer."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(3))
        self.shared = nn.Linear(3, 3)
        self.dropout = nn.Dropout(0.5)
        self.unused = nn.Linear(2, 2)
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, inputs):
        self.calls += 1
        return self.dropout(self.shared(self.shared(inputs).relu())) * self.scale


def test_convnet_has_the_published_shapes_and_counts():
    found = summarise(convnet(), torch.zeros(2, 1, 28, 28))
    assert [layer.shape_text for layer in found.layers] == [
        "26x26x32", "13x13x32", "11x11x64", "5x5x64", "3x3x64", "576", "64", "10",
    ]  # fmt: skip
    assert [layer.parameters for layer in found.layers] == [320, 0, 18_496, 0, 36_928, 0, 36_928, 650]
    assert found.parameters == found.trainable == 93_322


def test_multiply_adds_are_outputs_times_weights_that_each_of_them_uses():
    found = summarise(convnet(), torch.zeros(3, 1, 28, 28))
    by_hand = [26 * 26 * 32 * 9, 0, 11 * 11 * 64 * 9 * 32, 0, 3 * 3 * 64 * 9 * 64, 0, 576 * 64, 640]
    assert [layer.multiply_adds for layer in found.layers] == by_hand
    assert found.multiply_adds == sum(by_hand)


STEPS, BATCH = 11, 2
series = torch.zeros(BATCH, STEPS, 3)
films = torch.zeros(BATCH, STEPS, 2, 6, 5)
HAND_COUNTS = {
    "linear": (nn.Linear(6, 7), torch.zeros(2, 11, 6), 11 * 42),
    "our linear": (Linear(6, 7, bias=False), torch.zeros(2, 6), 42),
    "bilinear": (nn.Bilinear(3, 4, 5), (torch.zeros(2, 3), torch.zeros(2, 4)), 5 * (3 * 4 + 3)),
    "convolution": (nn.Conv2d(4, 8, 3, stride=2), torch.zeros(2, 4, 7, 9), 3 * 4 * 8 * 9 * 4),
    "grouped convolution": (nn.Conv2d(4, 8, 3, groups=2, padding=1), torch.zeros(2, 4, 5, 5), 5 * 5 * 8 * 9 * 2),
    "depthwise convolution": (nn.Conv1d(6, 6, 5, groups=6), torch.zeros(2, 6, 9), 5 * 6 * 5),
    "dilated convolution": (nn.Conv3d(1, 2, 3, dilation=2), torch.zeros(2, 1, 5, 5, 6), 2 * 2 * 27),
    "transposed convolution": (nn.ConvTranspose2d(4, 8, 2, stride=2), torch.zeros(2, 4, 5, 5), 5 * 5 * 4 * 4 * 8),
    "grouped transposed": (nn.ConvTranspose1d(4, 8, 3, groups=4), torch.zeros(2, 4, 5), 5 * 4 * 3 * 2),
    "embedding": (nn.Embedding(10, 4), torch.zeros(2, 11, dtype=torch.long), 0),
    "torch's LSTM": (nn.LSTM(3, 5, batch_first=True), series, STEPS * 4 * 5 * (3 + 5)),
    "torch's LSTM with projection": (
        nn.LSTM(3, 5, proj_size=2, batch_first=True), series, STEPS * (4 * 5 * (3 + 2) + 2 * 5)
    ),
    "torch's deep GRU": (nn.GRU(3, 5, num_layers=2, batch_first=True), series, STEPS * 3 * 5 * (3 + 5 + 5 + 5)),
    "torch's RNN in both directions": (
        nn.RNN(3, 5, bidirectional=True, batch_first=True), series, STEPS * 2 * 5 * (3 + 5)
    ),
    "torch's cell": (nn.LSTMCell(3, 5), torch.zeros(2, 3), 4 * 5 * (3 + 5)),
    "Elman": (ElmanRNN(3, 5), series, STEPS * 5 * (3 + 5)),
    "LSTM": (LSTM(3, 5), series, STEPS * 4 * 5 * (3 + 5)),
    "LSTM with peepholes": (LSTM(3, 5, peepholes=True), series, STEPS * 4 * 5 * (3 + 5)),
    "LSTM in both directions": (LSTM(3, 5, bidirectional=True), series, STEPS * 2 * 4 * 5 * (3 + 5)),
    "LSTM with merged directions": (
        LSTM(3, 5, bidirectional=True, merge="sum"), series, STEPS * (2 * 4 * 5 * (3 + 5) + 10 * 5)
    ),
    "GRU": (GRU(3, 5, num_layers=2), series, STEPS * 3 * 5 * (3 + 5 + 5 + 5)),
    "GRU, reset before": (GRU(3, 5, reset_after=False), series, STEPS * 3 * 5 * (3 + 5)),
    "last step alone": (GRU(3, 5, returns="last"), series, STEPS * 3 * 5 * (3 + 5)),
    "Jordan": (JordanRNN(3, 5, 4), series, STEPS * (5 * 3 + 5 * 4 + 4 * 5)),
    "Jordan, told its outputs": (
        JordanRNN(3, 5, 4), (series, torch.zeros(BATCH, STEPS, dtype=torch.long)), STEPS * (5 * 3 + 5 * 4 + 4 * 5)
    ),
    "Jordan as a cell": (Recurrent(JordanCell(3, 5, 4)), series, STEPS * (5 * 3 + 5 * 4 + 4 * 5)),
    "convolutional LSTM": (ConvLSTM(2, (3,), 3), films, STEPS * 6 * 5 * 4 * 3 * 9 * (2 + 3)),
    "flipped convolution": (
        Convolution2d(4, 8, 3, stride=2, padding="same", flipped=True), torch.zeros(2, 4, 7, 9), 4 * 5 * 8 * 9 * 4
    ),
    "separable convolution": (
        SeparableConvolution2d(4, 8, 3), torch.zeros(2, 4, 7, 9), 7 * 9 * (4 * 9 + 4 * 8)
    ),
    "maxout convolution": (MaxoutConvolution2d(4, 8, 3, pieces=3), torch.zeros(2, 4, 7, 9), 5 * 7 * 3 * 8 * 9 * 4),
    "tiled convolution": (TiledConvolution2d(4, 8, 3, tiles=3), torch.zeros(2, 4, 7, 9), 5 * 7 * 8 * 9 * 4),
    "locally connected": (LocallyConnected2d(4, 8, 3, size=(7, 9)), torch.zeros(2, 4, 7, 9), 5 * 7 * 8 * 9 * 4),
    "locally connected series": (LocallyConnected1d(4, 8, 3, size=9), torch.zeros(2, 4, 9), 7 * 8 * 3 * 4),
    "fixed filters": (FilterBank(["sobel-x", "gaussian"], channels=3), torch.zeros(2, 3, 7, 9), 7 * 9 * 6 * 25),
    "pooling and normalisation": (
        nn.Sequential(nn.Conv2d(3, 3, 1), L2Pooling2d(2), LocalResponseNormalisation()), torch.zeros(2, 3, 8, 8), 64 * 9
    ),
    "connections by a table": (PartialConvolution([(0, 1), (2,)], 3, 5), torch.zeros(2, 3, 8, 9), 4 * 5 * 3 * 25),
    "radial basis": (RadialBasisOutput(torch.zeros(10, 84)), torch.zeros(2, 84), 840),
    "Boltzmann machine": (BernoulliRBM(7, 4), torch.zeros(2, 7), 28),
    "attention": (
        nn.MultiheadAttention(8, 2, kdim=5, vdim=6, batch_first=True),
        (torch.zeros(2, 3, 8), torch.zeros(2, 4, 5), torch.zeros(2, 4, 6)),
        3 * 8 * 8 + 4 * 5 * 8 + 4 * 6 * 8 + 3 * 4 * 8 + 3 * 4 * 8 + 3 * 8 * 8,
    ),
    "transformer": (  # projections, scores and sums, then the layers within
        nn.TransformerEncoderLayer(8, 2, 16, batch_first=True),
        torch.zeros(2, 3, 8),
        3 * 4 * 64 + 2 * 9 * 8 + 3 * 2 * 8 * 16,
    ),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
@pytest.mark.parametrize("device", ["cpu", "meta"])
@pytest.mark.parametrize("case", HAND_COUNTS.values(), ids=HAND_COUNTS)
def test_cost_of_single_layers(case, device, product_library):
    layer, inputs, expected = case
    inputs = inputs if isinstance(inputs, tuple) else (inputs,)
    found = summarise(copy.deepcopy(layer).to(device), tuple(tensor.to(device) for tensor in inputs))
    assert found.multiply_adds == expected
    assert sum(row.parameters for row in found.layers) == found.parameters
    assert not any("not called" in row.kind for row in found.layers)


class Attending(nn.Module):
    """A kind without a rule: two products, one of them by a layer that has one."""

    def __init__(self):
        super().__init__()
        self.key = nn.Linear(8, 8)
        self.query = nn.Parameter(torch.zeros(5, 8))

    def forward(self, inputs):
        return (self.query @ self.key(inputs).mT).softmax(-1)  # (batch, 5, tokens)


class Comparing(nn.Module):
    """A product that no layer makes."""

    def __init__(self):
        super().__init__()
        self.inner = Attending()

    def forward(self, inputs):
        return self.inner(inputs) @ inputs


def test_kinds_without_a_rule_are_counted_by_their_operations(product_library):
    found = summarise(Attending(), torch.zeros(2, 7, 8))
    assert {layer.name: layer.multiply_adds for layer in found.layers} == {"key": 7 * 64, "(network)": 5 * 7 * 8}


def test_products_between_layers_are_counted(product_library):
    found = summarise(Comparing(), torch.zeros(2, 7, 8))
    assert found.multiply_adds == 7 * 64 + 5 * 7 * 8 + 5 * 7 * 8
    assert (found.layers[-1].name, found.layers[-1].multiply_adds) == ("(between layers)", 5 * 7 * 8)


def test_a_network_too_large_for_any_memory():
    with torch.device("meta"):
        network = nn.Sequential(nn.Linear(10**6, 10**7), nn.ReLU(), nn.Linear(10**7, 10))
    found = summarise(network, torch.zeros(1, 10**6, device="meta"))
    assert found.multiply_adds == 10**13 + 10**8
    assert found.memory["activations"] == 4 * (10**7 + 10**7 + 10)


def test_recurrent_and_normalising_layers_have_rows():
    network = nn.Sequential(nn.Conv1d(2, 4, 3), nn.BatchNorm1d(4), nn.Tanh())
    (row,) = [layer for layer in summarise(network, torch.zeros(5, 2, 9)).layers if layer.kind.startswith("Batch")]
    assert (row.parameters, row.shape, row.kind) == (8, (4, 7), "BatchNorm1d, Tanh")
    (row,) = summarise(nn.LSTM(3, 5, batch_first=True), torch.zeros(2, 11, 3)).layers
    assert (row.shape, row.parameters) == ((11, 5), 4 * 5 * (3 + 5 + 2))


def test_shared_and_uncalled_layers_still_add_up():
    network = Functional()
    found = summarise(network, torch.zeros(4, 3))
    assert sum(layer.parameters for layer in found.layers) == sum(p.numel() for p in network.parameters())
    by_name = {layer.name: layer for layer in found.layers}
    assert by_name["shared"].calls == 2
    assert by_name["shared"].multiply_adds == 18
    assert by_name["(network)"].parameters == 3
    assert by_name["unused"].kind == "Linear (not called)"


def test_frozen_parameters_are_counted_apart():
    network = convnet()
    network[0].requires_grad_(False)
    found = summarise(network, torch.zeros(1, 1, 28, 28))
    assert found.trainable == 93_322 - 320
    assert found.layers[0].trainable == 0
    assert "320 of them frozen" in str(found)
    assert found.memory["gradients"] == 4 * found.trainable


def test_memory_grows_with_the_batch_and_the_optimizer():
    network, example = nn.Sequential(nn.Linear(8, 4), nn.Flatten()), torch.zeros(2, 8)
    memory = summarise(network, example).memory
    assert memory == {"parameters": 144, "gradients": 144, "optimizer": 288, "activations": 2 * 4 * 4}
    assert summarise(network, example, batch_size=200).memory["activations"] == 200 * 16
    assert summarise(network, example, moments=0).memory["optimizer"] == 0


def test_nothing_is_left_behind():
    network = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3), Functional(), nn.Dropout())
    network.train()
    network[1].eval()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    modes = [module.training for module in network.modules()]
    torch.manual_seed(3), np.random.seed(3), random.seed(3)
    state = torch.get_rng_state()
    summarise(network, torch.randn(4, 3, generator=torch.Generator().manual_seed(0)))
    assert torch.equal(torch.get_rng_state(), state)
    assert [module.training for module in network.modules()] == modes
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in network.modules())
    assert all(parameter.grad is None for parameter in network.parameters())


def test_hooks_and_modes_are_restored_after_an_error():
    network = nn.Sequential(nn.Linear(3, 3), nn.Linear(4, 4))
    with pytest.raises(RuntimeError):
        summarise(network, torch.zeros(1, 3))
    assert network.training
    assert not any(module._forward_hooks for module in network.modules())


def test_representations_are_plain_escaped_and_json():
    class Odd(nn.Linear):
        pass

    Odd.__name__ = "<script>"
    found = summarise(nn.Sequential(Odd(2, 2)), torch.zeros(1, 2))
    assert json.loads(json.dumps(found.to_dict()))["layers"][0]["output"] == "2"
    assert "<script>" in str(found)
    assert "<script>" not in found._repr_html_()
    assert "&lt;script&gt;" in found._repr_html_()
