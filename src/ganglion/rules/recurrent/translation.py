"""Learning to write one sequence after reading another."""

import math
from typing import Annotated, Literal, Protocol, final, runtime_checkable

import torch.nn.functional as F
from torch import Tensor, nn

from ganglion.core import Batch, LearningRule
from ganglion.core.team import counted_by
from ganglion.errors import ConfigurationError
from ganglion.rules.descend import Descent, descend
from ganglion.rules.losses import accuracy
from ganglion.settings import at_least, between, settings

PADDING = 0


@settings
class Sampling:
    """How often the right word before is read while training: the share falls from 1 with the number of updates i."""

    decay: Literal["never", "linear", "exponential", "inverse-sigmoid"] = "never"
    """`linear` 1 - i / k, `exponential` e^(-i / k), `inverse-sigmoid` k / (k + e^(i / k)), or 1 for ever."""
    updates: Annotated[int, at_least(1)] = 5000
    """k: how slowly it falls."""
    least: Annotated[float, between(0, 1)] = 0.0
    """What the share never falls below."""

    def share(self, update: int) -> float:
        """Return how often the right word is read in an update.

        >>> [round(Sampling(decay="linear", updates=10).share(update), 2) for update in (0, 5, 20)]
        [1.0, 0.5, 0.0]
        """
        k = self.updates
        match self.decay:
            case "never":
                return 1.0
            case "linear":
                share = 1 - update / k
            case "exponential":
                share = math.exp(-update / k)
            case "inverse-sigmoid":
                share = k / (k + math.exp(min(update / k, 700.0)))
        return max(self.least, share)


@runtime_checkable
class Writer(Protocol):
    """A network that reads one sequence and is led through another."""

    def led(self, inputs: Tensor, targets: Tensor, share: float) -> Tensor:
        """Return logits (judged, tokens) of all target tokens but the first of each sequence (batch, steps).

        Inputs are tokens (batch, source steps); what pads targets, 0, is not judged. The right token before is read at
        this share of the steps, one of its own at the others.
        """


@final
class SequenceToSequence(LearningRule):
    """Descend the mean of -log p(y_t | y_1 .. y_{t-1}, x) over all target tokens.

    Args:
        network: a `Writer`, from `batch["inputs"]` and `batch["targets"]`, (batch, steps) each, to logits.
        descent: how the gradient becomes an update.
        sampling: how often the right token before is read.
        label_smoothing: share of the right token's probability that is spread evenly over all tokens.

    Source: Bengio, Vinyals, Jaitly and Shazeer, Scheduled sampling for sequence prediction with recurrent neural
    networks (2015).
    """

    def __init__(
        self, network: nn.Module, descent: Descent, *, sampling: Sampling, label_smoothing: float = 0.0
    ) -> None:
        if not isinstance(network, Writer):
            raise ConfigurationError(
                "this network cannot be led through a sequence",
                found=type(network).__name__,
                expected="a network with a method `led`",
            )
        self.networks = {"network": network}
        self.optimizers = {"network": descent.make_optimizer(network)}
        self.counters = {"updates": 0}
        self.tensors = {}
        self.writer, self.descent, self.sampling, self.label_smoothing = network, descent, sampling, label_smoothing

    def step(self, batch: Batch) -> dict[str, Tensor]:
        measured = descend(self.optimizers["network"], batch, self._objective, self.descent)
        self.counters["updates"] += 1
        return measured

    def judge(self, outputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """Return loss, without smoothing, and accuracy of logits (tokens, known) beside the right tokens (tokens,)."""
        return {"loss": F.cross_entropy(outputs, targets), "accuracy": accuracy(outputs, targets)}

    @counted_by(lambda rule, batch: (batch["targets"][:, 1:] != PADDING).sum(1))
    def _objective(self, batch: Batch) -> dict[str, Tensor]:
        share = self.sampling.share(self.counters["updates"])
        outputs = self.writer.led(batch["inputs"], batch["targets"], share)
        wanted = batch["targets"][:, 1:]
        wanted = wanted[wanted != PADDING]
        if not self.label_smoothing:
            return self.judge(outputs, wanted)
        loss = F.cross_entropy(outputs, wanted, label_smoothing=self.label_smoothing)
        return {"loss": loss, "accuracy": accuracy(outputs, wanted)}
