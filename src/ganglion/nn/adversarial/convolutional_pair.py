"""Generator and discriminator of plain strided convolutions, which several adversarial networks share."""

from typing import Literal

from torch import Tensor, nn

from ganglion.errors import ConfigurationError
from ganglion.nn.adversarial.spectral import spectrally_normalised
from ganglion.nn.stages import Stages

Normalisation = Literal["batch", "layer", "spectral", "none"]
NEGATIVE_SLOPE = 0.2
DEVIATION = 0.02


class Generator(nn.Module):
    """Latent vectors `(batch, latent_features)` to images `(batch, channels, size, size)` in [-1, 1].

    >>> import torch
    >>> Generator(100, 64, 3, 64)(torch.zeros(2, 100)).shape
    torch.Size([2, 3, 64, 64])
    """

    def __init__(self, latent_features: int, features: int, channels: int, size: int) -> None:
        super().__init__()
        self.latent_features = latent_features
        side, doublings = factor(size)
        width = features * 2 ** (doublings - 1)
        layers = [nn.ConvTranspose2d(latent_features, width, side, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
        for _ in range(doublings - 1):
            grow = nn.ConvTranspose2d(width, width // 2, 4, stride=2, padding=1, bias=False)
            width //= 2
            layers += [grow, nn.BatchNorm2d(width), nn.ReLU()]
        output = nn.ConvTranspose2d(width, channels, 4, stride=2, padding=1, bias=False)
        self.layers = Stages(nn.Unflatten(1, (latent_features, 1, 1)), *layers, output, nn.Tanh())
        self.apply(initialise)

    def forward(self, latent: Tensor) -> Tensor:
        return self.layers(latent)


class Discriminator(nn.Module):
    """Images `(batch, channels, size, size)` to logits `(batch,)` of being real."""

    def __init__(self, features: int, channels: int, size: int, normalisation: Normalisation = "batch") -> None:
        super().__init__()
        side, halvings = factor(size)
        bias = normalisation in ("spectral", "none")  # which bring no shift of their own
        width = features
        layers = [nn.Conv2d(channels, width, 4, stride=2, padding=1, bias=bias), nn.LeakyReLU(NEGATIVE_SLOPE)]
        for _ in range(halvings - 1):
            shrink = nn.Conv2d(width, 2 * width, 4, stride=2, padding=1, bias=bias)
            width *= 2
            layers += [shrink, *_normalise(normalisation, width), nn.LeakyReLU(NEGATIVE_SLOPE)]
        self.layers = Stages(*layers, nn.Conv2d(width, 1, side, bias=bias), nn.Flatten(0))
        self.apply(initialise)
        if normalisation == "spectral":
            spectrally_normalised(self)

    def forward(self, images: Tensor) -> Tensor:
        return self.layers(images)


def _normalise(normalisation: Normalisation, channels: int) -> list[nn.Module]:
    """Return the layer that stands between a convolution and its rectifier, if any."""
    if normalisation == "batch":
        return [nn.BatchNorm2d(channels)]
    return [nn.GroupNorm(1, channels)] if normalisation == "layer" else []  # over all values of an image


def factor(size: int) -> tuple[int, int]:
    """Return the smallest map's side (4 to 7) and the doublings that lead from it to `size`.

    >>> factor(64), factor(28)
    ((4, 4), (7, 2))
    """
    side, doublings = size, 0
    while side > 7 and side % 2 == 0:
        side, doublings = side // 2, doublings + 1
    if not (4 <= side <= 7 and doublings):
        raise ConfigurationError(
            "transposed convolutions cannot reach this image_size",
            expected="4 to 7 times a power of two: 16, 28, 32, 64, ...",
            found=str(size),
        )
    return side, doublings


def initialise(module: nn.Module) -> None:
    """Draw a layer's weights as the paper does: from a normal distribution of small deviation."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0.0, DEVIATION)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, DEVIATION)
