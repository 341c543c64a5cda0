"""Activation functions by name, and probabilities from a network's outputs."""

from collections.abc import Callable
from typing import Annotated, Literal

import torch
from torch import Tensor, nn

from ganglion.errors import ShapeError
from ganglion.settings import Search, unknown_name

ActivationName = Literal[
    "linear", "sigmoid", "hard-sigmoid", "log-sigmoid", "tanh", "hard-tanh", "tanh-shrink", "softsign",
    "relu", "relu6", "leaky-relu", "prelu", "rrelu", "threshold", "softplus", "hard-shrink", "soft-shrink",
    "elu", "celu", "selu", "gelu", "swish", "hard-swish", "mish", "glu", "maxout",
]  # fmt: skip
"""Every function of `torch.nn` of one number, the gated linear unit, which halves the width, and maxout."""

PlainActivation = Literal["linear", "sigmoid", "tanh", "relu", "leaky-relu", "elu", "swish"]
"""Those that have nothing to learn and keep the width."""

_COMMON = ("relu", "leaky-relu", "elu", "tanh", "sigmoid")
SearchedActivation = Annotated[ActivationName, Search(choices=(*_COMMON, "gelu"), usual=True)]
SearchedPlainActivation = Annotated[PlainActivation, Search(choices=_COMMON, usual=True)]
"""The same for the fields of configurations, with those among which a good one is looked for."""


class Maxout(nn.Module):
    """Return max_k a_k over groups of neighbouring features: the largest of `pieces` linear functions.

    Args:
        pieces: size of a group; the features must divide into groups.

    Source: Goodfellow et al., Maxout networks (2013).

    >>> Maxout(2)(torch.tensor([[1.0, 5.0, -2.0, -3.0]]))
    tensor([[ 5., -2.]])
    """

    def __init__(self, pieces: int) -> None:
        super().__init__()
        self.pieces = pieces

    def forward(self, inputs: Tensor) -> Tensor:
        return maxout(inputs, self.pieces)

    def extra_repr(self) -> str:
        return f"pieces={self.pieces}"


def maxout(inputs: Tensor, pieces: int, axis: int = -1) -> Tensor:
    """Return max_k a_k over groups of `pieces` neighbours along an axis of inputs of any shape.

    Raises:
        ShapeError: the axis does not divide into groups.

    >>> maxout(torch.tensor([[1.0, 5.0, -2.0, -3.0]]), 2)
    tensor([[ 5., -2.]])
    """
    if inputs.shape[axis] % pieces:
        raise ShapeError(
            "features do not divide into groups", expected=f"a multiple of {pieces}", found=str(inputs.shape[axis])
        )
    return inputs.unflatten(axis, (-1, pieces)).amax(dim=axis)


ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "linear": nn.Identity,  # a
    "sigmoid": nn.Sigmoid,  # 1 / (1 + exp(-a))
    "hard-sigmoid": nn.Hardsigmoid,  # a / 6 + 1 / 2, cut to [0, 1]
    "log-sigmoid": nn.LogSigmoid,  # log(1 / (1 + exp(-a)))
    "tanh": nn.Tanh,
    "hard-tanh": nn.Hardtanh,  # a, cut to [-1, 1]
    "tanh-shrink": nn.Tanhshrink,  # a - tanh(a)
    "softsign": nn.Softsign,  # a / (1 + |a|)
    "relu": nn.ReLU,  # max(0, a)
    "relu6": nn.ReLU6,  # a, cut to [0, 6]
    "leaky-relu": lambda: nn.LeakyReLU(0.01),  # max(a, 0.01 a)
    "prelu": nn.PReLU,  # max(0, a) + w min(0, a) with a learned slope w
    "rrelu": nn.RReLU,  # the same with a slope drawn from [1/8, 1/3] anew while training, their mean afterwards
    "threshold": lambda: nn.Threshold(1.0, 0.0),  # a above 1, 0 below
    "softplus": nn.Softplus,  # log(1 + exp(a))
    "hard-shrink": nn.Hardshrink,  # a, and 0 between -1/2 and 1/2
    "soft-shrink": nn.Softshrink,  # a brought 1/2 nearer to 0, and 0 between -1/2 and 1/2
    "elu": nn.ELU,  # a above 0, exp(a) - 1 below
    "celu": nn.CELU,  # the same; in general w (exp(a / w) - 1) below
    "selu": nn.SELU,  # 1.0507 a above 0, 1.7581 (exp(a) - 1) below
    "gelu": nn.GELU,  # a times the probability that a standard normal number is below a
    "swish": nn.SiLU,  # a sigmoid(a)
    "hard-swish": nn.Hardswish,  # a times hard-sigmoid(a)
    "mish": nn.Mish,  # a tanh(softplus(a))
    "glu": nn.GLU,  # a sigmoid(b), a and b one half of the features each
}


def pieces_of(name: str, pieces: int) -> int:
    """Return how many features go into one of an activation: 1, 2 of a gated linear unit, `pieces` of maxout.

    >>> pieces_of("relu", 3), pieces_of("glu", 3), pieces_of("maxout", 3)
    (1, 2, 3)
    """
    return {"maxout": pieces, "glu": 2}.get(name, 1)


def activation(name: ActivationName, pieces: int = 2) -> nn.Module:
    """Return a new activation layer; maxout returns `pieces` times fewer features, glu half of them.

    >>> activation("leaky-relu")(torch.tensor([-1.0, 2.0]))
    tensor([-0.0100,  2.0000])
    """
    if name == "maxout":
        return Maxout(pieces)
    if name not in ACTIVATIONS:
        raise unknown_name("activation", name, [*ACTIVATIONS, "maxout"])
    return ACTIVATIONS[name]()


def probabilities(outputs: Tensor) -> Tensor:
    """Return softmax(z)_i = exp(z_i) / sum_j exp(z_j); of a single logit the pair (1 - s(z), s(z)).

    Networks return logits because losses on logits are stable; this is for reading their answers.

    Args:
        outputs: logits `(batch, classes)`, or `(batch, 1)` for a decision between two classes.

    >>> probabilities(torch.tensor([[2.0, 1.0, 0.1]])).round(decimals=1)
    tensor([[0.7000, 0.2000, 0.1000]])
    >>> probabilities(torch.tensor([[0.0]]))
    tensor([[0.5000, 0.5000]])
    """
    if outputs.shape[-1] == 1:
        outputs = torch.cat([torch.zeros_like(outputs), outputs], dim=-1)
    return outputs.softmax(dim=-1)
