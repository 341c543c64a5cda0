"""Statistics of a batch that several processes hold slices of: batch normalisation and running standardisation.

Layers stay as they are. While a slice is learnt from, what computes their statistics is exchanged for what computes
those of all slices, with one exchange of numbers there and one for the gradient.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm
from torch.overrides import TorchFunctionMode

from ganglion.core.team import Team, current
from ganglion.nn.inputs import RunningStandardisation


def mean_of_batch(mean: Tensor) -> Tensor:
    """Return a mean over the samples at hand, in its shape, as that over the batch, of which others may hold some.

    >>> mean_of_batch(torch.tensor(3.0))
    tensor(3.)
    """
    team = current()
    if team is None or team.share is None or team.size == 1:
        return mean
    return (_Everyones.apply((mean * team.share).reshape(1, -1).flatten(), team)).sum(0).view(mean.shape)


def rows_of_all(rows: Tensor) -> Tensor:
    """Return the rows of all samples of the batch, (batch, ...), where only some are at hand, (rows, ...).

    >>> rows_of_all(torch.ones(2, 3)).shape
    torch.Size([2, 3])
    """
    team = current()
    if team is None or team.share is None or team.size == 1:
        return rows
    lengths = team.rows(torch.tensor([len(rows)])).tolist()
    padded = rows.new_zeros(max(lengths), *rows.shape[1:])
    padded = torch.cat([rows, padded[len(rows) :]])
    everyone = _Everyones.apply(padded, team) if rows.requires_grad else team.rows(padded[None])
    return torch.cat([one[:length] for one, length in zip(everyone, lengths, strict=True)])


class Watched:
    """The layers of networks that keep statistics of what they learn from, while a gradient is found."""

    def __init__(self, team: Team, networks: Iterable[nn.Module]) -> None:
        self.team = team
        layers = [layer for network in networks for layer in network.modules() if layer.training]
        self.standardising = list({id(one): one for one in layers if isinstance(one, RunningStandardisation)}.values())
        normalising = any(isinstance(one, _BatchNorm) for one in layers)
        self.least = 2 if normalising else 1
        """Samples that a slice must have: one alone has no spread."""
        self.shares = team.synchronised and team.size > 1 and normalising
        self._seen: list[list[Tensor]] = [[] for _ in self.standardising]

    @contextmanager
    def of_slices(self) -> Iterator[None]:
        """Let layers see the statistics of all slices of a batch where the team wants that.

        Where it does not, running standardisation waits until all slices were seen.
        """
        for layer, seen in zip(self.standardising, self._seen, strict=True):
            layer.__dict__["observe"] = self._observing(layer, seen)
        try:
            with _SharedNormalisation(self.team) if self.shares else nullcontext():
                yield
        finally:
            for layer in self.standardising:
                del layer.__dict__["observe"]

    def _observing(self, layer: RunningStandardisation, seen: list[Tensor]) -> Callable[[Tensor], None]:
        def observe(inputs: Tensor) -> None:
            RunningStandardisation.observe(layer, self._everyones([inputs]))

        return observe if self.team.synchronised else seen.append

    def observe(self) -> None:
        """Let running standardisation learn what the slices have shown it."""
        for layer, seen in zip(self.standardising, self._seen, strict=True):
            if seen:
                RunningStandardisation.observe(layer, self._everyones(seen))
                seen.clear()

    def _everyones(self, seen: list[Tensor]) -> Tensor:
        """Return the rows that all processes have seen, in the order of the slots."""
        return torch.cat([rows for given in self.team.ragged(seen) for rows in given])


class _SharedNormalisation(TorchFunctionMode):
    """Batch normalisation by the mean and variance of all slices."""

    def __init__(self, team: Team) -> None:
        super().__init__()
        self.team = team

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if function is functional.batch_norm:
            return self._normalised(*args, **(kwargs or {}))
        return function(*args, **(kwargs or {}))

    def _normalised(
        self,
        input: Tensor,
        running_mean: Tensor | None,
        running_var: Tensor | None,
        weight: Tensor | None = None,
        bias: Tensor | None = None,
        training: bool = False,
        momentum: float = 0.1,
        eps: float = 1e-5,
    ) -> Tensor:
        if not training:
            return functional.batch_norm(input, running_mean, running_var, weight, bias, False, momentum, eps)
        values = input.float() if input.dtype in (torch.bfloat16, torch.float16) else input
        places = [axis for axis in range(input.ndim) if axis != 1]
        shape = [1, -1] + [1] * (input.ndim - 2)
        variance, mean = torch.var_mean(values, places, correction=0)
        count = values.new_full((1,), input.numel() // input.shape[1])
        rows = _Everyones.apply(torch.cat([mean, variance, count]), self.team)
        means, variances, counts = rows.split([len(mean), len(mean), 1], dim=1)
        shares = counts / counts.sum()
        mean = (shares * means).sum(0)
        variance = (shares * (variances + (means - mean).square())).sum(0)
        if running_mean is not None and running_var is not None:
            total = counts.sum()
            with torch.no_grad():
                running_mean.lerp_(mean.to(running_mean), momentum)
                running_var.lerp_((variance * total / (total - 1)).to(running_var), momentum)
        scale = torch.rsqrt(variance + eps)
        normal = (values - mean.view(shape)) * scale.view(shape)
        if weight is not None:
            normal = normal * weight.view(shape)
        if bias is not None:
            normal = normal + bias.view(shape)
        return normal.to(input.dtype)


class _Everyones(torch.autograd.Function):
    """The rows of all processes, (processes, values); the gradient of a row is the sum over all that saw it."""

    @staticmethod
    def forward(context: Any, row: Tensor, team: Team) -> Tensor:
        context.team = team
        return team.rows(row[None])

    @staticmethod
    @once_differentiable
    def backward(context: Any, slopes: Tensor) -> tuple[Tensor, None]:
        return context.team.total(slopes.clone())[context.team.rank], None
