"""A network from pictures to what a generator may have made them of."""

from torch import Tensor, nn

from ganglion.nn.linear import Linear

WIDTHS = (32, 64, 128)
LEAST_SIDE = 4
NEGATIVE_SLOPE = 0.2


class PictureEncoder(nn.Module):
    """Noise (batch, latent_features) by which pictures (batch, channels, side, side) may have been made.

    Convolutions of stride two, like a discriminator without a verdict, and a dense layer.

    >>> import torch
    >>> PictureEncoder(1, 28, 64)(torch.zeros(2, 1, 28, 28)).shape
    torch.Size([2, 64])
    """

    def __init__(self, channels: int, side: int, latent_features: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = channels
        for width in WIDTHS:
            stride = 2 if side >= 2 * LEAST_SIDE else 1
            layers += [nn.Conv2d(before, width, 3, stride, padding=1, bias=False), nn.BatchNorm2d(width)]
            layers += [nn.LeakyReLU(NEGATIVE_SLOPE)]
            before, side = width, -(-side // stride)
        self.layers = nn.Sequential(*layers, nn.Flatten(), Linear(before * side**2, latent_features))

    def forward(self, pictures: Tensor) -> Tensor:
        latent: Tensor = self.layers(pictures)
        return latent
