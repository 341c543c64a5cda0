"""Layers whose weights are drawn around learnt means: a network that explores by itself."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class NoisyLinear(nn.Module):
    """y = (μ_w + σ_w ⊙ ε_w) x + μ_b + σ_b ⊙ ε_b, with ε_w = f(ε_out) f(ε_in)ᵀ, ε_b = f(ε_out), f(x) = sgn(x) sqrt|x|.

    While training, every call draws ε_in (in_features) and ε_out (out_features) anew from a standard normal
    distribution, one draw for the whole batch; the gradient decides how much noise σ is left of it. Judged, the layer
    is that of its means.

    Args:
        scale: σ_0; all of σ begin at σ_0 / sqrt(in_features).

    Source: Fortunato et al. 2018, Noisy networks for exploration, arXiv:1706.10295, factorised noise.

    >>> layer = NoisyLinear(4, 2).eval()
    >>> layer(torch.zeros(3, 4)).shape
    torch.Size([3, 2])
    """

    def __init__(self, in_features: int, out_features: int, scale: float = 0.5) -> None:
        super().__init__()
        self.in_features, self.out_features = in_features, out_features
        bound = 1 / math.sqrt(in_features)
        self.weight = nn.Parameter(torch.empty(out_features, in_features).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(out_features).uniform_(-bound, bound))
        self.weight_noise = nn.Parameter(torch.full((out_features, in_features), scale * bound))
        self.bias_noise = nn.Parameter(torch.full((out_features,), scale * bound))

    def forward(self, inputs: Tensor) -> Tensor:  # (batch, in_features)
        if not self.training:
            return F.linear(inputs, self.weight, self.bias)
        into, out = (_drawn(size, self.weight) for size in (self.in_features, self.out_features))
        weight = self.weight + self.weight_noise * torch.outer(out, into)
        return F.linear(inputs, weight, self.bias + self.bias_noise * out)

    def extra_repr(self) -> str:
        return f"{self.in_features}, {self.out_features}"


def _drawn(size: int, like: Tensor) -> Tensor:
    """Return f(ε), (size,), of standard normal ε."""
    noise = torch.randn(size, device=like.device, dtype=like.dtype)
    return noise.sign() * noise.abs().sqrt()
