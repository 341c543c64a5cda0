"""Learning the colours of grey pictures: as two numbers, or as one of many bins of which rare ones count more."""

from typing import final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganglion.core import Batch, LearningRule
from ganglion.nn.images.colour import to_lab
from ganglion.rules.descend import Descent, descend

FULL = 100.0
"""Colours in Lab that regression calls 1."""
SPREAD = 5.0
"""Deviation in Lab by which a colour is shared among the bins around it, and by which counts are smoothed."""


@final
class Colouring(LearningRule):
    """Descend the error of the colours a, b of `batch["targets"]`, sRGB images, that are said of their lightness L.

    Without bins      L = mean |f(L) - (a, b) / 100|^2
    With bins c_q     L = mean over pixels of w(q*) sum_q -s_q log softmax(f(L))_q
                      s_q ~ exp(-|(a, b) - c_q|^2 / (2 5^2)), which sums to 1; q* is the bin nearest to (a, b)
                      w(q) ~ 1 / ((1 - u) p(q) + u / Q), so that sum_q p(q) w(q) = 1

    p is how common each of the Q bins was in the batches so far, smoothed; it is kept with the rule.

    Args:
        network: from L, `(batch, 1, height, width)`, to logits of bins or a, b, on a grid of any smaller size.
        descent: how the gradient becomes an update.
        bins: c, `(bins, 2)`; none for regression.
        uniform: u; with 1 all colours count alike.

    Source: Zhang, Isola and Efros, Colorful image colorization (2016), equations 1 to 4.

    >>> rule = Colouring(nn.Conv2d(1, 2, 1), Descent(learning_rate=0.01))
    >>> batch = {"targets": torch.rand(1, 3, 1, 1).expand(4, 3, 8, 8)}
    >>> losses = [rule.step(batch)["loss"] for _ in range(100)]
    >>> bool(losses[-1] < losses[0])
    True
    """

    def __init__(
        self, network: nn.Module, descent: Descent, *, bins: Tensor | None = None, uniform: float = 0.5
    ) -> None:
        self.networks = {"network": network}
        self.optimizers = {"network": descent.make_optimizer(network)}
        self.counters = {}
        self.tensors = {} if bins is None else {"counts": torch.zeros(len(bins), dtype=torch.float64)}
        self.bins = bins
        self.uniform = uniform
        self.descent = descent

    def step(self, batch: Batch) -> dict[str, Tensor]:
        if self.bins is not None:
            nearest = self._distances(_colours(batch["targets"])).argmin(1)
            found = torch.bincount(nearest.flatten(), minlength=len(self.bins))
            self.tensors["counts"] = self.tensors["counts"].to(found.device) + found
        return descend(self.optimizers["network"], batch, self._objective, self.descent)

    def judge(self, outputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """Return the loss of outputs `(batch, values, rows, columns)` beside sRGB images `(batch, 3, height, width)`.

        The images' colours are averaged over what each place of the outputs stands for.
        """
        truth = F.adaptive_avg_pool2d(_colours(targets), (outputs.shape[2], outputs.shape[3]))
        if self.bins is None:
            return {"loss": F.mse_loss(outputs, truth / FULL)}
        distances = self._distances(truth)
        shares = (-distances / (2 * SPREAD**2)).softmax(1)
        of_each = -(shares * outputs.log_softmax(1)).sum(1)
        return {"loss": (self.weights()[distances.argmin(1)] * of_each).mean()}

    def weights(self) -> Tensor:
        """Return how much a pixel of the colour of each bin counts, w `(bins,)`."""
        assert self.bins is not None
        counts = self.tensors["counts"]
        near = (-torch.cdist(self.bins.double(), self.bins.double()).square() / (2 * SPREAD**2)).exp().to(counts.device)
        common = near / near.sum(0) @ counts
        common = common / common.sum() if counts.any() else torch.full_like(common, 1 / len(common))
        weights = 1 / ((1 - self.uniform) * common + self.uniform / len(common))
        return (weights / (common * weights).sum()).float()

    def _objective(self, batch: Batch) -> dict[str, Tensor]:
        return self.judge(self.home(to_lab(batch["targets"])[:, :1]), batch["targets"])

    def _distances(self, colours: Tensor) -> Tensor:
        """Return the squared distances of colours `(batch, 2, rows, columns)` from the bins `(batch, bins, ...)`."""
        assert self.bins is not None
        bins = self.bins.to(colours.device)
        squared = colours.square().sum(1, keepdim=True) + bins.square().sum(1).reshape(1, -1, 1, 1)
        return squared - 2 * torch.einsum("qc,bchw->bqhw", bins, colours)


def _colours(images: Tensor) -> Tensor:
    """Return a and b `(batch, 2, height, width)` of sRGB images."""
    return to_lab(images)[:, 1:]
