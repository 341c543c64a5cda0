"""What a network puts out, classes, labels or values, and the loss that goes with each."""

from functools import partial
from typing import Literal

from torch import nn

from ganglion.rules.descend import Descent
from ganglion.rules.losses import Loss, accuracy, binary_cross_entropy, cross_entropy, find_loss
from ganglion.rules.supervised import Supervised
from ganglion.settings import Count, Share, settings

OutputLoss = Literal["auto", "cross-entropy", "binary-cross-entropy", "squared-error"]


@settings
class OutputSettings:
    """What configurations of networks have in common that answer with classes, labels or values."""

    num_classes: Count | None = 1000
    """Classes to tell apart; none where labels or values are predicted."""
    out_features: Count = 1
    """Labels or values to predict where there are no classes."""
    loss: OutputLoss = "auto"
    """What is lowered; auto goes by what is predicted."""
    label_smoothing: Share = 0.0
    """Share of the target's probability that is spread over all classes."""

    @property
    def outputs(self) -> int:
        """Numbers that the network puts out for a sample."""
        return self.num_classes or self.out_features


def loss_of(config: OutputSettings) -> Loss:
    """Return what a configuration says is lowered.

    >>> loss_of(OutputSettings()) is cross_entropy, loss_of(OutputSettings(num_classes=None)).__name__
    (True, 'squared_error')
    """
    single = config.num_classes == 2 and config.outputs == 1
    automatic = "squared-error" if config.num_classes is None else "binary-cross-entropy" if single else "cross-entropy"
    name = automatic if config.loss == "auto" else config.loss
    smoothed = {"cross-entropy": cross_entropy, "binary-cross-entropy": binary_cross_entropy}
    if config.label_smoothing and name in smoothed:
        return partial(smoothed[name], label_smoothing=config.label_smoothing)
    return find_loss(name)


def supervised(
    network: nn.Module, config: OutputSettings, descent: Descent, *, loss: Loss | None = None, auxiliary: float = 0.0
) -> Supervised:
    """Return the rule by which a network learns what its configuration says that it puts out.

    Args:
        network: from inputs to logits of classes or labels, or values, (batch, outputs).
        config: says which.
        descent: how the gradient becomes an update.
        loss: lowered instead of what the configuration names.
        auxiliary: share that the loss of each further head counts, of a network with several.
    """
    counted = config.num_classes is not None or config.loss == "binary-cross-entropy"
    return Supervised(
        network,
        descent,
        loss=loss_of(config) if loss is None else loss,
        measures={"accuracy": accuracy} if counted else {},
        auxiliary=auxiliary,
    )
