"""Judges: networks trained once on a data set, by whose features generated pictures are compared with real ones.

Where the data has classes a judge tells them apart; where it has none it gives pictures back out of its few
features. Nothing is downloaded, and a distance on such features is never to be called FID: it compares within one data
set, and the judge's digest belongs to the number.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from ganglion.data.catalogue import cache_folder
from ganglion.data.loaders.in_memory import InMemoryLoader
from ganglion.nn.images.judge import JudgeNetwork
from ganglion.rules.descend import Descent
from ganglion.rules.supervised import Supervised
from ganglion.settings import settings, to_dict
from ganglion.tasks.shared.kept import digest, keep, kept
from ganglion.training.settings import TrainerSettings
from ganglion.training.trainer import Trainer

LARGEST_SIDE = 32
"""Pictures that are larger are looked at reduced to this side, which keeps training below a minute."""
LARGEST_ANSWER = 16
"""Side at most of the pictures that are given back."""
MOST_IMAGES = 10_000
STEPS, STEPS_WITHOUT_CLASSES = 400, 1000
BATCH = 64
VERSION = 1
"""To be raised whenever a judge of the same data would come out otherwise."""


@settings
class Description:
    """What a judge was trained on and how; judges of equal facts are equal."""

    fingerprint: str
    """That of the data."""
    in_channels: int
    side: int
    """Side of the square that pictures are brought to."""
    classes: int
    """Classes it tells apart; 0 where it gives pictures back."""
    seed: int
    steps: int
    version: int = VERSION

    @property
    def key(self) -> str:
        """Name of the judge in the cache."""
        return hashlib.sha256(json.dumps(to_dict(self), sort_keys=True).encode()).hexdigest()[:24]

    @property
    def answers(self) -> int:
        """Outputs of the network: one for each class, or for each value of a picture that it gives back."""
        return self.classes or self.in_channels * min(self.side, LARGEST_ANSWER) ** 2


@dataclass(frozen=True)
class TrainedJudge:
    """A network that has been trained, in evaluation mode and frozen."""

    network: JudgeNetwork
    description: Description
    digest: str
    """SHA-256 of its weights, to be told beside every number that it gives."""

    def prepared(self, images: Tensor) -> Tensor:
        """Return images `(batch, channels, height, width)` at the side that the judge looks at."""
        if tuple(images.shape[2:]) == (self.description.side, self.description.side):
            return images
        return _resized(images, self.description.side)

    @torch.no_grad()
    def embed(self, images: Tensor) -> Tensor:
        """Return features `(batch, 64)` of images in the range that it was trained on."""
        return torch.cat([self.network.embed(self.prepared(part)) for part in images.split(512)])

    def features(self, images: Tensor) -> list[Tensor]:
        """Return the maps of all layers, (batch, channels, height, width) each, with gradients back to the images."""
        return self.network.features(self.prepared(images))


def judge_of(
    images: Tensor,
    classes: Tensor | None = None,
    *,
    fingerprint: str,
    seed: int = 0,
    steps: int | None = None,
    folder: Path | None = None,
    cache: Path | None = None,
) -> TrainedJudge:
    """Return the judge of a data set: the one in `folder` or in the cache, or one that is trained now and kept there.

    The random state is left untouched, and the same data and seed give the same bits.

    Args:
        images: training images `(samples, channels, height, width)`.
        classes: their class numbers `(samples,)`, where there are any.
        fingerprint: that of the data.
        folder: of the run that the judge is to be kept with.
        steps: iterations; enough of them when not given.
        cache: where judges of all runs are kept; in the user's cache when not given.
    """
    count = 0 if classes is None else int(classes.max()) + 1
    side = min(LARGEST_SIDE, *images.shape[2:])
    steps = steps or (STEPS if count else STEPS_WITHOUT_CLASSES)
    description = Description(
        fingerprint=fingerprint, in_channels=images.shape[1], side=side, classes=count, seed=seed, steps=steps
    )
    shared = (cache_folder().parent / "judges" if cache is None else cache) / description.key
    places = [place for place in (folder, shared) if place is not None]
    found = next(filter(None, (_read(place, description) for place in places)), None)
    judge = found or _trained(images, classes, description)
    for place in places:
        if _read(place, description) is None:
            keep(judge.network, to_dict(description), place, "judge")
    return judge


def _trained(images: Tensor, classes: Tensor | None, description: Description) -> TrainedJudge:
    chosen = torch.randperm(len(images), generator=torch.Generator().manual_seed(description.seed))[:MOST_IMAGES]
    seen = _resized(images[chosen].detach().cpu().float(), description.side)
    if classes is None:
        small = _resized(seen, min(description.side, LARGEST_ANSWER)).flatten(1)
        targets = (small - small.mean()) / small.std().clamp(min=1e-6)
    else:
        targets = classes[chosen].cpu().long()
    with torch.random.fork_rng(devices=()), torch.enable_grad():
        torch.manual_seed(description.seed)
        network = JudgeNetwork(description.in_channels, description.answers)
        descent = Descent(optimizer="adam", learning_rate=2e-3)
        rule = Supervised(network, descent, loss="cross-entropy" if description.classes else "squared-error")
        settings = TrainerSettings(steps=description.steps, seed=description.seed, device="cpu", schedule="cosine")
        Trainer(rule, InMemoryLoader({"inputs": seen, "targets": targets}, BATCH, description.seed), settings).fit()
    return _judge(network, description)


def _resized(images: Tensor, side: int) -> Tensor:
    if tuple(images.shape[2:]) == (side, side):
        return images
    return functional.interpolate(images, (side, side), mode="bilinear", antialias=True)


def _judge(network: JudgeNetwork, description: Description) -> TrainedJudge:
    return TrainedJudge(network.eval().requires_grad_(False), description, digest(network))


def _read(place: Path, description: Description) -> TrainedJudge | None:
    """Return the judge in a folder; None where there is none of these facts, or where it is damaged."""
    with torch.random.fork_rng(devices=()):
        network = JudgeNetwork(description.in_channels, description.answers)
    return _judge(network, description) if kept(network, to_dict(description), place, "judge") else None
