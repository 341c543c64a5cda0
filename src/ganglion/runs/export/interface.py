"""What goes into an exported network: names, shapes, which axes may have any length, and values to try it on."""

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from ganglion.core import Blocked, Finder, Local, Located, Segmenter
from ganglion.nn.energy.softmax import SoftmaxRBM
from ganglion.nn.recurrent import Cell, JordanRNN

BATCH, TIME, HEIGHT, WIDTH, BOXES = "batch", "time", "height", "width", "boxes"
NOISE = ("latent", "noise")
"""Names of inputs that are standard normal numbers, and no sequence."""
Sizes = dict[str, int]
"""Lengths of axes by their names."""


class Raw(Protocol):
    """Arithmetic that stands before a network."""

    def inverse(self, scaled: Tensor) -> Tensor:
        """Return raw values of what a network reads, in the same shape (batch, ...)."""


@dataclass(frozen=True)
class Input:
    """One input of a network that is exported."""

    name: str
    example: Tensor
    """A blank value of one sample."""
    axes: dict[int, str]
    """Names of the axes that may have any length."""
    bound: int = 0
    """Whole numbers lie from 0 to below this."""
    raw: Raw | None = None
    """By which what is drawn is brought to raw values; None where a network reads it as it is."""
    part: str = ""
    """The method that it is an argument of, and which need not be asked; none for what the network itself reads."""

    def drawn(self, sizes: Sizes, generator: torch.Generator) -> Tensor:
        """Return random values (batch, ...) whose named axes have these lengths.

        Sequences of whole numbers end early, in 0.
        """
        shape = [sizes.get(self.axes.get(axis, ""), length) for axis, length in enumerate(self.example.shape)]
        if self.name == "rows":  # of levels, 0 where one is unknown
            return torch.randint(0, self.bound, shape, generator=generator).float()
        if self.name == BOXES:  # left, top, right, bottom
            corners, sides = (torch.rand((*shape[:-1], 2), generator=generator) * self.example.max() for _ in range(2))
            return torch.cat([corners, corners + sides], dim=-1)
        if self.example.is_floating_point():
            # Pictures lie from black to white, 0 to 1; all else around 0.
            draw = torch.rand if self.example.dim() >= 4 else torch.randn
            values = draw(shape, generator=generator)
            return values if self.raw is None else self.raw.inverse(values)
        values = torch.randint(min(1, self.bound - 1), self.bound, shape, generator=generator)
        if values.dim() == 2:
            ends = torch.randint(1, shape[1] + 1, (shape[0], 1), generator=generator)
            ends[0] = shape[1]
            values = values * (torch.arange(shape[1]) < ends)
        return values


def inputs_of(network: nn.Module, examples: Sequence[Tensor], config: Any) -> list[Input]:
    """Return the inputs of a network, named after the parameters of its `forward`, from blank ones of one sample."""
    names = list(inspect.signature(network.forward).parameters)[: len(examples)]
    bound = _bound(network, config)
    return [Input(name, one, _axes(network, name, one), bound) for name, one in zip(names, examples, strict=True)]


def is_recurrent(network: nn.Module) -> bool:
    """Return whether a network reads step by step."""
    return any(isinstance(module, Cell | JordanRNN) for module in network.modules())


def _axes(network: nn.Module, name: str, example: Tensor) -> dict[int, str]:
    axes = {0: BATCH}
    is_picture = example.dim() == 4
    if is_recurrent(network) and example.dim() >= 2 and not is_picture and name not in NOISE:
        axes[1] = f"{TIME}_of_{name}" if name in ("sources", "targets") else TIME
    if name == BOXES:
        axes[1] = BOXES
    if is_picture and isinstance(network, Blocked | Finder | Local | Located | Segmenter):
        axes |= {2: HEIGHT, 3: WIDTH}
    return axes


def _bound(network: nn.Module, config: Any) -> int:
    """Return below which whole numbers a network is given stay: tokens, classes or states that it knows."""
    if isinstance(network, SoftmaxRBM):
        return network.levels + 1
    tokens = [module.num_embeddings for module in network.modules() if isinstance(module, nn.Embedding)]
    classes = getattr(config, "num_classes", None) or getattr(config, "num_states", None)
    return min(tokens, default=classes or 2)
