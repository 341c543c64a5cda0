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
        moments = _Moments(self.team, values, eps)
        if running_mean is not None and running_var is not None:
            with torch.no_grad():
                running_mean.lerp_(moments.mean.to(running_mean), momentum)
                running_var.lerp_((moments.variance * moments.count / (moments.count - 1)).to(running_var), momentum)
        scale = values.new_ones(values.shape[1]) if weight is None else weight
        shift = values.new_zeros(values.shape[1]) if bias is None else bias
        normal: Tensor = _Normalised.apply(values, scale, shift, moments)
        return normal.to(input.dtype)


class _Moments:
    """Mean and variance (channels,) over all slices of values (batch, channels, ...), biased, and how many they are of.

    Slices of other lengths count accordingly: Chan, Golub and LeVeque, Updating formulae and a pairwise algorithm for
    computing sample variances (1979).
    """

    def __init__(self, team: Team, values: Tensor, eps: float) -> None:
        self.team, self.eps = team, eps
        with torch.no_grad():
            _, mean, deviation = torch.native_batch_norm(values, None, None, None, None, True, 0.0, eps)
            count = values.new_full((1,), values.numel() // values.shape[1])
            rows = team.rows(torch.cat([mean, deviation**-2 - eps, count])[None])
            means, variances, counts = rows.split([len(mean), len(mean), 1], dim=1)
            self.count = counts.sum()
            shares = counts / self.count
            self.mean = (shares * means).sum(0)
            self.variance = (shares * (variances + (means - self.mean).square())).sum(0).clamp(min=0)


class _Normalised(torch.autograd.Function):
    """y = w (x - m) / sqrt(v + eps) + b, where m and v depend on x; the passes over all numbers are torch's own."""

    @staticmethod
    def forward(context: Any, values: Tensor, weight: Tensor, bias: Tensor, moments: _Moments) -> Tensor:
        context.save_for_backward(values, weight)
        context.moments = moments
        mean, variance = moments.mean, moments.variance
        return functional.batch_norm(values, mean, variance, weight, bias, False, 0.0, moments.eps)

    @staticmethod
    @once_differentiable
    def backward(context: Any, slopes: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        values, weight = context.saved_tensors
        moments: _Moments = context.moments
        inverse = torch.rsqrt(moments.variance + moments.eps)
        _, of_weight, of_bias = torch.ops.aten.native_batch_norm_backward(
            slopes, values, weight, None, None, moments.mean, inverse, True, moments.eps, [False, True, True]
        )
        along, all_of_them = moments.team.total(torch.cat([of_weight, of_bias])).div(moments.count).chunk(2)
        # dL/dx = w / sqrt(v + eps) (dL/dy - mean dL/dy - (x - m) / sqrt(v + eps) mean(dL/dy (x - m) / sqrt(v + eps)))
        by_slope, by_value = weight * inverse, -weight * inverse.square() * along
        constant = -by_slope * all_of_them - by_value * moments.mean
        shape = [1, -1] + [1] * (values.ndim - 2)
        of_values = torch.addcmul(constant.view(shape), values, by_value.view(shape))
        return of_values.addcmul_(slopes, by_slope.view(shape)), of_weight, of_bias, None


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
