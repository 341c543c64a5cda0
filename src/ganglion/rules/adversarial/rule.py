"""Adversarial learning: a generator and a discriminator that learn against each other, one phase each."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import final

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from ganglion.core import Batch, LearningRule, Phase
from ganglion.core.team import coupled, current
from ganglion.errors import ConfigurationError
from ganglion.rules.adversarial.extras import Extra, call_unchanged
from ganglion.rules.adversarial.games import game
from ganglion.rules.adversarial.inputs import LATENT, Inputs
from ganglion.rules.adversarial.penalties import PENALTIES, clip_weights
from ganglion.rules.adversarial.pool import Pool
from ganglion.rules.adversarial.settings import GameSettings
from ganglion.rules.adversarial.turns import Schedule, Turns
from ganglion.rules.descend import Descent, descend

GENERATED, MISMATCHED = "generated ", "mismatched "
"""Before the name of a condition: of a generated sample, and of another sample than the real one beside it."""


@final
class Adversarial(LearningRule):
    """Train a discriminator to tell real from generated samples, and a generator to mislead it.

    In turn, the discriminator lowers E[real(D(x, c))] + E[generated(D(G(z, c), c))] and the generator lowers
    E[generator(D(G(z, c), c))], with the losses of a game, noise z and conditions c. Both may pay more: penalties on
    the one side, extra losses on the other. Real and generated samples pass the discriminator as separate batches, so
    that batch normalisation never mixes their statistics.

    Args:
        generator: from the noise, if any, and its conditions to samples shaped like the real ones.
        discriminator: from samples and its conditions to one output for each, or a map of outputs.
        inputs: what the two are given of a batch.
        settings: losses, penalty and turns.
        generator_descent: how the generator's gradient becomes an update.
        discriminator_descent: how the discriminator's does.
        extras: further losses of the generator by name; each is measured under it.
        adversarial_weight: weight of the game among the generator's losses.
        mismatched_weight: share of the discriminator's loss on samples that are not real which goes to real samples
            with the conditions of another one, so that it learns to look at conditions (Reed et al. 2016).
        pool_size: earlier samples that the discriminator is shown again; see `Pool`.
        pool_name: tells the pool apart in a rule of several games.
        share_generated: let both players learn from the same generated samples where they learn from the same batch,
            which spares the generator one pass. Not done where its descent works in micro-batches.
        discriminator_schedule: takes the place of `settings.discriminator_steps` where these change during a run.
        others: networks by role that extra losses use, to be moved and saved with the rule.
        phases: stretches of the run, where networks or pictures grow.
        prepare: makes the networks ready for a phase, before it begins.
        reached: is told before each step after which share of its phase that comes, from 0 to 1.
        rates: what both learning rates are multiplied by in phases of these names; by 1 in others.

    Raises:
        ConfigurationError: a penalty on slopes of a discriminator that has batch normalisation, or a share or weight
            that is out of range.

    Source: Goodfellow et al. 2014, algorithm 1.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        inputs: Inputs,
        settings: GameSettings | None = None,
        *,
        generator_descent: Descent,
        discriminator_descent: Descent,
        extras: Mapping[str, Extra] | None = None,
        adversarial_weight: float = 1.0,
        mismatched_weight: float = 0.0,
        pool_size: int = 0,
        pool_name: str = "",
        share_generated: bool = False,
        discriminator_schedule: Schedule | None = None,
        others: Mapping[str, nn.Module] | None = None,
        phases: Sequence[Phase] = (),
        prepare: Callable[[Phase], None] | None = None,
        reached: Callable[[float], None] | None = None,
        rates: Mapping[str, float] | None = None,
    ) -> None:
        settings = settings or GameSettings()
        self.generator, self.discriminator = generator, discriminator
        self.inputs, self.settings = inputs, settings
        self.game = game(settings.loss, settings.real_label)
        self.penalty = PENALTIES.get(settings.penalty)
        self.turns = Turns(
            discriminator_steps=discriminator_schedule or settings.discriminator_steps,
            generator_steps=settings.generator_steps,
            first=settings.first,
        )
        self.extras = dict(extras or {})
        self.adversarial_weight, self.mismatched_weight = adversarial_weight, mismatched_weight
        self.pool = Pool(pool_size, pool_name) if pool_size else None
        whole = generator_descent.accumulate == 1 and generator_descent.optimizer != "lbfgs"
        self.share_generated = share_generated and whole
        self._check()
        self.networks = {"generator": generator, "discriminator": discriminator, **(others or {})}
        self.descents = {"generator": generator_descent, "discriminator": discriminator_descent}
        self.optimizers = {role: descent.make_optimizer(self.networks[role]) for role, descent in self.descents.items()}
        self.counters = self.turns.counters()
        if self.penalty and settings.penalty_every > 1:
            self.counters["steps_since_penalty"] = 0
        if self.pool:
            self.counters[self.pool.counter] = 0
        self.tensors: dict[str, Tensor] = {}
        self.phases, self.prepare, self.reached, self.rates = tuple(phases), prepare, reached, dict(rates or {})

    def step(self, batch: Batch) -> dict[str, Tensor]:
        batch = self.inputs.seen(batch)
        players = self.turns.take(self.counters)
        generated = None
        if self.share_generated and len(players) == 2:
            batch = self.inputs.with_noise(batch)
            alone = current() is None  # of several processes each then makes its own part anew, of the same noise
            generated = self.generator(*self.inputs.for_generator(batch)) if alone else self.made(batch)
        measured = {
            player: self.discriminator_phase(batch, generated)
            if player == "discriminator"
            else self.generator_phase(batch, generated if current() is None else None)
            for player in players
        }
        # Of what both measure, what the discriminator says: losses of the two at the same moment, and first in order.
        of_discriminator, of_generator = measured.get("discriminator", {}), measured.get("generator", {})
        return of_discriminator | of_generator | of_discriminator

    def discriminator_phase(self, batch: Batch, generated: Tensor | None = None) -> dict[str, Tensor]:
        """Update the discriminator on a batch of real samples and as many generated ones.

        Measures both players' losses, as they were before the update, the mean score that each kind of sample was
        given, and the penalty where it is paid. Where samples were generated already, they are in the real ones' shape.
        """
        generated = self._generated(batch) if generated is None else generated.detach()
        samples = self._samples(batch, generated)
        measured = descend(
            self.optimizers["discriminator"], samples, self.discriminator_objective, self.descents["discriminator"]
        )
        if self.settings.weight_clip is not None:
            clip_weights(self.discriminator, self.settings.weight_clip)
        return measured

    def generator_phase(self, batch: Batch, generated: Tensor | None = None) -> dict[str, Tensor]:
        """Update the generator on as many samples, in the real ones' shape, as the batch has; measure its losses."""
        if generated is None and LATENT not in batch:
            batch = self.inputs.with_noise(batch)
        objective = partial(self.generator_objective, generated=generated)
        measured = descend(self.optimizers["generator"], batch, objective, self.descents["generator"])
        return {name: value for name, value in measured.items() if name != "loss"}

    @coupled(lambda rule: rule.compares, shared=lambda rule: False)
    def discriminator_objective(self, samples: Batch) -> dict[str, Tensor]:
        """Return the discriminator's loss on samples that are laid out for it, and what is measured of them."""

        def conditions(kind: str = "") -> list[Tensor]:
            return [samples[kind + name] for name in self.inputs.discriminator]

        real = self.discriminator(samples["real"], *conditions())
        generated = self.discriminator(samples["generated"], *conditions(GENERATED))
        paid = self.game.generated(generated)
        if self.mismatched_weight:
            mismatched = self.discriminator(samples["real"], *conditions(MISMATCHED))
            paid = torch.lerp(paid, self.game.generated(mismatched), self.mismatched_weight)
        loss = self.game.real(real) + paid
        measured = {
            "loss": loss,
            "discriminator_loss": loss,
            "generator_loss": self.game.generator(generated),
            "real_score": self.game.score(real),
            "generated_score": self.game.score(generated),
        }
        if self.settings.drift:
            measured["loss"] = measured["loss"] + self.settings.drift * real.square().mean()
        if self.penalty and "points" in samples:
            measured["penalty"] = self.penalty.cost(
                lambda points: call_unchanged(self.discriminator, points, *conditions()), samples["points"]
            )
            weight = self.settings.penalty_weight * self.settings.penalty_every
            measured["loss"] = measured["loss"] + weight * measured["penalty"]
        return measured

    @coupled(lambda rule: rule.couples, shared=lambda rule: not rule.compares)
    def generator_objective(self, batch: Batch, generated: Tensor | None = None) -> dict[str, Tensor]:
        """Return the generator's loss on a batch with its noise, and what is measured of it.

        A rule of several games, such as one there and one back, adds the losses of their generators. Where samples were
        generated already, they are in the real ones' shape.
        """
        if generated is None:
            generated = self.generator(*self.inputs.for_generator(batch))
        judged = call_unchanged(self.discriminator, generated, *self.inputs.for_discriminator(batch))
        loss = self.game.generator(judged)
        measured = {"generator_loss": loss}
        if self.adversarial_weight != 1:
            loss = self.adversarial_weight * loss
        for name, extra in self.extras.items():
            measured[name] = extra.loss(generated, batch)
            loss = loss + extra.weight * measured[name]
        return measured | {"loss": loss}

    @property
    def couples(self) -> bool:
        """Whether samples of a batch matter to each other beyond what layers normalise."""
        return self.compares or any(getattr(extra.loss, "couples", False) for extra in self.extras.values())

    @property
    def compares(self) -> bool:
        """Whether the discriminator compares samples of a batch with each other."""
        return bool(getattr(self.discriminator, "compares_samples", False))

    def begin(self, phase: Phase) -> None:
        if self.prepare:
            self.prepare(phase)
        for role, descent in self.descents.items():
            if not phase.roles or role in phase.roles:
                rate = descent.learning_rate * self.rates.get(phase.name, 1.0)
                self.optimizers[role] = replace(descent, learning_rate=rate).make_optimizer(self.networks[role])

    def reach(self, share: float) -> None:
        if self.reached:
            self.reached(share)

    def real(self, batch: Batch) -> Tensor:
        """Return the real samples, (batch, *shape of a sample), of a batch of the loader."""
        return self.inputs.seen(batch)[self.inputs.real]

    def sample(self, batch: Batch) -> Tensor:
        """Return a generated sample for each of a batch of the loader, in one tensor of the real ones' shape.

        No network changes.
        """
        return self._generated(self.inputs.seen(batch))

    @torch.no_grad()
    def discriminate(self, samples: Tensor, batch: Batch) -> Tensor:
        """Return the discriminator's outputs, (batch, ...), for samples with the conditions of a batch.

        No network changes.
        """
        conditions = self.inputs.for_discriminator(self.inputs.seen(batch))
        return call_unchanged(self.discriminator, samples, *conditions)

    @torch.no_grad()
    def _generated(self, batch: Batch) -> Tensor:
        return self.made(self.inputs.with_noise(batch))

    @torch.no_grad()
    def made(self, batch: Batch) -> Tensor:
        """Return what the generator makes of a batch with its noise, in the real ones' shape. No network changes."""
        return call_unchanged(self.generator, *self.inputs.for_generator(batch))

    def _check(self) -> None:
        if self.penalty and any(isinstance(module, _BatchNorm) for module in self.discriminator.modules()):
            raise ConfigurationError(
                "batch normalisation makes a sample's output depend on the others, so it has no slope to penalise",
                where="the discriminator",
                found=f"penalty {self.settings.penalty}",
                remedy="normalise the discriminator in another way (layer, spectral), or choose penalty none",
            )
        if not 0 <= self.mismatched_weight <= 1:
            raise ConfigurationError("mismatched_weight must lie from 0 to 1", found=str(self.mismatched_weight))
        if self.mismatched_weight and not self.inputs.discriminator:
            raise ConfigurationError(
                "the discriminator is given no condition that could be mismatched",
                found=f"mismatched_weight {self.mismatched_weight}",
                remedy="leave mismatched_weight at 0, or show the discriminator a condition",
            )

    def _samples(self, batch: Batch, generated: Tensor) -> Batch:
        """Return what the discriminator is to tell apart, each kind of sample with its conditions."""
        conditions = {name: batch[name] for name in self.inputs.discriminator}
        shown = {"generated": generated} | {GENERATED + name: value for name, value in conditions.items()}
        if self.pool:
            shown = self.pool.exchange(shown, self.tensors, self.counters)
        samples = {"real": batch[self.inputs.real], **conditions, **shown}
        if self.mismatched_weight:
            samples |= {MISMATCHED + name: value.roll(1, 0) for name, value in conditions.items()}
        if self.penalty and self._is_penalised():
            samples["points"] = self.penalty.points(samples["real"], samples["generated"])
        return samples

    def _is_penalised(self) -> bool:
        """Return whether the penalty is paid in this step of the discriminator, and count it."""
        if self.settings.penalty_every == 1:
            return True
        since = self.counters["steps_since_penalty"]
        self.counters["steps_since_penalty"] = (since + 1) % self.settings.penalty_every
        return since == 0
