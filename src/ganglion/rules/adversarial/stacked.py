"""Text to picture in stages: readers learn to match texts and pictures, then two generators play a game each."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, final

import torch
from torch import Tensor, nn

from ganglion.core import Batch, LearningRule, Phase
from ganglion.nn.adversarial.stages import Painter, Refiner, Sketcher
from ganglion.nn.matching import PictureReader
from ganglion.nn.modes import evaluation_mode
from ganglion.rules.adversarial.extras import Extra, call_unchanged
from ganglion.rules.adversarial.inputs import Inputs
from ganglion.rules.adversarial.latent import Latent
from ganglion.rules.adversarial.rule import Adversarial
from ganglion.rules.adversarial.settings import GameSettings
from ganglion.rules.descend import Descent
from ganglion.rules.matching import Matching, matching_loss, without_equals
from ganglion.rules.statistics import rows_of_all

MATCHING, FIRST, SECOND = "matching", "first stage", "second stage"
TEXT = "text"
"""Name under which the vectors of the texts join a batch."""


@dataclass(frozen=True, kw_only=True)
class Weights:
    """What the losses of the generators count."""

    divergence: float = 2.0
    """Of the conditions from N(0, 1)."""
    matching: float = 0.0
    """Of matching what is drawn with its text, by the reader of pictures."""
    mismatched: float = 0.5
    """Share of the discriminators' loss on what is not real which goes to real pictures with another text."""


@final
class StackedGame(LearningRule):
    """Teach readers which text belongs to which picture; let G1 draw small pictures of texts; let G2 make them large.

    matching       the readers t and v lower the loss of `Matching`
    first stage    G1(z, t) against D1(x, t) on small pictures
    second stage   G2(G1(z, t), t) against D2(x, t) on whole ones; G1 stays as it is

    Each discriminator takes real pictures with the text of another one for fakes, so that it looks at texts. The
    generators pay for the divergence of their conditions beside. Each is a phase of the run; until a phase begins, all
    learn from every batch. Batches hold `inputs`, pictures, and `targets`, tokens (batch, steps).

    Args:
        painter: the readers and the generators.
        discriminators: D1 and D2.
        sketch: side of the small pictures.
        settings: losses and turns, of both games.
        weights: what the losses count.
        generator_descent: how the generators descend.
        discriminator_descent: how the discriminators do.
        matching_descent: how the readers do.
        shares: parts of the run that matching and the first stage take.

    Source: Zhang et al. 2017, equations 3 to 6.
    """

    def __init__(
        self,
        painter: Painter,
        discriminators: Sequence[nn.Module],
        sketch: int,
        settings: GameSettings,
        weights: Weights,
        *,
        generator_descent: Descent,
        discriminator_descent: Descent,
        matching_descent: Descent,
        shares: tuple[float, float],
    ) -> None:
        self.painter, self.sketch = painter, sketch
        self.matching = Matching(painter.texts, painter.pictures, matching_descent)
        first, second = painter.noise_features
        told, beside = (TEXT,), ("sketch", TEXT)
        inputs = (
            Inputs(noise=Latent("normal", (first,)), generator=told, discriminator=told, view=self._small),
            Inputs(noise=Latent("normal", (second,)), generator=beside, discriminator=told, view=self._sketched),
        )
        generators: list[Sketcher | Refiner] = [painter.sketcher, painter.refiner]
        self.games = [
            Adversarial(
                generator,
                discriminator,
                given,
                settings,
                generator_descent=generator_descent,
                discriminator_descent=discriminator_descent,
                extras=_extras(generator, painter.pictures, weights),
                mismatched_weight=weights.mismatched,
                share_generated=True,
            )
            for generator, discriminator, given in zip(generators, discriminators, inputs, strict=True)
        ]
        self.networks = {
            **self.matching.networks,
            **{f"{role}_{n}": one for n, game in enumerate(self.games, 1) for role, one in game.networks.items()},
        }
        self.counters = {
            f"{n} {name}": value for n, game in enumerate(self.games, 1) for name, value in game.counters.items()
        }
        self.tensors: dict[str, Tensor] = {}
        roles = [("texts", "pictures"), *((f"generator_{n}", f"discriminator_{n}") for n in (1, 2))]
        self.phases = tuple(
            Phase(name=name, share=share, roles=of)
            for name, share, of in zip((MATCHING, FIRST, SECOND), (*shares, 1 - sum(shares)), roles, strict=True)
        )
        self._play([0, 1, 2])
        for n, game in enumerate(self.games, 1):  # a player's turn alone, by the name of its optimizer
            for player, turn in (("generator", game.generator_phase), ("discriminator", game.discriminator_phase)):
                setattr(self, f"{player}_{n}_phase", partial(_taken, turn, game.inputs))

    @property
    def home(self) -> nn.Module:
        """What draws pictures of texts: the readers and both generators."""
        return self.painter

    def begin(self, phase: Phase) -> None:
        stage = self.phases.index(phase)
        if stage:
            self.games[stage - 1].begin(Phase(name=phase.name))
        else:
            self.matching.begin_anew()
        self._play([stage])

    def _play(self, stages: list[int]) -> None:
        """Let some of the three learn from now on."""
        self.playing = stages
        self.painter.learnt = max(stages)
        self.optimizers = dict(self.matching.optimizers) if 0 in stages else {}
        for n in stages:
            if n:
                self.optimizers |= {f"{player}_{n}": one for player, one in self.games[n - 1].optimizers.items()}

    def step(self, batch: Batch) -> dict[str, Tensor]:
        measured = self.matching.step(batch) if 0 in self.playing else {}
        for n in self.playing:
            if n:
                measured |= self._step(n, batch)
        return measured

    def matching_phase(self, batch: Batch) -> dict[str, Tensor]:
        """Update the readers of texts and pictures on a batch."""
        return self.matching.matching_phase(batch)

    def _step(self, number: int, batch: Batch) -> dict[str, Tensor]:
        game = self.games[number - 1]
        game.counters = {name: self.counters[f"{number} {name}"] for name in game.counters}
        measured = game.step(batch)
        self.counters |= {f"{number} {name}": value for name, value in game.counters.items()}
        return measured

    @torch.no_grad()
    def _small(self, batch: Batch) -> Batch:
        """Return a batch with its pictures made small, and the vectors of its texts."""
        small = nn.functional.interpolate(batch["inputs"], (self.sketch, self.sketch), mode="area")
        return {**batch, "inputs": small, TEXT: self._text(batch)}

    @torch.no_grad()
    def _sketched(self, batch: Batch) -> Batch:
        """Return a batch with the vectors of its texts and what the first generator draws of them."""
        text, sketcher = self._text(batch), self.painter.sketcher
        noise = torch.randn(len(text), self.painter.noise_features[0], device=text.device)
        with evaluation_mode(sketcher):
            return {**batch, TEXT: text, "sketch": sketcher(noise, text).to(text.dtype)}

    def _text(self, batch: Batch) -> Tensor:
        """Return the vectors of the texts of a batch, in numbers like those of its pictures."""
        return self.painter.texts(batch["targets"]).to(batch["inputs"].dtype)

    # What is asked of players is answered for the stage that plays, or the last that did.

    @property
    def plays(self) -> bool:
        """Whether the phase is one in which there is a game."""
        return self.playing != [0]

    @property
    def _game(self) -> Adversarial:
        return self.games[max(1, *self.playing) - 1] if self.plays else self.games[0]

    @property
    def generator(self) -> nn.Module:
        """The generator of the stage that plays."""
        return self._game.generator

    @property
    def discriminator(self) -> nn.Module:
        """The discriminator of the stage that plays."""
        return self._game.discriminator

    def real(self, batch: Batch) -> Tensor:
        """Return the real pictures at the side of the stage that plays, (batch, channels, side, side)."""
        return self._game.real(batch)

    def sample(self, batch: Batch) -> Tensor:
        """Return as many that are drawn of the texts of the batch, (batch, channels, side, side)."""
        return self._game.sample(batch)

    def discriminate(self, samples: Tensor, batch: Batch) -> Tensor:
        """Return the discriminator's outputs (batch,) for samples with the texts of a batch."""
        return self._game.discriminate(samples, batch)


@dataclass(frozen=True)
class Divergence:
    """How far the conditions of a generator are from N(0, 1)."""

    generator: Sketcher | Refiner

    def __call__(self, generated: Tensor, batch: Batch) -> Tensor:
        return self.generator.conditioning.divergence(batch[TEXT])


@dataclass(frozen=True)
class Matched:
    """The loss of matching what is drawn with its text among those of the batch.

    Source: Xu et al., AttnGAN: fine-grained text to image generation (2018), section 3.2, there of words, too.
    """

    reader: PictureReader
    couples: ClassVar[bool] = True
    """Samples of a batch matter to each other."""

    def __call__(self, generated: Tensor, batch: Batch) -> Tensor:
        vectors, texts = rows_of_all(call_unchanged(self.reader, generated)), rows_of_all(batch[TEXT])
        return matching_loss(without_equals(self.reader.likeness(vectors, texts), rows_of_all(batch["targets"])))


def _extras(generator: Sketcher | Refiner, pictures: PictureReader, weights: Weights) -> dict[str, Extra]:
    """Return the losses of a generator beside the game."""
    extras = {
        "divergence": Extra(Divergence(generator), weights.divergence if generator.conditioning.augments else 0.0),
        "matching_loss": Extra(Matched(pictures), weights.matching),
    }
    return {name: extra for name, extra in extras.items() if extra.weight}


def _taken(turn: Callable[[Batch], dict[str, Tensor]], inputs: Inputs, batch: Batch) -> dict[str, Tensor]:
    """Let a player take its turn on a batch of the loader."""
    return turn(inputs.seen(batch))
