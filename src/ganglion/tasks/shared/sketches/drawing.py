"""Putting drawings to a network that draws, and letting it draw: in blocks, each drawing as if it were alone."""

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn

from ganglion.data.loaders.noise import mixed_seed
from ganglion.nn.drawing.mixture_density import PlaneMixture, drawn_class
from ganglion.rules.autoencoder.variational import divergence_from_normal
from ganglion.rules.recurrent.sketches import PEN_STATES, Draughtsman, surprises
from ganglion.tasks.shared.evaluation import evaluating, filled_length

READ, MADE = 32, 8
"""Drawings that are read, and that are made, side by side."""
FINISHED = 2
"""Number of the state of the pen that ends a drawing."""


@runtime_checkable
class Artist(Draughtsman, Protocol):
    """A network that draws on its own as well."""

    def begin(self, latent: Tensor | None, count: int = 1) -> Any:
        """Return the state before the first step, by latents (batch, latents)."""

    def read(self, steps: Tensor, state: Any) -> tuple[Tensor, Any]:
        """Return outputs (batch, steps, numbers) after steps (batch, steps, 5)."""


def explained(network: nn.Module, drawings: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Return mean and log variance of the latents, (drawings, latents), of drawings (points, 3) each."""
    assert isinstance(network, Artist)

    def call(moves: Tensor, lengths: Tensor) -> Tensor:
        return torch.cat(network.posterior(moves, lengths), 1)

    mean, log_variance = _in_blocks(network, call, drawings).chunk(2, dim=1)
    return mean, log_variance


def surprise_of(
    network: nn.Module, drawings: Sequence[Tensor], latents: Tensor | None, *, finished: bool = True
) -> Tensor:
    """Return -log p, (drawings,) in nats, of drawings (points, 3) each, by latents (drawings, latents).

    Args:
        finished: whether it counts that they end where they end.
    """
    assert isinstance(network, Artist)

    def call(moves: Tensor, lengths: Tensor, latent: Tensor | None = None) -> Tensor:
        outputs, came = network.led(moves, lengths, latent)
        nats = surprises(outputs, came).double()
        nats = nats if finished else nats * (came[:, 2 + FINISHED] == 0)
        whose = torch.arange(len(lengths), device=lengths.device).repeat_interleave(lengths + 1)
        return nats.new_zeros(len(lengths)).index_add(0, whose, nats)

    return _in_blocks(network, call, drawings, *([] if latents is None else [latents]))


def divergence_of(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Return the divergence from N(0, 1) a latent, (drawings,), by means and log variances (drawings, latents)."""
    return divergence_from_normal(mean, log_variance) / mean.shape[1]


def _in_blocks(network: nn.Module, call: Any, drawings: Sequence[Tensor], *beside: Tensor) -> Tensor:
    """Return what a call gives for each drawing, about equal lengths together, as many as make a block."""
    lengths = np.array([len(drawing) for drawing in drawings])
    filled = np.array([filled_length(length) for length in lengths.tolist()])
    found: dict[int, Tensor] = {}
    with evaluating(network) as device:
        for length in np.unique(filled).tolist():
            places = np.flatnonzero(filled == length)
            for first in range(0, len(places), READ):
                block = _whole_block(places[first : first + READ], READ)
                moves = torch.zeros(READ, length, 3)
                for row, place in enumerate(block.tolist()):
                    moves[row, : lengths[place]] = drawings[place]
                given = (moves, torch.from_numpy(lengths[block]), *(one[torch.from_numpy(block)] for one in beside))
                answers = call(*(one.to(device) for one in given)).cpu()
                found |= dict(zip(block.tolist(), answers, strict=True))
    return torch.stack([found[place] for place in range(len(drawings))])


def _whole_block(places: np.ndarray, size: int) -> np.ndarray:
    """Return places filled up with the last one to as many as make a block."""
    return np.concatenate([places, np.repeat(places[-1:], size - len(places))])


def draw(
    network: nn.Module,
    latents: Tensor | None,
    *,
    count: int,
    seed: int,
    temperature: float,
    longest: int,
    begun: Tensor | None = None,
) -> list[Tensor]:
    """Return new drawings as moves (points, 3) each.

    Args:
        latents: of each drawing (count, latents); None for a network without.
        count: drawings. Drawing i is a function of its latents, of what was begun, of the seed and of i.
        seed: decides what is drawn.
        temperature: below 1 more usual, above wilder.
        longest: points of a drawing at most, those begun among them; at least one is drawn.
        begun: moves (points, 3) that every drawing starts with. Whether its last line goes on is drawn.
    """
    assert isinstance(network, Artist)
    drawings: list[Tensor] = []
    longest = max(longest, 1 + (0 if begun is None else len(begun)))
    for first in range(0, count, MADE):
        numbers = _whole_block(np.arange(first, min(first + MADE, count)), MADE)
        chosen = None if latents is None else latents[torch.from_numpy(numbers)]
        with evaluating(network) as device:
            hand = _Hand(numbers.tolist(), seed, longest, temperature, device)
            placed = None if chosen is None else chosen.to(device)
            drawings += hand.draw(network, placed, None if begun is None else begun.to(device))
    return drawings[:count]


class _Hand:
    """The chances of a block of drawings, and how they are used."""

    def __init__(
        self, numbers: Sequence[int], seed: int, longest: int, temperature: float, device: torch.device
    ) -> None:
        self.longest, self.temperature, self.device = longest, temperature, device
        sources = [torch.Generator().manual_seed(mixed_seed(seed, number)) for number in numbers]
        self.chances = torch.stack([torch.rand(longest + 1, 2, generator=one) for one in sources]).to(device)
        self.noise = torch.stack([torch.randn(longest + 1, 2, generator=one) for one in sources]).to(device)

    def draw(self, network: Artist, latents: Tensor | None, begun: Tensor | None) -> list[Tensor]:
        """Return the drawings of the block, each as moves (points, 3)."""
        state = network.begin(latents, MADE)
        step = torch.zeros(MADE, 1, 5, device=self.device)
        step[..., 2] = 1
        made: list[Tensor] = []
        if begun is not None:
            step, state = self._follow(network, begun, step, state)
            made = [*begun[:-1].expand(MADE, -1, -1).unbind(1), _as_move(step[:, 0])]
        lengths = torch.full((MADE,), self.longest, device=self.device)
        finished = torch.zeros(MADE, dtype=torch.bool, device=self.device)
        first = len(made)
        while len(made) < self.longest and not bool(finished.all()):
            outputs, state = network.read(step, state)
            step = self._next(outputs[:, 0], len(made), may_finish=len(made) > first)[:, None]
            ends = ~finished & (step[:, 0, 4] > 0.5)
            lengths = torch.where(ends, len(made), lengths)
            finished = finished | ends
            made.append(_as_move(step[:, 0]))
        moves = torch.stack(made, 1).cpu()  # (block, points, 3)
        return [one[:length] for one, length in zip(moves, lengths.clamp(max=len(made)).tolist(), strict=True)]

    def _follow(self, network: Artist, begun: Tensor, step: Tensor, state: Any) -> tuple[Tensor, Any]:
        """Read a beginning (points, 3), and return its last step, the pen after it as the network would have it."""
        steps = torch.zeros(len(begun), 5, device=self.device)
        steps[:, :2], steps[:, 3] = begun[:, :2], begun[:, 2]
        steps[:, 2] = 1 - steps[:, 3]
        before = torch.cat([step[0], steps[:-1]]).expand(MADE, -1, -1)
        outputs, state = network.read(before, state)
        logits = outputs[:, -1, : PEN_STATES - 1] / max(self.temperature, 1e-6)
        lifted = drawn_class(logits, self.chances[:, self.longest, 0]).float()
        last = steps[-1].repeat(MADE, 1, 1)
        last[:, 0, 2], last[:, 0, 3] = 1 - lifted, lifted
        return last, state

    def _next(self, outputs: Tensor, place: int, *, may_finish: bool) -> Tensor:
        """Return the next step (block, 5) by outputs (block, numbers)."""
        logits = outputs[:, :PEN_STATES] / max(self.temperature, 1e-6)
        pen = drawn_class(logits[:, : PEN_STATES if may_finish else FINISHED], self.chances[:, place, 0])
        mixture = PlaneMixture.of(outputs[:, PEN_STATES:]).cooled(self.temperature)
        moves = mixture.drawn(self.chances[:, place, 1], self.noise[:, place])
        states = torch.nn.functional.one_hot(pen, PEN_STATES)
        return torch.cat([moves, states.to(moves.dtype)], 1)


def _as_move(step: Tensor) -> Tensor:
    """Return steps (block, 5) as moves (block, 3)."""
    return step[:, [0, 1, 3]]


def likely_latents(network: nn.Module, begun: Tensor, *, count: int, seed: int, candidates: int) -> Tensor:
    """Return latents (count, latents) drawn from p(z | beginning), nearly: from `candidates` of N(0, 1), each in
    proportion to p(beginning | z).

    Args:
        begun: moves (points, 3).
        count: how many; the i-th is a function of the seed and i.
    """
    assert isinstance(network, Artist)
    tried = torch.randn(candidates, network.latent_features, generator=torch.Generator().manual_seed(seed))
    nats = surprise_of(network, [begun] * candidates, tried, finished=False)
    chances = torch.stack(
        [
            torch.rand((), generator=torch.Generator().manual_seed(mixed_seed(seed, number, 1)))
            for number in range(count)
        ]
    )
    return tried[drawn_class(-nats.expand(count, -1), chances.double())]
