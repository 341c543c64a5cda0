"""A game on every level of a Laplacian pyramid: one about small pictures, and one about what each doubling lacks."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import final

import torch
from torch import Tensor, nn

from ganglion.core import Batch, LearningRule, Phase
from ganglion.nn.images.pyramid import PyramidSampler, band, halved
from ganglion.rules.adversarial.inputs import Inputs
from ganglion.rules.adversarial.latent import Latent, LatentName
from ganglion.rules.adversarial.rule import Adversarial
from ganglion.rules.adversarial.settings import GameSettings
from ganglion.rules.descend import Descent


@final
class PyramidRule(LearningRule):
    """Play one adversarial game for each level, on real pictures of its size: no level waits for another.

    The coarsest is a plain game. On every other one, l = u(d(I)) is what is left of a real picture I after it was
    small; the discriminator tells the real band I - l from G(z, l), and both are given l.

    Args:
        sides: of the pictures of each level, coarse to fine.
        generators, discriminators: of each level, in that order.
        latent_features: length of the noise of the coarsest; each other level has a plane of its side.
        latent: how noise is drawn.
        settings: losses and turns of the coarsest game.
        finer_settings: those of all other games.
        generator_descent: how each generator descends.
        discriminator_descent: how each discriminator does.
        coarsest_share: share of the run in which the coarsest level learns; the others come after it, one by one, and
            share the rest alike. Where None, all learn from every batch.

    Source: Denton et al. 2015, section 3.2.
    """

    def __init__(
        self,
        sides: Sequence[int],
        generators: Sequence[nn.Module],
        discriminators: Sequence[nn.Module],
        *,
        latent_features: int,
        latent: LatentName,
        settings: GameSettings,
        finer_settings: GameSettings,
        generator_descent: Descent,
        discriminator_descent: Descent,
        coarsest_share: float | None = None,
    ) -> None:
        vector, told = Latent(latent, (latent_features,)), ("coarse",)
        inputs = [Inputs(noise=vector, view=partial(_small, halvings=len(sides) - 1))]
        for halvings, side in zip(reversed(range(len(sides) - 1)), sides[1:], strict=True):
            plane, view = Latent(latent, (1, side, side)), partial(_band, halvings=halvings)
            inputs.append(Inputs(noise=plane, real="band", generator=told, discriminator=told, view=view))
        play = partial(Adversarial, generator_descent=generator_descent, discriminator_descent=discriminator_descent)
        games = [settings, *[finer_settings] * (len(sides) - 1)]
        players = zip(generators, discriminators, inputs, games, strict=True)
        self.games: dict[int, Adversarial] = {side: play(*each) for side, each in zip(sides, players, strict=True)}
        self.networks = {
            f"{player}_{side}": network
            for side, game in self.games.items()
            for player, network in game.networks.items()
        }
        self.sampler = PyramidSampler(generators, [latent_features, *(side**2 for side in sides[1:])])
        self.counters = {
            f"{side} {name}": value for side, game in self.games.items() for name, value in game.counters.items()
        }
        self.tensors = {}
        if coarsest_share:
            shares = [coarsest_share, *[(1 - coarsest_share) / (len(sides) - 1)] * (len(sides) - 1)]
            self.phases = tuple(
                Phase(name=f"{side} x {side}", share=share, roles=(f"generator_{side}", f"discriminator_{side}"))
                for side, share in zip(sides, shares, strict=True)
            )
        self._play(list(sides))
        for side, game in self.games.items():  # a player's turn alone, by the name of its optimizer
            for player, turn in (("generator", game.generator_phase), ("discriminator", game.discriminator_phase)):
                setattr(self, f"{player}_{side}_phase", partial(_taken, turn, game.inputs))

    @property
    def home(self) -> nn.Module:
        """What draws whole pictures: all generators, coarse to fine."""
        return self.sampler

    def begin(self, phase: Phase) -> None:
        side = list(self.games)[self.phases.index(phase)]
        self.games[side].begin(Phase(name=phase.name))
        self._play([side])

    def _play(self, sides: list[int]) -> None:
        """Let the games of some levels be played from now on."""
        self.playing = sides
        self.optimizers = {
            f"{player}_{side}": optimizer for side in sides for player, optimizer in self.games[side].optimizers.items()
        }

    def step(self, batch: Batch) -> dict[str, Tensor]:
        measured = [self._step(side, batch) for side in self.playing]
        known = [name for name in measured[0] if all(name in one for one in measured)]
        return {name: torch.stack([one[name] for one in measured]).mean() for name in known}

    def _step(self, side: int, batch: Batch) -> dict[str, Tensor]:
        game = self.games[side]
        game.counters = {name: self.counters[f"{side} {name}"] for name in game.counters}
        measured = game.step(batch)
        self.counters |= {f"{side} {name}": value for name, value in game.counters.items()}
        return measured

    # What is asked of players is answered for the coarsest level, which draws without being given a picture.

    @property
    def _coarsest(self) -> Adversarial:
        return next(iter(self.games.values()))

    @property
    def generator(self) -> nn.Module:
        """The generator of the coarsest level."""
        return self._coarsest.generator

    @property
    def discriminator(self) -> nn.Module:
        """The discriminator of the coarsest level."""
        return self._coarsest.discriminator

    def real(self, batch: Batch) -> Tensor:
        """Return the real pictures at the coarsest side, (batch, channels, side, side)."""
        return self._coarsest.real(batch)

    def sample(self, batch: Batch) -> Tensor:
        """Return as many drawn ones, (batch, channels, side, side)."""
        return self._coarsest.sample(batch)

    def discriminate(self, samples: Tensor, batch: Batch) -> Tensor:
        """Return the outputs of the coarsest discriminator (batch,) for samples (batch, channels, side, side)."""
        return self._coarsest.discriminate(samples, batch)


def _small(batch: Batch, halvings: int) -> Batch:
    """Return a batch with its pictures made so many times smaller by half."""
    pictures = batch["inputs"]
    for _ in range(halvings):
        pictures = halved(pictures)
    return {**batch, "inputs": pictures}


def _band(batch: Batch, halvings: int) -> Batch:
    """Return a batch with what is left of its pictures after they were small, `coarse`, and with what is missing."""
    coarse, missing = band(_small(batch, halvings)["inputs"])
    return {**batch, "coarse": coarse, "band": missing}


def _taken(turn: Callable[[Batch], dict[str, Tensor]], inputs: Inputs, batch: Batch) -> dict[str, Tensor]:
    """Let a player take its turn on a batch of the loader."""
    return turn(inputs.seen(batch))
