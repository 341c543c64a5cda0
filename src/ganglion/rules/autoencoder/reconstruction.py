"""Reconstruction: learn a code by giving back what was put in, or what it was before noise was added."""

from collections.abc import Callable, Mapping
from typing import Any, Literal, final

import torch
from torch import Tensor, nn
from torch.nn import functional

from ganglion.core import Batch, LearningRule
from ganglion.core.team import counted_by, coupled, terms_of
from ganglion.errors import ConfigurationError
from ganglion.rules.descend import Descent, descend
from ganglion.rules.losses import Loss, find_loss

ReconstructionLoss = Literal["squared-error", "binary-cross-entropy"]
CodePenalty = Callable[[Tensor, Tensor], Tensor]
"""Of the inputs as the network sees them (batch, ...) and their codes (batch, features): a scalar."""


@final
class Reconstruction(LearningRule):
    """Descend the gradient of L(f(corrupt(x)), x) + the sum of w P(corrupt(x), c) over penalties P on the codes c.

    Args:
        network: f, from inputs to outputs of the same shape, or of that which the loss takes; logits for binary
            cross-entropy.
        descent: how the gradient becomes an update.
        loss: L, by name or as a function of outputs and inputs; a mean over samples and their values.
        noise: standard deviation of Gaussian noise added to the inputs that the network sees.
        masking: share of the values that are set to zero in the inputs that the network sees.
        penalties: by name, w and P; the network then has `encode` and `outputs`. They are measured beside the `loss`
            that is descended, which they are part of; `judge` leaves them out.

    Raises `ConfigurationError` if `noise` or `masking` is out of range.

    Source: Vincent et al., Extracting and composing robust features with denoising autoencoders (2008).

    >>> rule = Reconstruction(nn.Linear(3, 3), Descent(learning_rate=0.1), masking=0.3)
    >>> batch = {"inputs": torch.eye(3)}
    >>> losses = [rule.step(batch)["loss"] for _ in range(100)]
    >>> bool(losses[-1] < losses[0])
    True
    """

    def __init__(
        self,
        network: nn.Module,
        descent: Descent,
        *,
        loss: ReconstructionLoss | Loss = "squared-error",
        noise: float = 0.0,
        masking: float = 0.0,
        penalties: Mapping[str, tuple[float, CodePenalty]] | None = None,
    ) -> None:
        if noise < 0:
            raise ConfigurationError("noise must not be negative", found=str(noise))
        if not 0 <= masking < 1:
            raise ConfigurationError("masking must lie from 0 to below 1", found=str(masking))
        self.networks = {"network": network}
        self.optimizers = {"network": descent.make_optimizer(network)}
        self.counters = {}
        self.tensors = {}
        self.descent = descent
        self.loss = find_loss(loss)
        self.noise, self.masking = noise, masking
        self.penalties = dict(penalties or {})

    def step(self, batch: Batch) -> dict[str, Tensor]:
        return descend(self.optimizers["network"], batch, self._objective, self.descent)

    def corrupt(self, inputs: Tensor) -> Tensor:
        """Return the inputs, (batch, ...), as the network sees them, in the same shape."""
        return corrupted(inputs, self.noise, self.masking)

    def judge(self, outputs: Tensor, inputs: Tensor) -> dict[str, Tensor]:
        """Return the loss of outputs that are already there, in a shape that it takes beside the inputs."""
        return {"loss": self.loss(outputs, inputs)}

    @counted_by(lambda rule, batch: terms_of(rule.loss, batch["inputs"]))
    @coupled(lambda rule: any(getattr(penalty, "couples", False) for _, penalty in rule.penalties.values()))
    def _objective(self, batch: Batch) -> dict[str, Tensor]:
        inputs = batch["inputs"]
        seen = self.corrupt(inputs)
        if not self.penalties:
            return self.judge(self.home(seen), inputs)
        network: Any = self.home
        codes = network.encode(seen)
        measured = self.judge(network.outputs(codes).view_as(inputs), inputs)
        for name, (weight, penalty) in self.penalties.items():
            measured[name] = penalty(seen, codes)
            measured["loss"] = measured["loss"] + weight * measured[name]
        return measured


def corrupted(inputs: Tensor, noise: float, masking: float) -> Tensor:
    """Return inputs, (batch, ...), with Gaussian noise of a deviation added and a share of the values set to zero."""
    if noise:
        inputs = inputs + noise * torch.randn_like(inputs)
    if masking:
        # Dropout scales what is left up; here it keeps its size.
        inputs = functional.dropout(inputs, masking) * (1 - masking)
    return inputs
