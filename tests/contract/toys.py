"""Toy problems on which tiny systems learn within seconds, and measures of what they have learnt."""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import torch

from ganglion.core import LearningRule, Loader
from ganglion.data.catalogue import read
from ganglion.data.fields import UNJUDGED
from ganglion.data.loaders.in_memory import InMemoryLoader
from ganglion.data.preprocessing import ImagePreprocessing, Ragged, TabularPreprocessing
from ganglion.data.settings import DataSettings
from ganglion.data.sources.generators import generate
from ganglion.rules.losses import accuracy
from ganglion.rules.recurrent.sequences import steps_accuracy
from ganglion.tasks.measures.samples import SampleQuality
from ganglion.tasks.shared.evaluation import ask

Measure = Callable[[LearningRule], float]
Side = int | tuple[int, int] | None
"""Side of square images, or height and width; None for rows."""


def bars_and_stripes() -> torch.Tensor:
    """Patterns of zeros and ones `(patterns, 16)`."""
    return torch.from_numpy(generate("bars-and-stripes").inputs).flatten(1).float() / 255


def drawn_bars(size: int) -> torch.Tensor:
    """Bars and stripes as images of this side `(patterns, 1, size, size)` in [-1, 1]."""
    patterns = 2 * bars_and_stripes().unflatten(1, (1, 4, 4)) - 1
    return patterns.repeat_interleave(size // 4, 2).repeat_interleave(size // 4, 3)


def likeness(size: int, latent_features: int) -> Measure:
    """Return a measure of a generator: minus its distance from the distribution of the drawn bars."""

    def measure(rule: LearningRule) -> float:
        patterns = drawn_bars(size).numpy()
        latent = torch.randn(500, latent_features, generator=torch.Generator().manual_seed(0))
        generated = ask(rule.home, latent).numpy()
        return -SampleQuality.fit(patterns).compare(patterns, generated)["frechet_distance"]

    return measure


@torch.no_grad()
def share_of_pixels_rebuilt(rule: LearningRule) -> float:
    """Share of the variance of the patterns that passes the code; the mean pattern has 0."""
    patterns, network = bars_and_stripes(), rule.home
    rebuilt: Any = network.reconstruct(patterns)  # type: ignore[operator]
    return float(1 - (rebuilt - patterns).square().mean() / (patterns.mean(dim=0) - patterns).square().mean())


def labelled(name: str, batch_size: int, side: Side = None) -> Callable[[], Loader]:
    """Return what makes a loader of a bundled or generated set with classes; images of the first three only."""

    def loader() -> Loader:
        tensors = _labelled_tensors(name, side)
        # The order follows the seed of the test, also for a network that starts from the same weights whatever it is.
        return InMemoryLoader(tensors, batch_size, seed=torch.initial_seed() % 2**31)

    return loader


@cache
def _labelled_tensors(name: str, side: Side) -> dict[str, torch.Tensor]:
    dataset = read(name, DataSettings())
    kept = slice(None) if side is None else dataset.targets < 3
    prepare = (
        TabularPreprocessing.fit(dataset.inputs) if side is None else ImagePreprocessing(image_size=side, channels=1)
    )
    return {"inputs": prepare(dataset.inputs[kept]), "targets": torch.from_numpy(dataset.targets[kept])}


def share_of_right_answers(name: str, side: Side = None) -> Measure:
    def measure(rule: LearningRule) -> float:
        tensors = _labelled_tensors(name, side)
        rule.home.eval()
        return float(accuracy(rule.home(tensors["inputs"]), tensors["targets"]))

    return measure


@cache
def tagged(name: str, count: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Tokens as numbers from 1 on, and tags as numbers, of each sequence of a generated set."""
    known = generate(name, count=count).inputs
    tokens, tags = (sorted({pair[side] for one in known for pair in one}) for side in (0, 1))
    inputs = [np.array([tokens.index(token) + 1 for token, _ in one]) for one in known]
    return inputs, [np.array([tags.index(tag) for _, tag in one]) for one in known]


def sequences(
    inputs: list[np.ndarray], targets: np.ndarray | list[np.ndarray], *, batch_size: Any = 20, shuffle: bool = True
) -> InMemoryLoader:
    """Batches of padded sequences, about equal lengths together."""
    answers = torch.from_numpy(targets) if isinstance(targets, np.ndarray) else ragged(targets, UNJUDGED)
    columns = {"inputs": ragged(inputs), "targets": answers}
    return InMemoryLoader(columns, batch_size, seed=0, shuffle=shuffle, by_length="inputs")


def ragged(samples: list[np.ndarray], padding: float = 0) -> Ragged:
    return Ragged.of([torch.from_numpy(one) for one in samples], padding)


def share_of_steps_right(name: str, count: int) -> Measure:
    @torch.no_grad()
    def measure(rule: LearningRule) -> float:
        batch = next(iter(sequences(*tagged(name, count), batch_size="all", shuffle=False)))
        return float(steps_accuracy(rule.home.eval()(batch["inputs"]), batch["targets"]))

    return measure
