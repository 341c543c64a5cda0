"""Learning an answer for every step of a sequence, freely or led by the right answers of the steps before."""

from typing import Protocol, final, runtime_checkable

import torch.nn.functional as F
from torch import Tensor, nn

from ganglion.core import Batch, LearningRule
from ganglion.core.team import counted_by
from ganglion.errors import ConfigurationError
from ganglion.rules.descend import Descent, descend

UNJUDGED = -100
"""Target of a step that is not there: past the end of a sequence."""


def steps_cross_entropy(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return the mean of -log softmax(z)_t over all steps that are there.

    Args:
        outputs: logits `(batch, time, classes)`.
        targets: class numbers `(batch, time)`, `UNJUDGED` past the ends.

    >>> import torch
    >>> steps_cross_entropy(torch.zeros(1, 3, 2), torch.tensor([[0, 1, UNJUDGED]])).item()  # doctest: +ELLIPSIS
    0.693...
    """
    return F.cross_entropy(outputs.flatten(0, 1), targets.flatten(), ignore_index=UNJUDGED)


steps_cross_entropy.terms = lambda targets: (targets != UNJUDGED).sum(1)  # type: ignore[attr-defined]


def steps_accuracy(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return the share of right answers among the steps that are there.

    >>> import torch
    >>> steps_accuracy(torch.tensor([[[0.0, 1.0], [0.0, 1.0]]]), torch.tensor([[1, UNJUDGED]])).item()
    1.0
    """
    judged = targets != UNJUDGED
    return ((outputs.argmax(-1) == targets) & judged).sum() / judged.sum()


@runtime_checkable
class Led(Protocol):
    """A network that can be led by the right answers."""

    def led(self, inputs: Tensor, targets: Tensor, share: float) -> Tensor:
        """Return outputs, (batch, time, classes), told the right answer of the step before at this share of steps."""


@final
class TeacherForcing(LearningRule):
    """Descend the cross-entropy of every step of a network that reads its own last answer, and is given the right one.

    Args:
        network: a `Led`, from `batch["inputs"]` to logits for every step.
        descent: how the gradient becomes an update.
        share: how often the right answer is read instead of its own: 1 is teacher forcing, between 0 and 1 scheduled
            sampling at a constant rate, 0 running freely.

    Sources: Williams and Zipser, A learning algorithm for continually running fully recurrent neural networks (1989);
    Bengio, Vinyals, Jaitly and Shazeer, Scheduled sampling for sequence prediction with recurrent neural networks
    (2015).
    """

    def __init__(self, network: nn.Module, descent: Descent, *, share: float = 1.0) -> None:
        if not isinstance(network, Led):
            raise ConfigurationError(
                "this network reads no answers, so none can be given to it",
                found=type(network).__name__,
                expected="a network with a method `led`",
            )
        self.networks = {"network": network}
        self.optimizers = {"network": descent.make_optimizer(network)}
        self.counters = {}
        self.tensors = {}
        self.pupil, self.descent, self.share = network, descent, share

    def step(self, batch: Batch) -> dict[str, Tensor]:
        return descend(self.optimizers["network"], batch, self._objective, self.descent)

    def judge(self, outputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """Return loss and accuracy of outputs that are already there, (batch, time, classes)."""
        return {"loss": steps_cross_entropy(outputs, targets), "accuracy": steps_accuracy(outputs, targets)}

    @counted_by(lambda rule, batch: (batch["targets"] != UNJUDGED).sum(1))
    def _objective(self, batch: Batch) -> dict[str, Tensor]:
        return self.judge(self.pupil.led(batch["inputs"], batch["targets"], self.share), batch["targets"])
