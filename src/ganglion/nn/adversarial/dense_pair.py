"""Generator and discriminator of dense layers, which several adversarial networks share."""

from collections.abc import Sequence
from itertools import pairwise
from math import prod
from typing import Literal

from torch import Tensor, nn

from ganglion.nn.activations import Maxout
from ganglion.nn.adversarial.spectral import spectrally_normalised
from ganglion.nn.linear import Linear

Normalisation = Literal["none", "spectral"]

HiddenActivation = Literal["relu", "leaky-relu", "maxout"]
NEGATIVE_SLOPE = 0.2
PIECES = 5
"""Linear functions of which a maxout unit takes the largest."""


class Generator(nn.Module):
    """Latent vectors `(batch, latent_features)` to samples `(batch, *shape)`: images in [-1, 1], or rows.

    Args:
        bounded: let the output pass a tanh, as pixels need it.

    >>> import torch
    >>> Generator(16, (32, 64), (1, 8, 8))(torch.zeros(5, 16)).shape
    torch.Size([5, 1, 8, 8])
    """

    def __init__(
        self,
        latent_features: int,
        hidden_features: Sequence[int],
        shape: Sequence[int],
        activation: HiddenActivation = "relu",
        bounded: bool = True,
    ) -> None:
        super().__init__()
        self.latent_features = latent_features
        self.layers = nn.Sequential(
            *_hidden(latent_features, hidden_features, activation),
            Linear([latent_features, *hidden_features][-1], prod(shape)),
            nn.Tanh() if bounded else nn.Identity(),
            nn.Unflatten(1, tuple(shape)),
        )

    def forward(self, latent: Tensor) -> Tensor:
        return self.layers(latent)


class Discriminator(nn.Module):
    """Samples `(batch, *shape)`, images or rows, to logits `(batch,)` of being real.

    Args:
        dropout: shares of the values and of the hidden values that are zeroed while training.
    """

    def __init__(
        self,
        hidden_features: Sequence[int],
        shape: Sequence[int],
        normalisation: Normalisation = "none",
        activation: HiddenActivation = "maxout",
        dropout: tuple[float, float] = (0.0, 0.0),
    ) -> None:
        super().__init__()
        values = prod(shape)
        self.layers = nn.Sequential(
            nn.Flatten(),
            *_dropout(dropout[0]),
            *_hidden(values, hidden_features, activation, dropout[1]),
            Linear([values, *hidden_features][-1], 1),
            nn.Flatten(0),
        )
        if normalisation == "spectral":
            spectrally_normalised(self)

    def forward(self, images: Tensor) -> Tensor:
        return self.layers(images)


def _hidden(
    in_features: int, widths: Sequence[int], activation: HiddenActivation, dropout: float = 0.0
) -> list[nn.Module]:
    """Return dense layers of these widths, each followed by its activation and by dropout where there is any."""
    layers: list[nn.Module] = []
    for before, width in pairwise([in_features, *widths]):
        if activation == "maxout":
            layers += [Linear(before, PIECES * width), Maxout(PIECES)]
        else:
            layers += [Linear(before, width), nn.ReLU() if activation == "relu" else nn.LeakyReLU(NEGATIVE_SLOPE)]
        layers += _dropout(dropout)
    return layers


def _dropout(share: float) -> list[nn.Module]:
    return [nn.Dropout(share)] if share else []
