"""Learning what something looks like against all the rest, of which only what is mistaken for it is worth learning."""

from dataclasses import dataclass
from typing import NamedTuple, Protocol, final

import torch
from torch import Tensor, nn

from ganglion.core import Batch, LearningRule, Phase
from ganglion.core.team import counted_by
from ganglion.nn.images.boxes import overlaps
from ganglion.nn.images.windows import cut_out
from ganglion.rules.descend import Descent, descend

NOISE = "noise"
"""Name of the first phase, in which the windows that show nothing are of random pixels."""


class Alarms(NamedTuple):
    """Windows of pictures that a network takes for what it looks for."""

    windows: Tensor
    """Their pixels (count, side, side)."""
    boxes: Tensor
    """Where they lie in the picture (count, 4)."""
    places: Tensor
    """Which picture each is of (count,)."""
    real: Tensor
    """1 for those that are such windows, 0 for those that only fill up (count,)."""


class Watchman(Protocol):
    """A network that looks for something in windows."""

    side: int
    """Pixels of a side of a window."""

    def alarms(self, images: Tensor, most: int) -> Alarms:
        """Return windows of images (batch, 1, height, width) with outputs above 0, some by chance: most of a level."""


@dataclass(frozen=True, kw_only=True)
class Search:
    """How windows that show nothing are found, and how those that show something are varied."""

    windows: int = 64
    """Windows of each kind that a step learns from."""
    noise: int = 1000
    """Windows of random pixels that training begins with."""
    rounds: int = 10
    """Rounds after the first, each of which looks for false alarms."""
    pictures: int = 120
    """Pictures that each round looks through."""
    added: int = 250
    """False alarms that each round adds at most."""
    kept: int = 8000
    """Windows that are remembered; the oldest make way."""
    apart: float = 0.3
    """Overlap with a box below which a window shows nothing of it."""
    turned: float = 10.0
    """Degrees by which windows that show something are turned at most, either way."""
    scaled: float = 0.1
    """Share by which their sides vary, either way."""
    shifted: float = 0.5
    """Pixels of a window by which they are moved at most, either way."""


@final
class Bootstrapping(LearningRule):
    """Lower the mean of (f(x) - t)^2 over windows x, of which half show something, t = 1, and half nothing, t = -1.

    What nothing looks like is found in rounds, which are phases of the run: while a round begins, the network looks
    through pictures, and what it falsely takes for something is remembered. The first round learns from noise.

    Args:
        network: f, from windows (batch, 1, side, side) to outputs from -1 to 1 `(batch, ...)`. It learns from
            `batch["inputs"]`, pictures, and `batch["targets"]`, (batch, objects, 5): left, top, right, bottom, class,
            which is below 0 where there is no box.
        descent: how the gradient becomes an update.
        search: which windows are learnt from.

    Source: Rowley, Baluja and Kanade, Neural network-based face detection (1998), section 2.2; Sung and Poggio (1994).
    """

    def __init__(self, network: nn.Module, descent: Descent, search: Search | None = None) -> None:
        self.search, self.descent = search or Search(), descent
        self.side: int = network.side  # type: ignore[assignment]
        self.networks = {"network": network}
        self.optimizers = {"network": descent.make_optimizer(network)}
        self.counters = {"looked through": 0, "round": 0}
        noise = torch.randint(0, 256, (self.search.noise, self.side, self.side), dtype=torch.uint8)
        room = torch.zeros(self.search.kept + 1, self.side, self.side, dtype=torch.uint8)  # the last is thrown away
        room[: len(noise)] = noise[: self.search.kept]
        self.tensors = {"nothing": room, "remembered": torch.tensor(min(len(noise), self.search.kept))}
        names = [NOISE, *(f"round {number + 1}" for number in range(self.search.rounds))]
        self.phases = tuple(Phase(name=name) for name in names)

    def begin(self, phase: Phase) -> None:
        self.counters = {"looked through": 0, "round": self.phases.index(phase)}
        self.optimizers = {"network": self.descent.make_optimizer(self.home)}

    def step(self, batch: Batch) -> dict[str, Tensor]:
        images, objects = batch["inputs"], batch["targets"]
        if self.counters["round"] and self.counters["looked through"] < self.search.pictures:
            self._look_through(images, objects)
            self.counters["looked through"] += len(images)
        something, counts = self._shown(images, objects)
        nothing = self._remembered(len(something)).to(something)
        learnt = {
            "inputs": torch.cat([something, nothing]).unsqueeze(1),
            "targets": torch.cat([torch.ones_like(counts), -torch.ones_like(counts)]),
            "counts": torch.cat([counts, torch.ones_like(counts)]),
        }
        measured = descend(self.optimizers["network"], learnt, self.objective, self.descent)
        return {**measured, "remembered": self.tensors["remembered"].clamp(max=self.search.kept).float()}

    @counted_by(lambda rule, batch: batch["counts"])
    def objective(self, batch: Batch) -> dict[str, Tensor]:
        """Return the loss of windows `batch["inputs"]` with targets of 1 and -1, and the share that is told right."""
        outputs, targets, counts = self.home(batch["inputs"]).flatten(), batch["targets"], batch["counts"]
        number = counts.sum().clamp(min=1)
        right = ((outputs > 0) == (targets > 0)) * counts
        return {"loss": ((outputs - targets).square() * counts).sum() / number, "right": right.sum().detach() / number}

    def _shown(self, images: Tensor, objects: Tensor) -> tuple[Tensor, Tensor]:
        """Return windows that show something, askew by chance, and whether each counts, (count,).

        Where no picture has a box, none does.
        """
        search, count, device = self.search, self.search.windows, images.device
        known = (objects[..., 4] >= 0).flatten()
        if not objects.shape[1]:
            return images.new_zeros(count, self.side, self.side), images.new_zeros(count)
        chosen = torch.multinomial(known.to(images.dtype) + 1e-12, count, replacement=True)
        squares = squares_of(objects[..., :4].flatten(0, 1)[chosen])
        chance = 2 * torch.rand(5, count, device=device) - 1
        shift = chance[:2].T * (search.shifted / self.side) * squares[:, 2:]
        length = squares[:, 2:] * (1 + search.scaled * chance[2, :, None])
        boxes = torch.cat([squares[:, :2] + shift, length], dim=1)
        angles = torch.deg2rad(search.turned * chance[3])
        places = chosen // objects.shape[1]
        return cut_out(images[:, 0], places, boxes, angles, chance[4] > 0, self.side), known[chosen].to(images.dtype)

    def _remembered(self, count: int) -> Tensor:
        """Return windows that show nothing, by chance, half of them mirrored; pixels from 0 to 1."""
        room, number = self.tensors["nothing"], self.tensors["remembered"].clamp(max=self.search.kept)
        chance = torch.rand(2, count, device=room.device)
        windows = room[(chance[0] * number).long().clamp(max=self.search.kept - 1)].float() / 255
        return torch.where(chance[1, :, None, None] < 0.5, windows.flip(2), windows)

    @torch.no_grad()
    def _look_through(self, images: Tensor, objects: Tensor) -> None:
        """Remember some of what the network falsely takes for something in pictures."""
        share = len(images) / self.search.pictures
        most = max(1, round(self.search.added * share))
        found = self.home.alarms(images, most)  # type: ignore[operator]
        if not len(found.real):
            return
        there = objects[found.places]  # (count, objects, 5)
        shared = overlaps(found.boxes.unsqueeze(1), there[..., :4]).squeeze(1) * (there[..., 4] >= 0)
        false = (found.real > 0) & (shared < self.search.apart).all(1)
        keys, chosen = torch.where(false, torch.rand_like(found.real), -1.0).topk(min(most, len(false)))
        room, number = self.tensors["nothing"], self.tensors["remembered"]
        wanted = keys >= 0
        to = torch.where(wanted, (number + wanted.cumsum(0) - 1) % self.search.kept, self.search.kept)
        room[to] = (found.windows[chosen] * 255).round().clamp(0, 255).to(torch.uint8)
        number += wanted.sum()


def squares_of(boxes: Tensor) -> Tensor:
    """Return across, down and side, (count, 3), of the squares of the same middle and area as boxes (count, 4).

    >>> squares_of(torch.tensor([[0.0, 0, 4, 9]]))
    tensor([[2.0000, 4.5000, 6.0000]])
    """
    sides = (boxes[:, 2:] - boxes[:, :2]).clamp(min=1e-3)
    return torch.cat([(boxes[:, :2] + boxes[:, 2:]) / 2, sides.prod(1, keepdim=True).sqrt()], dim=1)
