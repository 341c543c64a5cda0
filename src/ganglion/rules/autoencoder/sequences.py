"""Reconstruction of sequences: give back the numbers of a series, or the tokens of a text and where it ends."""

from typing import final

from torch import Tensor, nn
from torch.nn import functional

from ganglion.core import Batch, LearningRule
from ganglion.rules.descend import Descent, descend


@final
class SequenceReconstruction(LearningRule):
    """Descend the gradient of L(f(x), x), a mean over steps.

    Of series it is the squared error; of texts, numbers of tokens, the cross-entropy of every token and of the step
    after the last, which is 0.

    Args:
        network: f, from series (batch, steps, channels) to outputs of the same shape, or from texts (batch, steps),
            padded with 0, to logits (batch, steps + 1, classes).
        descent: how the gradient becomes an update.

    Source: Srivastava et al., Unsupervised learning of video representations using LSTMs (2015).

    >>> import torch
    >>> rule = SequenceReconstruction(nn.Linear(3, 3), Descent(learning_rate=0.1))
    >>> batch = {"inputs": torch.eye(3)[None]}
    >>> losses = [rule.step(batch)["loss"] for _ in range(50)]
    >>> bool(losses[-1] < losses[0])
    True
    """

    def __init__(self, network: nn.Module, descent: Descent) -> None:
        self.networks = {"network": network}
        self.optimizers = {"network": descent.make_optimizer(network)}
        self.counters = {}
        self.tensors = {}
        self.descent = descent

    def step(self, batch: Batch) -> dict[str, Tensor]:
        return descend(self.optimizers["network"], batch, self._objective, self.descent)

    def judge(self, outputs: Tensor, inputs: Tensor) -> dict[str, Tensor]:
        """Return the loss of outputs (batch, steps, ...) that are already there, beside inputs (batch, steps, ...)."""
        if inputs.is_floating_point():
            return {"loss": functional.mse_loss(outputs, inputs)}
        wanted, counts = with_end(inputs)
        logs = functional.cross_entropy(outputs.transpose(1, 2), wanted, reduction="none")  # (batch, steps + 1)
        return {"loss": (logs * counts).sum() / counts.sum()}

    def _objective(self, batch: Batch) -> dict[str, Tensor]:
        return self.judge(self.home(batch["inputs"]), batch["inputs"])


def with_end(texts: Tensor) -> tuple[Tensor, Tensor]:
    """Return texts (batch, steps), padded with 0, with a step more, and which steps count: all up to the first 0.

    >>> import torch
    >>> with_end(torch.tensor([[4, 7, 0]]))
    (tensor([[4, 7, 0, 0]]), tensor([[ True,  True,  True, False]]))
    """
    longer = functional.pad(texts, (0, 1))
    over = (longer == 0).cumsum(1)
    return longer, over <= 1
