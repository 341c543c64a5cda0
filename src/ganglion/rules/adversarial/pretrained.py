"""A game that begins with a good generator: first somebody learns to look, then the generator learns alone."""

from copy import deepcopy
from typing import final

import torch
from torch import Tensor, nn
from torch.nn import functional

from ganglion.core import Batch, LearningRule, Phase
from ganglion.errors import ConfigurationError
from ganglion.nn.images.resampling import resized
from ganglion.rules.adversarial.extras import Extra, Perceptual, ToTarget
from ganglion.rules.adversarial.inputs import Inputs
from ganglion.rules.adversarial.rule import Adversarial
from ganglion.rules.adversarial.settings import GameSettings
from ganglion.rules.descend import Descent, descend
from ganglion.rules.statistics import mean_of_batch

LOOKING, PRETRAINING, GAME = "looking", "pre-training", "game"
COARSENESS, TURNS = (1, 2, 4, 8), 4
"""How many times smaller a picture was made before it was enlarged again, and quarter turns: what is to be told."""
RIDDLES = len(COARSENESS) * TURNS
"""Answers between which the network that learns to look decides."""


@final
class PretrainedGame(LearningRule):
    """Teach f to look at pictures, then G to come near them, then let G play against D for what f sees.

    looking        f lowers -log p(which of 16 ways a target was blurred and turned): no labels are needed
    pre-training   G lowers E|G(x) - y|^2
    game           D as ever; G lowers content_weight E[|f(G(x)) - f(y)|^2 / |f(y)|^2] + pixel_weight E|G(x) - y|^2 +
                   adversarial_weight E[generator(D(G(x)))], f the maps after each of its layers

    Each is a phase of the run. What pre-training left of G, or what a game without it began with, is kept beside what
    the game makes of it.

    Args:
        generator: G, from `inputs` to what `targets` should be.
        discriminator: D, of targets alone.
        judge: f; its output are logits (batch, 16), its `features` the maps.
        settings: the losses of the game.
        generator_descent: how the generator descends in the game.
        discriminator_descent: how the discriminator does.
        pretraining_descent: how the generator descends by itself.
        judge_descent: how the judge does.
        looking: share of the run in which f learns; it does not where `content_weight` is 0, or no game follows.
        pretraining: share of the run in which G learns alone; with 1 there is no game.

    Raises:
        ConfigurationError: shares of more than the whole run.

    Source: Ledig et al. 2017, equations 3 to 6 and section 3.2.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        judge: nn.Module,
        settings: GameSettings,
        *,
        generator_descent: Descent,
        discriminator_descent: Descent,
        pretraining_descent: Descent,
        judge_descent: Descent,
        content_weight: float = 1.0,
        pixel_weight: float = 0.0,
        adversarial_weight: float = 1e-3,
        looking: float = 0.1,
        pretraining: float = 0.6,
    ) -> None:
        extras = {
            "content": Extra(Perceptual(_Maps(judge), "targets", relative_error), content_weight),
            "pixels": Extra(ToTarget("targets", functional.mse_loss), pixel_weight),
        }
        self.game = Adversarial(
            generator,
            discriminator,
            Inputs(real="targets", generator=("inputs",)),
            settings,
            generator_descent=generator_descent,
            discriminator_descent=discriminator_descent,
            extras={name: extra for name, extra in extras.items() if extra.weight},
            adversarial_weight=adversarial_weight,
            share_generated=True,
        )
        self.pretraining, self.judging = pretraining_descent, judge_descent
        pretrained = deepcopy(generator).requires_grad_(False)
        self.networks = {
            "generator": generator,
            "pretrained": pretrained,
            "discriminator": discriminator,
            "judge": judge,
        }
        self.phases = _phases(looking if content_weight else 0.0, pretraining)
        self.home_roles = ("generator", "pretrained")
        self.counters, self.tensors = self.game.counters | {"stage": 0}, self.game.tensors
        self.begin(self.phases[-1])

    def begin(self, phase: Phase) -> None:
        self.counters["stage"] = self.phases.index(phase)
        match phase.name:
            case "looking":
                self.optimizers = {"judge": self.judging.make_optimizer(self.networks["judge"])}
            case "pre-training":
                self.optimizers = {"generator": self.pretraining.make_optimizer(self.networks["generator"])}
            case _:
                self.game.begin(Phase(name=GAME))
                self.optimizers = self.game.optimizers

    def step(self, batch: Batch) -> dict[str, Tensor]:
        self.game.counters, self.game.tensors = self.counters, self.tensors  # a recorded step has tensors of its own
        match self.phases[self.counters["stage"]].name:
            case "looking":
                return self._look(batch)
            case "pre-training":
                return self._learn_alone(batch)
            case _:
                return self.game.step(batch)

    def discriminator_phase(self, batch: Batch) -> dict[str, Tensor]:
        """Update the discriminator on a batch of real targets and as many that the generator made."""
        return self.game.discriminator_phase(self.game.inputs.seen(batch))

    def generator_phase(self, batch: Batch) -> dict[str, Tensor]:
        """Update the generator in the game on the inputs of a batch, and measure its losses."""
        return self.game.generator_phase(self.game.inputs.seen(batch))

    def _look(self, batch: Batch) -> dict[str, Tensor]:
        """Let the judge tell how the targets were blurred and turned."""
        pictures, answers = riddles(batch["targets"])

        def objective(part: Batch) -> dict[str, Tensor]:
            logits = self.networks["judge"](part["pictures"])
            hits = (logits.argmax(1) == part["answers"]).float().mean()
            return {"loss": functional.cross_entropy(logits, part["answers"]), "judge_accuracy": hits}

        return descend(self.optimizers["judge"], {"pictures": pictures, "answers": answers}, objective, self.judging)

    def _learn_alone(self, batch: Batch) -> dict[str, Tensor]:
        """Let the generator come nearer to the targets, and keep a copy of what it is now."""
        generator, pretrained = self.networks["generator"], self.networks["pretrained"]

        def objective(part: Batch) -> dict[str, Tensor]:
            return {"loss": functional.mse_loss(generator(part["inputs"]), part["targets"])}

        measured = descend(self.optimizers["generator"], batch, objective, self.pretraining)
        with torch.no_grad():
            for kept, value in zip(pretrained.state_dict().values(), generator.state_dict().values(), strict=True):
                kept.copy_(value)
        return measured


class _Maps(nn.Module):
    """The maps after each layer of a judge, which is no part of this module's state."""

    def __init__(self, judge: nn.Module) -> None:
        super().__init__()
        self.judge = judge

    def forward(self, pictures: Tensor) -> list[Tensor]:
        """Return the maps of pictures (batch, channels, height, width), fine to coarse."""
        maps: list[Tensor] = self.judge.features(pictures)  # type: ignore[operator]
        return maps


def riddles(pictures: Tensor) -> tuple[Tensor, Tensor]:
    """Return pictures (batch, channels, side, side) blurred and turned, and which of 16 ways it was for each (batch,).

    Way 4 k + t is: made 2^k times smaller and enlarged again, and turned by t quarters. They come in turn.

    >>> pictures, ways = riddles(torch.rand(18, 3, 32, 32))
    >>> pictures.shape, ways[-3:]
    (torch.Size([18, 3, 32, 32]), tensor([15,  0,  1]))
    """
    height, width = pictures.shape[2:]
    ways = torch.arange(len(pictures), device=pictures.device) % RIDDLES
    asked = torch.empty_like(pictures)
    for way in range(min(RIDDLES, len(pictures))):
        factor, turns = COARSENESS[way // TURNS], way % TURNS
        some = pictures[way::RIDDLES]
        if factor > 1:
            some = resized(resized(some, max(1, height // factor), max(1, width // factor)), height, width)
        asked[way::RIDDLES] = torch.rot90(some, turns, (2, 3))
    return asked, ways


def relative_error(found: Tensor, wanted: Tensor) -> Tensor:
    """Return E|found - wanted|^2 / E|wanted|^2 of maps of any shape, a single number.

    >>> relative_error(torch.zeros(2, 3), torch.ones(2, 3))
    tensor(1.)
    """
    return functional.mse_loss(found, wanted) / mean_of_batch(wanted.square().mean()).clamp(min=1e-12)


relative_error.couples = True  # type: ignore[attr-defined]  # samples of a batch, by the mean that it divides by


def _phases(looking: float, pretraining: float) -> tuple[Phase, ...]:
    """Return the phases of a run by their shares; whoever looks learns only where a game follows."""
    playing = 1 - looking - pretraining
    if pretraining == 1:
        looking = playing = 0.0
    if playing < 0:
        raise ConfigurationError(
            "the shares of a run are more than the whole of it",
            where="looking and pretraining",
            expected="1 at most together",
            found=f"{looking} and {pretraining}",
        )
    phases = (
        Phase(name=LOOKING, share=looking, roles=("judge",)),
        Phase(name=PRETRAINING, share=pretraining, roles=("generator", "pretrained")),
        Phase(name=GAME, share=playing, roles=("generator", "discriminator")),
    )
    return tuple(phase for phase in phases if phase.share > 1e-9)
