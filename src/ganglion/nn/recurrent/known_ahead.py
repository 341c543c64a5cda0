"""What a forecaster is told of the steps that it forecasts: columns known in advance, beside those that are not."""

import torch
from torch import Tensor
from torch.nn import functional


def with_known_ahead(inputs: Tensor, columns: int, horizon: int, level: Tensor | None = None) -> Tensor:
    """Return what a network reads of past and future: values while they are known, and all that is known in advance.

    [s_t - l, k_t, 0] for a step t of the window; [0, k_t, j / H] for the j-th of the H steps ahead.

    Args:
        inputs: s and k, `(batch, window + horizon, columns + known)`; values of the steps ahead are not looked at.
        columns: how many, the first ones, are values that are to be forecast.
        horizon: H, the steps to forecast.
        level: l, what values are taken relative to `(batch, columns)`; 0 if not given.

    Source: Salinas, Flunkert and Gasthaus, DeepAR (2017), for covariates beside every step.

    >>> with_known_ahead(torch.tensor([[[5.0, 1.0], [7.0, 0.0], [9.0, 1.0]]]), 1, horizon=1).tolist()
    [[[5.0, 1.0, 0.0], [7.0, 0.0, 0.0], [0.0, 1.0, 1.0]]]
    """
    values, known = inputs[:, :-horizon, :columns], inputs[:, :, columns:]
    if level is not None:
        values = values - level[:, None]
    values = functional.pad(values, (0, 0, 0, horizon))
    ahead = torch.arange(1, horizon + 1, device=inputs.device, dtype=inputs.dtype) / horizon
    ahead = functional.pad(ahead, (inputs.shape[1] - horizon, 0)).expand(inputs.shape[0], -1)
    return torch.cat((values, known, ahead[..., None]), dim=2)
