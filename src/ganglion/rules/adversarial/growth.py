"""Pictures that grow while two players learn: small ones first, and each doubling is faded in."""

from collections.abc import Sequence
from typing import Protocol, final

import torch
from torch import Tensor
from torch.nn import functional

from ganglion.core import Batch, Phase
from ganglion.nn.images.pyramid import halved

FASTER = {128: 1.5, 256: 2.0, 512: 3.0, 1024: 3.0}
"""What learning rates are multiplied by from these sides on, those of the authors' code."""


class Growing(Protocol):
    """A network of pictures of several sides, the finest of which is faded in."""

    def grow(self, stage: int, faded: float) -> None:
        """Work on pictures of stage 0, 1, ... from now on, whose layers are faded in so far; see `fade_to`."""

    def fade_to(self, faded: float) -> None:
        """Let the finest layers' pictures count `faded`, and no more than 1, beside those of the stage before."""


@final
class Growth:
    """Phases of a run in which pictures double their side, and how far the finest layers of both players count.

    alpha = min(1, t / fading) for a share t of the phase; the finest layers' pictures count alpha, those of the stage
    before, enlarged, 1 - alpha, and real pictures are blended in the same way. The first phase has nothing to fade.

    Args:
        players: generator and discriminator.
        sides: of the pictures of all stages, each twice the one before.
        smallest: side from which pictures grow, at least.
        share: of the run in which they are smaller than the last: the first takes half as long as each one between.
        fading: share of each phase in which its pictures are faded in.

    Source: Karras et al. 2018, Progressive growing of GANs, section 2 and figure 2.

    >>> [(phase.name, round(phase.share, 2)) for phase in Growth([], [4, 8, 16, 32], 8, 0.3, 0.5).phases]
    [('8 x 8', 0.1), ('16 x 16', 0.2), ('32 x 32', 0.7)]
    """

    def __init__(
        self, players: Sequence[Growing], sides: Sequence[int], smallest: int, share: float, fading: float
    ) -> None:
        self.players, self.sides, self.fading = list(players), list(sides), fading
        stages = [stage for stage, side in enumerate(sides) if side >= smallest] or [len(sides) - 1]
        self.first, self.stage = stages[0], len(sides) - 1
        self.alpha = 1.0
        self.phases: tuple[Phase, ...] = ()
        if share and len(stages) > 1:
            unit = share / (2 * len(stages) - 3)
            shares = [unit, *[2 * unit] * (len(stages) - 2), 1 - share]
            self.phases = tuple(
                Phase(name=f"{sides[stage]} x {sides[stage]}", share=part)
                for stage, part in zip(stages, shares, strict=True)
            )

    @property
    def rates(self) -> dict[str, float]:
        """What learning rates are multiplied by, by the name of the phase."""
        stages = range(self.first, len(self.sides))
        return {phase.name: FASTER.get(self.sides[at], 1.0) for phase, at in zip(self.phases, stages, strict=False)}

    def begin(self, phase: Phase) -> None:
        """Let both players work on pictures of a phase."""
        self.stage = self.first + self.phases.index(phase)
        self.alpha = 0.0 if self.stage > self.first else 1.0
        for player in self.players:
            player.grow(self.stage, self.alpha)

    def reach(self, share: float) -> None:
        """Fade in what a phase has brought, as is due after a share of it."""
        if self.phases and self.stage > self.first:
            self.alpha = min(1.0, share / self.fading)
            for player in self.players:
                player.fade_to(share / self.fading)

    def seen(self, batch: Batch) -> Batch:
        """Return a batch with its pictures at the side of the phase, blended as generated ones are."""
        pictures = batch["inputs"]
        while pictures.shape[-1] > self.sides[self.stage]:
            pictures = halved(pictures)
        if self.alpha < 1:
            pictures = torch.lerp(enlarged(halved(pictures)), pictures, self.alpha)
        return {**batch, "inputs": pictures}


def enlarged(pictures: Tensor, factor: int = 2) -> Tensor:
    """Return pictures (batch, channels, height, width) whose pixels are squares of so many pixels along a side.

    >>> enlarged(torch.tensor([[[[1.0, 2.0]]]]))
    tensor([[[[1., 1., 2., 2.],
              [1., 1., 2., 2.]]]])
    """
    return functional.interpolate(pictures, scale_factor=factor, mode="nearest")
