"""In a batch of a fixed shape, what comes out for a sample depends on that sample alone: equal bits, for every layer.

Answers are asked for in blocks of a fixed shape, so this is what lets an answer not depend on what else is asked. It
holds for one row, and for 64 or a multiple: with other numbers of rows, the last few numbers of a tensor are computed
without vectors, by other instructions. Without kernels it holds for places that begin at an address of the same
remainder, for products of some libraries add in another order elsewhere; a sample is always asked about at such a one.
"""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from ganglion.fast import applies
from ganglion.nn import GRU, LSTM, ConvLSTM, ElmanRNN, Linear, Maxout
from ganglion.nn.stages import Stages
from ganglion.tasks.shared.evaluation import ALIKE

WHOLE = 64
"""Rows that leave no rest for any width of a tensor."""
LAYERS: dict[str, tuple[Callable[[], Callable[[Tensor], Tensor]], tuple[int, ...]]] = {
    "linear": (lambda: Linear(37, 19), (37,)),
    "linear to one": (lambda: Linear(100, 1), (100,)),
    "deep": (lambda: nn.Sequential(Linear(13, 300), nn.Sigmoid(), Linear(300, 7), nn.Softmax(1)), (13,)),
    "activations": (lambda: nn.Sequential(nn.Softplus(), nn.SiLU(), nn.Mish(), nn.GELU(), nn.Tanh(), nn.ELU()), (7,)),
    "maxout": (lambda: Maxout(2), (14,)),
    "stage": (lambda: Stages(nn.Conv2d(3, 5, 3), nn.MaxPool2d(2), nn.ReLU(), nn.Conv2d(5, 9, 3)), (3, 11, 11)),
    "few positions": (lambda: Stages(nn.Conv2d(40, 200, 3), nn.ReLU()), (40, 3, 4)),
    "torch's convolution": (lambda: nn.Conv2d(16, 24, 3, padding=1), (16, 9, 7)),
    "grown pixel": (lambda: Stages(nn.ConvTranspose2d(30, 20, 4)), (30, 1, 1)),
    "normalised": (lambda: nn.Sequential(nn.BatchNorm1d(9), nn.LayerNorm(9)).eval(), (9,)),
    "attention": (lambda: nn.TransformerEncoderLayer(16, 2, 24, batch_first=True).eval(), (5, 16)),
    "Elman": (lambda: first(ElmanRNN(3, 11)), (9, 3)),
    "LSTM": (lambda: first(LSTM(3, 11, peepholes=True)), (9, 3)),
    "LSTM of wide inputs": (lambda: first(LSTM(20, 33, bidirectional=True)), (9, 20)),
    "GRU": (lambda: first(GRU(3, 11)), (9, 3)),
    "GRU, reset before": (lambda: first(GRU(3, 11, reset_after=False)), (9, 3)),
    "convolutional LSTM": (lambda: first(ConvLSTM(2, (3,), 3)), (4, 2, 6, 5)),
    "log-softmax": (lambda: lambda inputs: functional.log_softmax(inputs, 1), (77,)),
}


def first(network: nn.Module) -> Callable[[Tensor], Tensor]:
    return lambda inputs: network(inputs)[0]


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("layer", LAYERS.values(), ids=LAYERS)
@torch.no_grad()
def test_neither_neighbours_nor_the_place_change_a_row(layer, threads, product_library):
    torch.manual_seed(0)
    make, shape = layer
    compute, rows = make(), torch.randn(WHOLE, *shape)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        expected = compute(rows)
        alike = 1 if applies.enabled() else ALIKE
        blocks = torch.stack([torch.randperm(WHOLE // alike) for _ in range(alike)], dim=1)  # (blocks, alike)
        order = (alike * blocks + torch.arange(alike)).flatten()
        assert torch.equal(compute(rows[order]), expected[order])
        for kept in (0, 21, WHOLE - 1):
            others = torch.randn_like(rows)
            others[kept] = rows[kept]
            assert torch.equal(compute(others)[kept], expected[kept])
    finally:
        torch.set_num_threads(before)


@torch.no_grad()
def test_rows_that_are_not_whole_are_why_blocks_are(product_library):
    """The last numbers of 5 x 7 are computed one by one, so that an answer would depend on its place among the 5."""
    torch.manual_seed(0)
    rows = torch.randn(5, 7)
    differs = False
    for _ in range(200):
        order = torch.randperm(5)
        differs |= not torch.equal(functional.softplus(rows[order]), functional.softplus(rows)[order])
    assert differs or not torch.backends.cpu.get_cpu_capability().startswith("AVX")
