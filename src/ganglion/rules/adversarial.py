"""Adversarial learning: a generator and a discriminator that learn against each other, one phase each."""

from collections.abc import Callable
from typing import Literal, final, get_args

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F

from ganglion.core import Batch, LearningRule
from ganglion.errors import ConfigurationError
from ganglion.rules.descend import Descent, descend

GeneratorLoss = Literal["non-saturating", "minimax"]


def discriminator_loss(real: Tensor, generated: Tensor, real_label: float = 1.0) -> Tensor:
    """Return what a discriminator minimises, -E[log D(x)] - E[log(1 - D(G(z)))], from logits.

    Args:
        real: logits of real samples, of any shape.
        generated: logits of generated samples.
        real_label: probability asked for on real samples. Below 1 it is one-sided label smoothing: generated samples
            keep the label 0, since smoothing both would reward samples where there is no data.

    Source: Goodfellow et al. 2014, equation 1; Salimans et al. 2016, section 3.4.

    >>> discriminator_loss(torch.zeros(4), torch.zeros(4))  # 2 log 2: it cannot tell them apart
    tensor(1.3863)
    """
    smoothed = torch.full_like(real, real_label)
    return F.binary_cross_entropy_with_logits(real, smoothed) + F.softplus(generated).mean()


def minimax_loss(generated: Tensor) -> Tensor:
    """Return E[log(1 - D(G(z)))] from logits; its gradient vanishes where the discriminator is sure of itself.

    Source: Goodfellow et al. 2014, equation 1.

    >>> minimax_loss(torch.zeros(4))
    tensor(-0.6931)
    """
    return -F.softplus(generated).mean()


def non_saturating_loss(generated: Tensor) -> Tensor:
    """Return -E[log D(G(z))] from logits: the fixed point of minimax, but a strong gradient for bad samples.

    Source: Goodfellow et al. 2014, section 3.

    >>> non_saturating_loss(torch.zeros(4))
    tensor(0.6931)
    """
    return F.softplus(-generated).mean()


GENERATOR_LOSSES: dict[GeneratorLoss, Callable[[Tensor], Tensor]] = {
    "non-saturating": non_saturating_loss,
    "minimax": minimax_loss,
}


def call_unchanged(network: nn.Module, inputs: Tensor) -> Tensor:
    """Run `network` in its present mode on copies of its buffers, so that no running statistic moves."""
    copies = {name: buffer.clone() for name, buffer in network.named_buffers()}
    return functional_call(network, copies, (inputs,))


@final
class Adversarial(LearningRule):
    """Train a discriminator to tell real from generated samples, and a generator to mislead it.

    min_G max_D E[log D(x)] + E[log(1 - D(G(z)))], z ~ N(0, I). Real and generated samples pass the discriminator as
    separate batches, so that batch normalisation never mixes their statistics.

    Args:
        generator: latent vectors `(batch, latent_features)` to samples shaped like `inputs`.
        discriminator: samples to logits `(batch,)`.
        latent_features: length of a latent vector.
        generator_loss: what the generator minimises.
        real_label: label of real samples, see `discriminator_loss`.
        discriminator_steps: batches the discriminator learns from for each one of the generator, the paper's k.

    Source: Goodfellow et al. 2014, algorithm 1.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        *,
        latent_features: int,
        generator_descent: Descent,
        discriminator_descent: Descent,
        generator_loss: GeneratorLoss = "non-saturating",
        real_label: float = 0.9,
        discriminator_steps: int = 1,
    ) -> None:
        _check(generator_loss, real_label, discriminator_steps)
        self.generator, self.discriminator = generator, discriminator
        self.latent_features = latent_features
        self.generator_descent, self.discriminator_descent = generator_descent, discriminator_descent
        self.generator_loss = GENERATOR_LOSSES[generator_loss]
        self.real_label = real_label
        self.discriminator_steps = discriminator_steps
        self.networks = {"generator": generator, "discriminator": discriminator}
        self.optimizers = {
            "generator": generator_descent.make_optimizer(generator),
            "discriminator": discriminator_descent.make_optimizer(discriminator),
        }
        self.counters = {"batches_since_generator": 0}
        self.tensors: dict[str, Tensor] = {}

    def step(self, batch: Batch) -> dict[str, Tensor]:
        measures = self.discriminator_phase(batch)
        self.counters["batches_since_generator"] += 1
        if self.counters["batches_since_generator"] == self.discriminator_steps:
            self.counters["batches_since_generator"] = 0
            self.generator_phase(batch)
        return measures

    def discriminator_phase(self, batch: Batch) -> dict[str, Tensor]:
        """Update the discriminator on a batch of real samples and as many generated ones.

        Measures both players' losses, as they were before the update, and the mean probability of being real that each
        kind of sample was given.
        """
        with torch.no_grad():
            generated = call_unchanged(self.generator, self.latent_like(batch["inputs"]))

        def objective(part: Batch) -> dict[str, Tensor]:
            real, generated = self.discriminator(part["real"]), self.discriminator(part["generated"])
            loss = discriminator_loss(real, generated, self.real_label)
            return {
                "loss": loss,
                "discriminator_loss": loss,
                "generator_loss": self.generator_loss(generated),
                "real_score": real.sigmoid().mean(),
                "generated_score": generated.sigmoid().mean(),
            }

        samples = {"real": batch["inputs"], "generated": generated}
        return descend(self.optimizers["discriminator"], samples, objective, self.discriminator_descent)

    def generator_phase(self, batch: Batch) -> dict[str, Tensor]:
        """Update the generator on fresh latent vectors, as many as the batch has samples."""

        def objective(part: Batch) -> dict[str, Tensor]:
            judged = call_unchanged(self.discriminator, self.generator(part["latent"]))
            return {"loss": self.generator_loss(judged)}

        latent = {"latent": self.latent_like(batch["inputs"])}
        return descend(self.optimizers["generator"], latent, objective, self.generator_descent)

    def latent_like(self, samples: Tensor) -> Tensor:
        """Draw one latent vector for each sample, on the samples' device."""
        return torch.randn(len(samples), self.latent_features, device=samples.device)


def _check(generator_loss: str, real_label: float, discriminator_steps: int) -> None:
    if generator_loss not in GENERATOR_LOSSES:
        expected = f"one of {', '.join(get_args(GeneratorLoss))}"
        raise ConfigurationError("unknown generator_loss", expected=expected, found=str(generator_loss))
    if not 0 < real_label <= 1:
        raise ConfigurationError("real_label must lie between 0 (excluded) and 1", found=str(real_label))
    if discriminator_steps < 1:
        raise ConfigurationError("discriminator_steps must be at least 1", found=str(discriminator_steps))
