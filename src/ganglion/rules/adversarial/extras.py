"""What a generator may pay beside the game: distances from a target, from its features, from where it came from.

Each is a callable of generated samples `(batch, ...)` and the batch that they were made of, with the noise under
`latent`. Their networks stay as they are; a rule that uses one lists it, so that it is moved, saved and loaded.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F

from ganglion.core import Batch
from ganglion.rules.statistics import mean_of_batch

ExtraLoss = Callable[[Tensor, Batch], Tensor]
Distance = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Extra:
    """A loss of the generator beside the game, measured under its name without its weight."""

    loss: ExtraLoss
    weight: float = 1.0


@dataclass(frozen=True)
class ToTarget:
    """E|G - y|, or another distance, of generated samples from those that they should be.

    Source: Isola et al. 2017, equation 3.

    >>> ToTarget("target")(torch.zeros(2, 3), {"target": torch.ones(2, 3)})
    tensor(1.)
    """

    field: str
    """Name of y in a batch."""
    distance: Distance = F.l1_loss

    def __call__(self, generated: Tensor, batch: Batch) -> Tensor:
        return self.distance(generated, batch[self.field])


@dataclass(frozen=True)
class Perceptual:
    """E[|f(G) - f(y)|^2] per feature: a distance of what a network sees in two images instead of their pixels.

    Source: Johnson et al. 2016, equation 2; Ledig et al. 2017, equation 5.
    """

    features: nn.Module
    """f, from samples to features; or to a list of features of several layers, whose distances are averaged."""
    field: str
    """Name of y in a batch."""
    distance: Distance = F.mse_loss

    @property
    def couples(self) -> bool:
        """Whether samples of a batch matter to each other."""
        return bool(getattr(self.distance, "couples", False))

    def __call__(self, generated: Tensor, batch: Batch) -> Tensor:
        with torch.no_grad():
            wanted = _listed(call_unchanged(self.features, batch[self.field]))
        found = _listed(call_unchanged(self.features, generated))
        return torch.stack([self.distance(*pair) for pair in zip(found, wanted, strict=True)]).mean()


@dataclass(frozen=True)
class FeatureMatching:
    """|E f(x) - E f(G(z))|^2: generated batches have the same mean features as real ones.

    Source: Salimans et al. 2016, section 3.1.

    >>> FeatureMatching(nn.Identity(), "inputs")(torch.zeros(4, 2), {"inputs": torch.ones(4, 2)})
    tensor(2.)
    """

    features: nn.Module
    """f, usually all layers of the discriminator but the last."""
    field: str
    """Name of the real samples in a batch."""
    couples: ClassVar[bool] = True
    """Samples of a batch matter to each other."""

    def __call__(self, generated: Tensor, batch: Batch) -> Tensor:
        with torch.no_grad():
            wanted = mean_of_batch(call_unchanged(self.features, batch[self.field]).mean(0))
        found = mean_of_batch(call_unchanged(self.features, generated).mean(0))
        return (found - wanted).square().sum()


@dataclass(frozen=True)
class Cycle:
    """E|F(G(x)) - x|: what was made of a sample leads back to it.

    Source: Zhu et al. 2017, equation 2.

    >>> halve, batch = nn.Linear(1, 1, bias=False), {"source": torch.tensor([[3.0]])}
    >>> _ = nn.init.constant_(halve.weight, 0.5)
    >>> Cycle(halve, "source")(2 * batch["source"], batch).detach()
    tensor(0.)
    """

    back: nn.Module
    """F, which leads back. Where it is to learn, too, its parameters belong to the optimizer of the generator."""
    field: str
    """Name of x in a batch."""

    def __call__(self, generated: Tensor, batch: Batch) -> Tensor:
        return F.l1_loss(call_unchanged(self.back, generated), batch[self.field])


@dataclass(frozen=True)
class Identity:
    """E|G(y) - y|: what is already as it should be is left as it is.

    Source: Zhu et al. 2017, section 5.2.
    """

    generator: nn.Module
    field: str
    """Name of y, real samples, in a batch."""

    def __call__(self, generated: Tensor, batch: Batch) -> Tensor:
        return F.l1_loss(call_unchanged(self.generator, batch[self.field]), batch[self.field])


def call_unchanged(network: nn.Module, *inputs: Tensor) -> Tensor:
    """Run `network` in its present mode on copies of its buffers, so that no running statistic moves.

    Inputs and outputs have the shapes that the network takes and gives.
    """
    copies = {name: buffer.clone() for name, buffer in network.named_buffers()}
    answer: Tensor = functional_call(network, copies, inputs) if copies else network(*inputs)
    return answer


def _listed(features: Tensor | Sequence[Tensor]) -> Sequence[Tensor]:
    return [features] if isinstance(features, Tensor) else features
