"""What the contract suite needs to know of every system: one row each. A system without a row fails the suite."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import torch

from ganglion.core import LearningRule, Loader
from ganglion.data.catalogue import read
from ganglion.data.environments.environments import Environments
from ganglion.data.environments.replay import ReplayLoader
from ganglion.data.loaders.buckets import BucketLoader
from ganglion.data.loaders.in_memory import InMemoryLoader
from ganglion.data.loaders.streams import StreamLoader
from ganglion.data.preprocessing import ImagePreprocessing, TabularPreprocessing
from ganglion.data.preprocessing.vocabulary import Vocabulary, words
from ganglion.data.settings import DataSettings
from ganglion.data.sources.generators import generate
from ganglion.rules.losses import accuracy
from ganglion.rules.sequences import steps_accuracy
from ganglion.tasks.measures.samples import SampleQuality
from ganglion.tasks.shared.evaluation import ask
from tests.environments import LENGTH, Chain, chain_values


@dataclass(frozen=True, kw_only=True)
class Row:
    """How one system is put to the test."""

    loader: Callable[[], Loader]
    """A fresh loader of a toy problem that fits `TINY`."""
    steps: int
    """Iterations of `TINY` on that loader after which it must have learnt; seconds on a CPU."""
    measure: Callable[[LearningRule], float]
    """Judges a rule; higher is better."""
    threshold: float
    """What the measure must exceed after training, and must not exceed before."""
    published: tuple[dict[str, Any], int] | None = None
    """Fields of `Config` and the number of trainable parameters that the literature gives for them."""
    frozen: tuple[str, ...] = ()
    """Parameters that receive no gradient, as role.name."""
    options: dict[str, Any] = field(default_factory=dict)
    """Options of `ganglion.train` that make a run of a few seconds on `data`, beside the fields of `TINY`."""
    data: str = "digits"
    """Bundled or generated data for that run."""


ROWS: dict[str, Row] = {}


def bars_and_stripes() -> torch.Tensor:
    return torch.from_numpy(generate("bars-and-stripes").inputs).flatten(1).float() / 255


@torch.no_grad()
def exact_log_likelihood(rule: LearningRule) -> float:
    """Mean log p(v) of the patterns; pixels that know nothing of each other have -16 log 2 = -11.09."""
    machine: Any = rule.home
    return float((-machine.free_energy(bars_and_stripes())).mean() - machine.log_partition())


ROWS["rbm"] = Row(
    loader=lambda: InMemoryLoader({"inputs": bars_and_stripes()}, batch_size=10, seed=0),
    steps=1500,
    measure=exact_log_likelihood,
    threshold=-8.0,
    published=({"in_features": 784, "hidden_units": 500}, 393_284),
)


def drawn_bars(size: int) -> torch.Tensor:
    """Bars and stripes as images of this side `(patterns, 1, size, size)` in [-1, 1]."""
    patterns = 2 * bars_and_stripes().unflatten(1, (1, 4, 4)) - 1
    return patterns.repeat_interleave(size // 4, 2).repeat_interleave(size // 4, 3)


def likeness(size: int, latent_features: int) -> Callable[[LearningRule], float]:
    """Return a measure of a generator: minus its distance from the distribution of the patterns."""

    def measure(rule: LearningRule) -> float:
        patterns = drawn_bars(size).numpy()
        latent = torch.randn(500, latent_features, generator=torch.Generator().manual_seed(0))
        generated = ask(rule.home, latent).numpy()
        return -SampleQuality.fit(patterns).compare(patterns, generated)["frechet_distance"]

    return measure


ROWS["gan"] = Row(
    loader=lambda: InMemoryLoader({"inputs": drawn_bars(8)}, batch_size=15, seed=0),
    steps=300,
    measure=likeness(8, latent_features=16),
    threshold=-35.0,
)
ROWS["dcgan"] = Row(
    loader=lambda: InMemoryLoader({"inputs": drawn_bars(16)}, batch_size=15, seed=0),
    steps=200,
    measure=likeness(16, latent_features=16),
    threshold=-150.0,
    published=({"image_size": 64, "in_channels": 3}, 3_576_704 + 2_765_568),
)


def labelled(name: str, batch_size: int, side: int | None = None) -> Callable[[], Loader]:
    """Return what makes a loader of a bundled or generated set with classes; images of the first three only."""

    def loader() -> Loader:
        tensors = labelled_tensors(name, side)
        # The order follows the seed of the test, also for a network that starts from the same weights whatever it is.
        return InMemoryLoader(tensors, batch_size, seed=torch.initial_seed() % 2**31)

    return loader


@cache
def labelled_tensors(name: str, side: int | None) -> dict[str, torch.Tensor]:
    dataset = read(name, DataSettings())
    kept = slice(None) if side is None else dataset.targets < 3
    prepare = (
        TabularPreprocessing.fit(dataset.inputs) if side is None else ImagePreprocessing(image_size=side, channels=1)
    )
    return {"inputs": prepare(dataset.inputs[kept]), "targets": torch.from_numpy(dataset.targets[kept])}


def share_of_right_answers(name: str, side: int | None = None) -> Callable[[LearningRule], float]:
    def measure(rule: LearningRule) -> float:
        tensors = labelled_tensors(name, side)
        rule.home.eval()
        return float(accuracy(rule.home(tensors["inputs"]), tensors["targets"]))

    return measure


ROWS["perceptron"] = Row(
    loader=labelled("two-moons", batch_size=1),
    steps=500,
    measure=share_of_right_answers("two-moons"),
    threshold=0.8,
    published=({"in_features": 3}, 4),
    data="two-moons",
)
ROWS["mlp"] = Row(
    loader=labelled("xor", batch_size=20),
    steps=300,
    measure=share_of_right_answers("xor"),
    threshold=0.9,  # No line gets further than three quarters.
    published=({"in_features": 784, "hidden_features": (128,)}, 101_770),
    data="xor",
)
ROWS["lenet5"] = Row(
    loader=labelled("digits", batch_size=20, side=32),
    steps=60,
    measure=share_of_right_answers("digits", side=32),
    threshold=0.9,
    published=({}, 60_000),
)
ROWS["convnet"] = Row(
    loader=labelled("digits", batch_size=20, side=18),
    steps=60,
    measure=share_of_right_answers("digits", side=18),
    threshold=0.9,
    published=({}, 93_322),
)


def random_play_of_the_chain() -> ReplayLoader:
    """Q-learning is off-policy: acting at random shows it every transition that there is."""
    return ReplayLoader(
        Environments(Chain, 4, seed=0),
        lambda shown: torch.zeros(len(shown), dtype=torch.int64),
        capacity=1000,
        batch_size=32,
        seed=0,
        epsilon=lambda _: 1.0,
        discount=0.8,
        learning_starts=200,
    )


@torch.no_grad()
def closeness_to_value_iteration(rule: LearningRule) -> float:
    """Minus the largest error in the value of an action, against the exact values of the chain."""
    exact = torch.tensor(chain_values(discount=rule.discount), dtype=torch.float32)  # type: ignore[attr-defined]
    return -float((rule.home(torch.eye(LENGTH)) - exact).abs().max())


ROWS["dqn"] = Row(
    loader=random_play_of_the_chain,
    steps=1500,
    measure=closeness_to_value_iteration,
    threshold=-0.05,
    published=({"network": "nature", "num_actions": 4}, 1_686_180),
    frozen=tuple(f"target.{layer}.{name}" for layer in ("hidden.0", "head") for name in ("weight", "bias")),
    data="CartPole-v1",
)


@cache
def sine_windows() -> dict[str, torch.Tensor]:
    """Windows `(samples, 16, 1)` of the noisy sine and the values that follow them."""
    values = torch.from_numpy(generate("sine", count=300).inputs)  # (time, 1)
    return {"inputs": values.unfold(0, 16, 1)[:-1].transpose(1, 2), "targets": values[16:]}


@torch.no_grad()
def skill_over_the_last_value(rule: LearningRule) -> float:
    """By how much the error is below that of the last value, which has 0 and knows no better; 1 is perfect."""
    windows = sine_windows()
    inputs, targets = windows["inputs"], windows["targets"]
    errors = [(answer - targets).square().mean() for answer in (rule.home.eval()(inputs), inputs[:, -1])]
    return float(1 - errors[0] / errors[1])


ROWS["lstm-forecaster"] = Row(
    loader=lambda: InMemoryLoader(sine_windows(), batch_size=32, seed=0),
    steps=120,
    measure=skill_over_the_last_value,
    threshold=0.7,
    published=({}, 806_017),
    data="sine",
)


@torch.no_grad()
def share_of_pixels_rebuilt(rule: LearningRule) -> float:
    """Share of the variance of the patterns that passes the code; the mean pattern has 0."""
    patterns: Any = bars_and_stripes()
    rebuilt = rule.home.reconstruct(patterns)  # type: ignore[operator]
    return float(1 - (rebuilt - patterns).square().mean() / (patterns.mean(dim=0) - patterns).square().mean())


ROWS["autoencoder"] = Row(
    loader=lambda: InMemoryLoader({"inputs": bars_and_stripes()}, batch_size=10, seed=0),
    steps=500,
    measure=share_of_pixels_rebuilt,
    threshold=0.5,  # Two principal components rebuild a third.
    published=({"hidden_features": (1000, 500, 250), "code_size": 30}, 2_837_314),
)


@cache
def tale() -> torch.Tensor:
    """Characters of the generated tales as numbers: 20,000 to learn from, then 2,000 to judge by."""
    text = generate("tales", count=700).inputs[0][:22_000]
    known = sorted(set(text))
    return torch.tensor([known.index(character) for character in text])


@torch.no_grad()
def foretold_nats(rule: LearningRule) -> float:
    """Minus the nats for each character of the end; frequencies of pairs have -1.8."""
    network: Any = rule.home.eval()
    outputs, end = network(tale()[None, -2001:-1])[0], tale()[-2000:]
    rule.home.train()
    return -float(torch.nn.functional.cross_entropy(outputs, end))


ROWS["char-rnn"] = Row(
    loader=lambda: StreamLoader(tale()[:20_000].numpy(), streams=16, window=20, seed=0),
    steps=250,
    measure=foretold_nats,
    threshold=-1.5,
    options={"validation": 0.05, "test": 0.05},
    data="tales",
)


@cache
def film_opinions() -> tuple[list[np.ndarray], np.ndarray]:
    """Opinions as numbers of words from 1 on, and their classes."""
    dataset = generate("opinions", count=600)
    vocabulary = Vocabulary.fit(word for text in dataset.inputs for word in words(text))
    assert dataset.targets is not None
    return [vocabulary.encode(words(text)) + 1 for text in dataset.inputs], dataset.targets


@torch.no_grad()
def share_of_opinions_understood(rule: LearningRule) -> float:
    loader = BucketLoader(*film_opinions(), batch_size="all", seed=0, shuffle=False)
    batch = next(iter(loader))
    return float(accuracy(rule.home.eval()(batch["inputs"]), batch["targets"]))


ROWS["sentiment"] = Row(
    loader=lambda: BucketLoader(*film_opinions(), batch_size=20, seed=0),
    steps=250,
    measure=share_of_opinions_understood,
    threshold=0.85,  # Word counts, which know no order, have 0.65.
    data="opinions",
)


@cache
def tagged(name: str, count: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Tokens as numbers from 1 on, and tags as numbers, of each sequence of a generated set."""
    sequences = generate(name, count=count).inputs
    tokens, tags = (sorted({pair[side] for one in sequences for pair in one}) for side in (0, 1))
    inputs = [np.array([tokens.index(token) + 1 for token, _ in one]) for one in sequences]
    return inputs, [np.array([tags.index(tag) for _, tag in one]) for one in sequences]


def share_of_steps_right(name: str, count: int) -> Callable[[LearningRule], float]:
    @torch.no_grad()
    def measure(rule: LearningRule) -> float:
        batch = next(iter(BucketLoader(*tagged(name, count), batch_size="all", seed=0, shuffle=False)))
        return float(steps_accuracy(rule.home.eval()(batch["inputs"]), batch["targets"]))

    return measure


ROWS["elman-tagger"] = Row(
    loader=lambda: BucketLoader(*tagged("tagged-sentences", 200), batch_size=20, seed=0),
    steps=150,
    measure=share_of_steps_right("tagged-sentences", 200),
    threshold=0.985,  # The commonest tag of each word has 0.96.
    data="tagged-sentences",
)
ROWS["jordan"] = Row(
    loader=lambda: BucketLoader(*tagged("lift", 100), batch_size=20, seed=0),
    steps=200,
    measure=share_of_steps_right("lift", 100),
    threshold=0.95,  # Without its last answer it has less than 0.6.
    data="lift",
)
