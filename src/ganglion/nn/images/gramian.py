"""Gramian angular fields: a series as pictures of how each two of its moments stand to each other."""

import torch
from torch import Tensor, nn
from torch.nn import functional


class GramianFields(nn.Module):
    """Turn series (batch, steps, channels) into their angular fields (batch, 2 channels, size, size).

    Each channel of each series becomes `size` means of consecutive steps, brought to the range from -1 to 1 and read as
    cosines: phi_i = arccos x_i. Summation fields come first, one for each channel, then the difference fields:

        G_ij = cos(phi_i + phi_j) = x_i x_j - s_i s_j,  D_ij = sin(phi_i - phi_j) = s_i x_j - x_i s_j,  s_i = sin phi_i

    The diagonal of G holds the series, cos 2 phi_i = 2 x_i^2 - 1; time runs from the upper left to the lower right. A
    series that does not change is read as x = 0.

    Args:
        size: of the fields, in moments; there are no more than steps.

    Source: Wang and Oates, Imaging time-series to improve classification and imputation (2015), section 2.1.

    >>> fields = GramianFields(3)(torch.tensor([[[0.0], [1.0], [2.0]]]))
    >>> fields[0].round().abs().int().tolist()
    [[[1, 0, 1], [0, 1, 0], [1, 0, 1]], [[0, 1, 0], [1, 0, 1], [0, 1, 0]]]
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def forward(self, series: Tensor) -> Tensor:
        means = functional.adaptive_avg_pool1d(series.transpose(1, 2), self.size)  # (batch, channels, size)
        low, high = means.amin(-1, keepdim=True), means.amax(-1, keepdim=True)
        cosines = ((2 * means - low - high) / (high - low).clamp(min=torch.finfo(means.dtype).tiny)).clamp(-1, 1)
        sines = (1 - cosines**2).clamp(min=0).sqrt()
        x_i, s_i = cosines[..., :, None], sines[..., :, None]
        x_j, s_j = cosines[..., None, :], sines[..., None, :]
        return torch.cat([x_i * x_j - s_i * s_j, s_i * x_j - x_i * s_j], dim=1)

    def extra_repr(self) -> str:
        return f"size={self.size}"
