"""A small network that looks at pictures, so that others can be judged by what it sees instead of by pixels."""

import torch
from torch import Tensor, nn
from torch.nn import functional

WIDTHS = (16, 32, 64)
FEATURES = 64


class JudgeNetwork(nn.Module):
    """Three convolutions with halving between them, a dense layer over the means of four quarters, and the answers.

    Args:
        in_channels: channels of a picture.
        answers: outputs, such as classes.

    >>> network = JudgeNetwork(in_channels=1, answers=10)
    >>> images = torch.zeros(2, 1, 28, 28)
    >>> network(images).shape, network.embed(images).shape, [tuple(one.shape[1:]) for one in network.features(images)]
    (torch.Size([2, 10]), torch.Size([2, 64]), [(16, 28, 28), (32, 14, 14), (64, 7, 7)])
    """

    def __init__(self, in_channels: int, answers: int) -> None:
        super().__init__()
        widths = (in_channels, *WIDTHS)
        self.convolutions = nn.ModuleList(
            nn.Conv2d(before, after, 3, padding=1) for before, after in zip(widths, WIDTHS, strict=False)
        )
        self.dense = nn.Linear(4 * WIDTHS[-1], FEATURES)
        self.head = nn.Linear(FEATURES, answers)

    def features(self, images: Tensor) -> list[Tensor]:
        """Return the maps after each convolution, fine to coarse, of images (batch, channels, height, width)."""
        maps, found = images, []
        for number, convolution in enumerate(self.convolutions):
            if number and min(maps.shape[2:]) >= 4:
                maps = functional.max_pool2d(maps, 2)
            maps = torch.relu(convolution(maps))
            found.append(maps)
        return found

    def embed(self, images: Tensor) -> Tensor:
        """Return what distances between sets of pictures are measured on, (batch, 64)."""
        quarters = functional.adaptive_avg_pool2d(self.features(images)[-1], 2).flatten(1)
        return torch.relu(self.dense(quarters))

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits (batch, answers)."""
        return self.head(self.embed(images))
