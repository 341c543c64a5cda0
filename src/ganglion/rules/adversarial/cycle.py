"""Two games at once, one there and one back: what a generator makes of a picture has to lead back to it."""

from typing import final

from torch import Tensor, nn

from ganglion.core import Batch, LearningRule
from ganglion.core.team import current
from ganglion.rules.adversarial.extras import Cycle, Extra, Identity
from ganglion.rules.adversarial.inputs import Inputs
from ganglion.rules.adversarial.rule import Adversarial
from ganglion.rules.adversarial.settings import GameSettings
from ganglion.rules.descend import Descent, descend


@final
class CycleRule(LearningRule):
    """Train G from x to y and F from y to x, each against a discriminator, without knowing which x belongs to which y.

    The generators lower E[generator(D_Y(G(x)))] + E[generator(D_X(F(y)))] + lambda (E|F(G(x)) - x| + E|G(F(y)) - y|) +
    lambda_i (E|G(y) - y| + E|F(x) - x|) together; then each discriminator learns from its own game, which is shown
    earlier samples too.

    Args:
        there, back: G and F.
        judge_of_targets, judge_of_sources: D_Y and D_X.
        settings: the losses of both games.
        generator_descent: how both generators descend, with one optimizer.
        discriminator_descent: how each discriminator descends.
        cycle_weight, identity_weight: lambda and lambda_i.
        pool_size: earlier samples that each discriminator is shown again.

    Source: Zhu et al. 2017, equation 3 and section 5.2.
    """

    home_roles = ("there", "back")

    def __init__(
        self,
        there: nn.Module,
        back: nn.Module,
        judge_of_targets: nn.Module,
        judge_of_sources: nn.Module,
        settings: GameSettings,
        *,
        generator_descent: Descent,
        discriminator_descent: Descent,
        cycle_weight: float = 10.0,
        identity_weight: float = 5.0,
        pool_size: int = 50,
    ) -> None:
        def game(generator: nn.Module, other: nn.Module, judge: nn.Module, given: str, wanted: str) -> Adversarial:
            extras = {"cycle": Extra(Cycle(other, given), cycle_weight)}
            if identity_weight:
                extras["identity"] = Extra(Identity(generator, wanted), identity_weight)
            return Adversarial(
                generator,
                judge,
                Inputs(real=wanted, generator=(given,)),
                settings,
                generator_descent=generator_descent,
                discriminator_descent=discriminator_descent,
                extras=extras,
                pool_size=pool_size,
                pool_name=wanted,
            )

        self.there = game(there, back, judge_of_targets, "inputs", "targets")
        self.back = game(back, there, judge_of_sources, "targets", "inputs")
        self.generator, self.discriminator = there, judge_of_targets
        self.descent = generator_descent
        self.networks = {
            "there": there,
            "back": back,
            "judge_of_targets": judge_of_targets,
            "judge_of_sources": judge_of_sources,
        }
        self.optimizers = {
            "generators": generator_descent.make_optimizer(there, back),
            "judge_of_targets": self.there.optimizers["discriminator"],
            "judge_of_sources": self.back.optimizers["discriminator"],
        }
        self.counters = self.there.counters | self.back.counters
        self.tensors = {}
        self._share()

    def _share(self) -> None:
        """Give both games the state of this rule, in which their pools go by different names."""
        for one in (self.there, self.back):
            one.counters, one.tensors = self.counters, self.tensors

    def step(self, batch: Batch) -> dict[str, Tensor]:
        self._share()  # a step that is recorded for a GPU has tensors of its own
        whole = self.descent.accumulate == 1 and self.descent.optimizer != "lbfgs"
        alone = current() is None  # of several processes each makes its own part anew
        there = (self.there.generator(batch["inputs"]) if alone else self.there.made(batch)) if whole else None
        back = (self.back.generator(batch["targets"]) if alone else self.back.made(batch)) if whole else None
        measured = self.generators_phase(batch, there if alone else None, back if alone else None)
        first, second = self.judge_of_targets_phase(batch, there), self.judge_of_sources_phase(batch, back)
        known = {"loss", "generator_loss"}
        return measured | {name: (first[name] + second[name]) / 2 for name in first if name not in known}

    def generators_phase(
        self, batch: Batch, there: Tensor | None = None, back: Tensor | None = None
    ) -> dict[str, Tensor]:
        """Update both generators, and measure their losses in both games together.

        Pictures that were made already, there and back, are (batch, channels, height, width).
        """

        def objective(part: Batch) -> dict[str, Tensor]:
            first = self.there.generator_objective(part, there)
            second = self.back.generator_objective(part, back)
            return {name: first[name] + second[name] for name in first}

        return descend(self.optimizers["generators"], batch, objective, self.descent)

    def judge_of_targets_phase(self, batch: Batch, made: Tensor | None = None) -> dict[str, Tensor]:
        """Update D_Y on real targets and on those that G made, (batch, channels, height, width)."""
        return self.there.discriminator_phase(batch, made)

    def judge_of_sources_phase(self, batch: Batch, made: Tensor | None = None) -> dict[str, Tensor]:
        """Update D_X on real sources and on those that F made, (batch, channels, height, width)."""
        return self.back.discriminator_phase(batch, made)

    # What is asked of players is answered for the way there.

    def real(self, batch: Batch) -> Tensor:
        """Return the real targets, (batch, channels, height, width)."""
        return self.there.real(batch)

    def sample(self, batch: Batch) -> Tensor:
        """Return what G makes of the inputs, (batch, channels, height, width)."""
        return self.there.sample(batch)

    def discriminate(self, samples: Tensor, batch: Batch) -> Tensor:
        """Return what D_Y says of samples (batch, channels, height, width): a map of outputs for each, (batch, ...)."""
        return self.there.discriminate(samples, batch)
