"""Learning to draw: how likely each move of a pen is, and what latent variables may say of a drawing."""

from typing import Annotated, Protocol, final, runtime_checkable

import torch
from torch import Tensor, nn
from torch.nn import functional

from ganglion.core import Batch, LearningRule
from ganglion.core.team import coupled
from ganglion.errors import ConfigurationError
from ganglion.nn.drawing.mixture_density import PlaneMixture
from ganglion.nn.drawing.pen_steps import points_of, steps_of
from ganglion.nn.recurrent.sequences import padding
from ganglion.rules.autoencoder.variational import NOISE, divergence_from_normal, drawn
from ganglion.rules.descend import Descent, descend
from ganglion.rules.statistics import mean_of_batch
from ganglion.settings import at_least, between, settings

PEN_STATES = 3
"""Down, lifted, finished."""


@settings
class Annealing:
    """What the divergence counts in update t: w - (w - w_0) R^t, and what of it is free."""

    weight: Annotated[float, at_least(0)] = 0.5
    """w, in the end."""
    start: Annotated[float, at_least(0)] = 0.01
    """w_0, in the first update."""
    rate: Annotated[float, between(0, 1)] = 0.99995
    """R: how slowly the weight rises."""
    floor: Annotated[float, at_least(0)] = 0.2
    """Divergence, in nats a latent, below which nothing is gained by less."""


@runtime_checkable
class Draughtsman(Protocol):
    """A network that draws, led by a drawing that is there."""

    latent_features: int
    """Numbers that it remembers a drawing by; 0 where it remembers none."""

    def posterior(self, moves: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log variance, (batch, latents), of the numbers of moves (batch, points, 3)."""

    def led(self, moves: Tensor, lengths: Tensor, latent: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return outputs (judged, numbers) for each move and end of all drawings, and what came (judged, 5)."""


@final
class Sketching(LearningRule):
    """Descend L = L_R + w_t max(L_KL, floor), or L_R alone where the network has no latents.

    L_R = -1 / N_max sum_i log p(S_i), mean over drawings;  L_KL the divergence of q(z | S) from N(0, 1), mean over
    drawings and latents.

    Args:
        network: a `Draughtsman`, from `batch["inputs"]` (batch, points, 3) and their lengths.
        descent: how the gradient becomes an update.
        annealing: w_t and the floor.
        longest: N_max, points of the longest drawing.

    Source: Ha and Eck, A neural representation of sketch drawings (2017).
    """

    def __init__(self, network: nn.Module, descent: Descent, *, annealing: Annealing, longest: int) -> None:
        if not isinstance(network, Draughtsman):
            raise ConfigurationError(
                "this network cannot draw", found=type(network).__name__, expected="a network with a method `led`"
            )
        self.networks = {"network": network}
        self.optimizers = {"network": descent.make_optimizer(network)}
        self.counters = {}
        self.network, self.descent, self.annealing, self.longest = network, descent, annealing, longest
        # A tensor, not a counter: a number of the host that changes would rule out a recorded step.
        self.tensors = {"updates": next(network.parameters()).new_zeros(())}

    def step(self, batch: Batch) -> dict[str, Tensor]:
        inputs = batch["inputs"]
        if self.network.latent_features:
            noise = torch.randn(len(inputs), self.network.latent_features, device=inputs.device)
            batch = {**batch, NOISE: noise}
        measured = descend(self.optimizers["network"], batch, self._objective, self.descent)
        self.tensors["updates"] = self.tensors["updates"].to(inputs.device).add_(1)
        return measured

    def judge(self, outputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """Return L_R of outputs (batch, points + 1, numbers) for moves (batch, points, 3), filled up with nothing."""
        lengths = points_of(targets)
        there = ~padding(lengths + 1, outputs.shape[1]).T
        surprise = surprises(outputs[there], steps_of(targets, lengths)[there]).sum()
        return {"loss": surprise / (len(targets) * self.longest)}

    @property
    def weight(self) -> Tensor:
        """Return w_t, a scalar, for the next update."""
        one = self.annealing
        return one.weight - (one.weight - one.start) * one.rate ** self.tensors["updates"]

    @coupled(lambda rule: bool(rule.network.latent_features and rule.annealing.floor))  # of the mean of the batch
    def _objective(self, batch: Batch) -> dict[str, Tensor]:
        moves, lengths, latent = batch["inputs"], batch["inputs_lengths"], None
        measured: dict[str, Tensor] = {}
        if self.network.latent_features:
            mean, log_variance = self.network.posterior(moves, lengths)
            latent = drawn(mean, log_variance, batch[NOISE])
            measured["divergence"] = mean_of_batch(divergence_from_normal(mean, log_variance).mean()) / mean.shape[1]
        surprise = surprises(*self.network.led(moves, lengths, latent)).sum() / (len(moves) * self.longest)
        loss = surprise
        if "divergence" in measured:
            loss = loss + self.weight.to(loss.device) * measured["divergence"].clamp(min=self.annealing.floor)
        return {"loss": loss, "reconstruction": surprise, **measured}


def surprises(outputs: Tensor, came: Tensor) -> Tensor:
    """Return -log p, (judged,), of steps that came (judged, 5) by outputs (judged, 3 + 6 Gaussians), in nats.

    A step that finishes the drawing has no move.
    """
    pen, moves = outputs[:, :PEN_STATES], PlaneMixture.of(outputs[:, PEN_STATES:])
    finished = came[:, -1] > 0.5
    density = moves.log_density(came[:, :2]).masked_fill(finished, 0.0)
    return functional.cross_entropy(pen, came[:, 2:].argmax(1), reduction="none") - density
