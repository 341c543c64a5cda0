"""What a network does to its inputs before its first weights: flatten, scale, standardise."""

import torch
from torch import Tensor, nn

from ganglion.errors import ShapeError


def as_float(inputs: Tensor) -> Tensor:
    """Scale bytes to [0, 1], make truth values 0 and 1, and leave other numbers as they are; the shape stays.

    >>> as_float(torch.tensor([0, 255], dtype=torch.uint8)).tolist()
    [0.0, 1.0]
    """
    if inputs.dtype == torch.bool:
        return inputs.float()
    return inputs.float().div_(255) if inputs.dtype == torch.uint8 else inputs


class FlatInputs(nn.Module):
    """Inputs of any shape as rows, (batch, ...) to (batch, in_features), with bytes scaled to [0, 1].

    Raises `ShapeError` for inputs of another size.

    >>> FlatInputs(4)(torch.zeros(3, 2, 2)).shape
    torch.Size([3, 4])
    """

    def __init__(self, in_features: int) -> None:
        super().__init__()
        self.in_features = in_features

    def forward(self, inputs: Tensor) -> Tensor:
        rows = as_float(inputs.flatten(1))
        if rows.shape[1] != self.in_features:
            raise ShapeError(
                "the input has another size than the network",
                expected=f"{self.in_features} numbers",
                found=f"{rows.shape[1]}",
            )
        return rows

    def extra_repr(self) -> str:
        return str(self.in_features)


class RunningStandardisation(nn.Module):
    """Shift and scale every feature to mean 0 and deviation 1, as measured over all inputs that were ever learnt from.

    The statistics are buffers; they move in training mode while gradients are recorded, that is when learning and not
    when acting.

    >>> standardise = RunningStandardisation(1)
    >>> standardise(torch.tensor([[10.0], [14.0]])).tolist()
    [[-1.0], [1.0]]
    """

    LIMIT = 10.0
    """Deviations beyond which an input is cut off, so that one that hardly ever moves cannot drown the others."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.mean: Tensor
        self.variance: Tensor
        self.count: Tensor
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("variance", torch.ones(features))
        self.register_buffer("count", torch.tensor(0))

    def forward(self, inputs: Tensor) -> Tensor:  # (batch, features)
        if self.training and torch.is_grad_enabled():
            self.observe(inputs.detach())
        return ((inputs - self.mean) * torch.rsqrt(self.variance + 1e-8)).clamp(-self.LIMIT, self.LIMIT)

    @torch.no_grad()
    def observe(self, inputs: Tensor) -> None:
        """Merge a batch, (batch, features), into the statistics (Chan, Golub, LeVeque 1983)."""
        variance, mean = torch.var_mean(inputs.float(), 0, correction=0)
        self.count += len(inputs)
        share = len(inputs) / self.count
        shift = mean - self.mean
        self.variance.lerp_(variance, share).addcmul_(shift, shift * share * (1 - share))
        self.mean.addcmul_(shift, share)
