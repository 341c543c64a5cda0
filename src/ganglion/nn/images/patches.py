"""A discriminator of patches: one output for every place of a picture, each of which sees a patch around it."""

import torch
from torch import Tensor, nn

NEGATIVE_SLOPE, DEVIATION, WIDEST = 0.2, 0.02, 8


class PatchDiscriminator(nn.Module):
    """Pictures, and maybe pictures beside them, `(batch, channels, height, width)` in [0, 1], to logits of patches.

    `layers` convolutions of 4 x 4 with stride two, then two with stride one: three see patches of 70 x 70 pixels.

    Args:
        channels: of all pictures together.
        biased: whether convolutions before a normalisation have a bias.
        normalise: what makes the normalisation of so many channels.

    Source: Isola et al. 2017, section 6.1.2.

    >>> PatchDiscriminator(6, 8, 3)(torch.zeros(1, 3, 64, 64), torch.zeros(1, 3, 64, 64)).shape
    torch.Size([1, 1, 6, 6])
    """

    def __init__(
        self,
        channels: int,
        features: int,
        layers: int = 3,
        biased: bool = False,
        normalise: type[nn.Module] = nn.BatchNorm2d,
    ) -> None:
        super().__init__()
        width = features
        found: list[nn.Module] = [nn.Conv2d(channels, width, 4, 2, 1), nn.LeakyReLU(NEGATIVE_SLOPE)]
        for number in range(1, layers + 1):
            following = features * min(2**number, WIDEST)
            stride = 2 if number < layers else 1
            found += [nn.Conv2d(width, following, 4, stride, 1, bias=biased), normalise(following)]
            found.append(nn.LeakyReLU(NEGATIVE_SLOPE))
            width = following
        self.layers = nn.Sequential(*found, nn.Conv2d(width, 1, 4, 1, 1))
        self.apply(drawn_small)

    def forward(self, pictures: Tensor, *beside: Tensor) -> Tensor:
        logits: Tensor = self.layers(2 * torch.cat([*beside, pictures], dim=1) - 1)
        return logits


def drawn_small(module: nn.Module) -> None:
    """Draw a layer's weights from N(0, 0.02), and scales of normalisation from N(1, 0.02); biases are 0."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0.0, DEVIATION)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.BatchNorm2d) and module.affine:
        nn.init.normal_(module.weight, 1.0, DEVIATION)
