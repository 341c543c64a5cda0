"""Normalisation across channels, as AlexNet's authors wrote it."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganglion.errors import ConfigurationError


class LocalResponseNormalisation(nn.Module):
    """Return b_c = a_c / (k + alpha sum_j a_j^2)^beta, over the n channels j around c at the same position.

    Channels beyond the first and the last count as zero. `torch.nn.LocalResponseNorm` divides alpha by n, which the
    paper's equation does not.

    Args:
        size: n, an odd number, so that as many channels lie before c as after.
        alpha, beta, k: constants that the paper chose on a validation set.

    Raises:
        ConfigurationError: an even or empty neighbourhood.

    Source: Krizhevsky, Sutskever, Hinton, ImageNet classification with deep convolutional neural networks (2012),
    section 3.3.

    >>> layer = LocalResponseNormalisation(size=3, alpha=1.0, beta=1.0, k=1.0)
    >>> layer(torch.tensor([[1.0, 2.0, 0.0]])[..., None]).flatten().tolist()  # 1 / (1 + 5), 2 / (1 + 5), 0 / (1 + 4)
    [0.1666666716337204, 0.3333333432674408, 0.0]
    """

    def __init__(self, size: int = 5, alpha: float = 1e-4, beta: float = 0.75, k: float = 2.0) -> None:
        super().__init__()
        if size < 1 or size % 2 == 0:
            raise ConfigurationError("a neighbourhood of channels is odd", expected="1, 3, 5, ...", found=str(size))
        self.size, self.alpha, self.beta, self.k = size, alpha, beta, k

    def forward(self, inputs: Tensor) -> Tensor:
        # Sums of squares and powers lose too much in half the precision.
        wide = inputs.to(torch.promote_types(inputs.dtype, torch.float32))
        beyond = [0, 0] * (inputs.dim() - 2) + [self.size // 2] * 2
        squares = F.pad(wide.square(), beyond)  # (batch, channels + n - 1, ...)
        channels = inputs.shape[1]
        sums = squares.narrow(1, 0, channels)
        for before in range(1, self.size):
            sums = sums + squares.narrow(1, before, channels)
        return (wide * (self.k + self.alpha * sums) ** -self.beta).to(inputs.dtype)

    def extra_repr(self) -> str:
        return f"size={self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"
