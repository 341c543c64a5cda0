"""The Laplacian pyramid: an image as a very small one, and for each doubling what interpolation would miss."""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional


def halved(images: Tensor) -> Tensor:
    """Return images `(batch, channels, height, width)` of half the side, each pixel the mean of four: d(I).

    >>> import torch
    >>> halved(torch.tensor([[[[0.0, 1.0], [2.0, 5.0]]]]))
    tensor([[[[2.]]]])
    """
    return functional.avg_pool2d(images, 2)


def doubled(images: Tensor) -> Tensor:
    """Return images `(batch, channels, height, width)` of twice the side, by bilinear interpolation: u(I)."""
    return functional.interpolate(images, scale_factor=2, mode="bilinear", align_corners=False)


def band(images: Tensor) -> tuple[Tensor, Tensor]:
    """Return l = u(d(I)), what is left of images after they were small, and h = I - l, both in their shape."""
    coarse = doubled(halved(images))
    return coarse, images - coarse


def pyramid(images: Tensor, levels: int) -> list[Tensor]:
    """Return [I_K, h_(K-1), ..., h_0], coarse to fine: h_k = I_k - u(I_(k+1)) with I_0 the images, I_(k+1) = d(I_k).

    Args:
        images: (batch, channels, height, width), whose sides can be halved so often.
        levels: K + 1, how many images come back.

    Source: Burt and Adelson, The Laplacian pyramid as a compact image code (1983); Denton et al. 2015, equation 2.

    >>> import torch
    >>> [tuple(one.shape[2:]) for one in pyramid(torch.rand(1, 3, 32, 32), 3)]
    [(8, 8), (16, 16), (32, 32)]
    """
    bands = []
    for _ in range(levels - 1):
        bands.append(band(images)[1])
        images = halved(images)
    return [images, *reversed(bands)]


def collapsed(parts: Sequence[Tensor]) -> Tensor:
    """Return the images that a pyramid is made of, I_k = u(I_(k+1)) + h_k, from its parts, coarse to fine.

    Source: Denton et al. 2015, equation 3.

    >>> import torch
    >>> image = torch.arange(64.0).view(1, 1, 8, 8)
    >>> torch.equal(collapsed(pyramid(image, 3)), image)
    True
    """
    image, *bands = parts
    for one in bands:
        image = doubled(image) + one
    return image


class PyramidSampler(nn.Module):
    """Draw coarse to fine: the coarsest picture, enlarged, plus what the next generator adds, and so on.

        I_K = G_K(z_K),  I_k = u(I_(k+1)) + G_k(z_k, u(I_(k+1)))

    Args:
        generators: coarse to fine; the first makes pictures of noise alone, each other one a band of noise and picture.
        noises: numbers in the noise of each for one picture: a vector for the first, a plane for each other one.

    Source: Denton et al. 2015, equation 4.
    """

    def __init__(self, generators: Sequence[nn.Module], noises: Sequence[int]) -> None:
        super().__init__()
        self.generators, self.noises = nn.ModuleList(generators), list(noises)

    def stages(self, latent: Tensor) -> list[Tensor]:
        """Return what is drawn of noise (batch, all its numbers) on each level, coarse to fine."""
        first, *planes = latent.split(self.noises, dim=1)
        pictures = [self.generators[0](first)]
        for generator, plane in zip(self.generators[1:], planes, strict=True):
            coarse = doubled(pictures[-1])
            pictures.append(coarse + generator(plane.view(-1, 1, *coarse.shape[2:]), coarse))
        return pictures

    def forward(self, latent: Tensor) -> Tensor:
        return self.stages(latent)[-1]
