"""Learning what every pixel belongs to: cross-entropy of each, weighted by what the pixel is and where it lies."""

from typing import final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganglion.core import Batch, LearningRule
from ganglion.core.team import counted_by
from ganglion.errors import ShapeError
from ganglion.nn.convolution import cropped
from ganglion.nn.modes import evaluation_mode
from ganglion.rules.descend import Descent, descend
from ganglion.rules.recurrent.sequences import UNJUDGED


@final
class Pixelwise(LearningRule):
    """Descend the mean over judged pixels of w(x) (-log softmax(z(x))_t(x)).

    Args:
        network: from `batch["inputs"]`, images, to logits z, (batch, classes, height, width), which may be smaller
            than the targets t, `batch["targets"]`: these are then cut to their middle, as are the weights w,
            `batch["pixel_weights"]`, which are 1 where there are none.
        descent: how the gradient becomes an update.

    Source: Ronneberger, Fischer and Brox, U-Net (2015), equation 1.

    >>> import torch
    >>> rule = Pixelwise(nn.Conv2d(1, 2, 1), Descent(learning_rate=0.1))
    >>> images = torch.rand(4, 1, 8, 8)
    >>> losses = [rule.step({"inputs": images, "targets": (images[:, 0] > 0.5).long()})["loss"] for _ in range(100)]
    >>> bool(losses[-1] < 0.5 * losses[0])
    True
    """

    def __init__(self, network: nn.Module, descent: Descent) -> None:
        self.networks = {"network": network}
        self.optimizers = {"network": descent.make_optimizer(network)}
        self.counters = {}
        self.tensors = {}
        self.descent = descent
        self._sizes: dict[torch.Size, torch.Size] = {}
        """Of the answers to images of a shape."""

    def step(self, batch: Batch) -> dict[str, Tensor]:
        return descend(self.optimizers["network"], batch, self._objective, self.descent)

    def judge(self, outputs: Tensor, targets: Tensor, weights: Tensor | None = None) -> dict[str, Tensor]:
        """Return the loss of outputs that are already there, (batch, classes, height, width).

        Targets and weights are (batch, rows, columns), of the same size or larger.
        """
        return {"loss": weighted_cross_entropy(outputs, targets, weights)}

    def judged(self, batch: Batch) -> Tensor | None:
        """Return how many pixels of each sample are judged, (batch,); None where all are."""
        targets, inputs = batch["targets"], batch["inputs"]
        if bool((targets != UNJUDGED).all()):
            return None
        if (shape := inputs.shape[1:]) not in self._sizes:
            with torch.no_grad(), evaluation_mode(self.home):
                self._sizes[shape] = self.home(inputs[:1]).shape[2:]
        return (cropped(targets, *self._sizes[shape]) != UNJUDGED).flatten(1).sum(1)

    @counted_by(lambda rule, batch: rule.judged(batch))
    def _objective(self, batch: Batch) -> dict[str, Tensor]:
        return self.judge(self.home(batch["inputs"]), batch["targets"], batch.get("pixel_weights"))


def weighted_cross_entropy(outputs: Tensor, targets: Tensor, weights: Tensor | None = None) -> Tensor:
    """Return sum_x w(x) (-log softmax(z(x))_t(x)) / n over the n pixels that are judged; 0 where none is.

    Args:
        outputs: z, (batch, classes, height, width).
        targets: t, class numbers (batch, rows, columns) of which the middle counts; `UNJUDGED` for pixels of no class.
        weights: w, (batch, rows, columns), likewise; 1 everywhere if not given.

    Raises:
        ShapeError: the outputs reach beyond the targets.

    >>> import torch
    >>> outputs = torch.zeros(1, 2, 2, 2)
    >>> round(weighted_cross_entropy(outputs, torch.zeros(1, 4, 4, dtype=torch.int64)).item(), 4)
    0.6931
    """
    height, width = outputs.shape[2:]
    if targets.shape[1] < height or targets.shape[2] < width:
        raise ShapeError(
            "the answer reaches beyond the mask",
            expected=f"masks of at least {height} x {width}",
            found=f"{targets.shape[1]} x {targets.shape[2]}",
        )
    middle = cropped(targets, height, width)
    of_each = F.cross_entropy(outputs, middle, reduction="none", ignore_index=UNJUDGED)
    if weights is not None:
        of_each = of_each * cropped(weights, height, width)
    return of_each.sum() / (middle != UNJUDGED).sum().clamp(min=1)
