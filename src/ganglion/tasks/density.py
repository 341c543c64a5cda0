"""Density: a network that says how probable data is, and dreams up more of it; no labels are needed."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Self, final

import numpy as np
import torch
from torch import Tensor, nn

from ganglion import figures
from ganglion.core import LearningRule, Loader, Measure
from ganglion.data.dataset import Dataset
from ganglion.data.loaders.in_memory import InMemoryLoader
from ganglion.data.preprocessing import ImagePreprocessing, TabularPreprocessing
from ganglion.data.settings import DataSettings
from ganglion.data.splits import split
from ganglion.nn.energy import BernoulliRBM, estimate_log_partition, sample_bernoulli
from ganglion.tasks.base import Part, Task
from ganglion.tasks.shared.preparing import Preprocessing, load_preprocessing, raw_inputs, save_preprocessing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LARGEST_SIDE = 64
"""Longest side of images; larger ones are shrunk, for every pixel is a unit that is connected to all hidden ones."""
JUDGED = 100_000_000
"""Units of the hidden layer looked at to judge one part; fewer pixels of each sample are asked for above that."""
SETTLING = 1000
"""Steps of Gibbs sampling from independent units to a sample."""
CHAINS = 400
"""Samples that the normaliser is estimated from: the log-likelihood then scatters by some hundredths of a nat."""
SHOWN = 64
"""Pictures in a figure."""


PSEUDO_LOG_LIKELIHOOD = Measure(
    name="pseudo_log_likelihood",
    higher_is_better=True,
    meaning="Sum over units of log p(unit | all others), in nats a sample.",
)
LOG_LIKELIHOOD = Measure(
    name="log_likelihood",
    higher_is_better=True,
    meaning="log p of a sample in nats, its normaliser estimated by annealed importance sampling.",
)
RECONSTRUCTION_ERROR = Measure(
    name="reconstruction_error",
    higher_is_better=False,
    meaning="Mean squared error of a unit after one step there and back.",
)
FREE_ENERGY_GAP = Measure(
    name="free_energy_gap",
    higher_is_better=False,
    meaning="By how much the mean free energy exceeds that of training samples, in nats.",
)


@final
class Density(Task):
    """Model the joint distribution of binary units: pixels brighter than half, columns above their training mean.

    `pseudo_log_likelihood` is the sum over units of log p(unit | all others), in nats per sample. On the test part
    `log_likelihood` is the real thing, its normaliser estimated by annealed importance sampling. For the baseline,
    units that know nothing of each other, both are the same number. `free_energy_gap` is by how much the mean free
    energy of a part exceeds that of training samples: once it grows, the machine learns by heart.
    """

    name = "density"
    reads = ("image", "tabular")
    takes = "images or rows of a table"
    measures = (PSEUDO_LOG_LIKELIHOOD, LOG_LIKELIHOOD, RECONSTRUCTION_ERROR, FREE_ENERGY_GAP)
    captions: ClassVar = {
        "receptive_fields": "What each hidden unit responds to; blue is positive, orange negative",
        "reconstructions": "Test samples, what one step there and back makes of them, and the difference",
        "samples": "What the machine dreams up: probabilities of the visible units after many steps of Gibbs sampling",
    }
    next_step = "ganglion generate {run} --count 64 --out samples.png"
    settings: DataSettings
    visible: dict[Part, Tensor]
    """Binary units of each part `(samples, units)`; only a prepared task has them."""

    def __init__(self, config: Any, preprocessing: Preprocessing, means: Sequence[float]) -> None:
        self.config, self.preprocessing = config, preprocessing
        self.means = torch.tensor(means)
        """How often each unit is on over the training part."""
        self.base_bias = torch.logit(self.means)
        """Their log odds: the best machine without hidden units."""

    @classmethod
    def prepare(cls, source: str | Dataset, config: Any, settings: DataSettings, seed: int) -> Self:
        dataset = cls.open(source, settings)
        parts = split(dataset, settings, seed)
        preprocessing = _fitted(dataset, parts["train"].inputs)
        visible = {name: _binary(preprocessing, samples.inputs) for name, samples in parts.items() if len(samples)}
        units = visible["train"].shape[1]
        means = (visible["train"].sum(0) + 1) / (len(visible["train"]) + 2)  # no unit is ever impossible
        task = cls(replace(config, in_features=units), preprocessing, means.tolist())
        task.settings, task.fingerprint = settings, dataset.fingerprint
        task.has_validation = "validation" in visible
        task.notes = (*dataset.notes, _reading(preprocessing))
        if "test" not in visible:
            task.notes = (*task.notes, "no test part: the final score is that of the training part")
        task.visible = {"train": visible["train"], **visible}  # type: ignore[dict-item]
        return task

    @classmethod
    def restore(cls, state: dict[str, Any], config: Any) -> Self:
        return cls(config, load_preprocessing(state), state["means"])

    def state(self) -> dict[str, Any]:
        return save_preprocessing(self.preprocessing) | {"means": self.means.tolist()}

    def loader(self, rule: LearningRule, seed: int) -> Loader:
        return InMemoryLoader({"inputs": self.visible["train"]}, self.settings.batch_size, seed)

    def evaluate(self, rule: LearningRule, part: Part = "validation") -> dict[str, float]:
        machine, visible = _machine(rule.home), self._on(rule.home, part)
        train = self._on(rule.home, "train")
        free_energy = _mean_free_energy(machine, visible)
        metrics = {
            "pseudo_log_likelihood": pseudo_log_likelihood(machine, visible),
            "reconstruction_error": float((visible - machine.reconstruct(visible)).square().mean()),
            "free_energy_gap": free_energy - _mean_free_energy(machine, train),
        }
        if part == "test":
            base_bias, generator = self.base_bias.to(visible.device), _generator(visible.device, 0)
            log_partition = estimate_log_partition(machine, base_bias, chains=CHAINS, generator=generator)
            metrics["log_likelihood"] = -free_energy - float(log_partition)
        return metrics

    def _on(self, network: nn.Module, part: Part) -> Tensor:
        return self.visible.get(part, self.visible["train"]).to(next(network.parameters()).device)

    def baseline(self) -> dict[str, float]:
        """Judge units that are on as often as in the training part, independently of each other."""
        visible = self.visible.get("test", self.visible["train"])
        means = self.means
        likelihood = -nn.functional.binary_cross_entropy(means.expand_as(visible), visible) * visible.shape[1]
        return {
            "pseudo_log_likelihood": float(likelihood),
            "log_likelihood": float(likelihood),
            "reconstruction_error": float((visible - means).square().mean()),
            "free_energy_gap": 0.0,
        }

    def figures(self, rule: LearningRule) -> "dict[str, Figure]":
        machine = _machine(rule.home)
        seen = self._on(rule.home, "test")[: SHOWN // 2]
        weights = machine.weight.detach()
        strongest = weights.square().sum(1).argsort(descending=True)[:SHOWN]
        return {
            "receptive_fields": figures.filters(
                self._pictures(weights[strongest]), title="Weights of the strongest hidden units"
            ),
            "reconstructions": figures.reconstructions(
                self._pictures(seen), self._pictures(machine.reconstruct(seen)), columns=8
            ),
            "samples": self.generate(rule.home, SHOWN, seed=0),
        }

    def example(self) -> Tensor:
        return torch.zeros(2, self.config.in_features)

    def predict(self, network: nn.Module, inputs: Sequence[Any]) -> list[dict[str, Any]]:
        """Return the free energy of each input, lower for what is more probable, and how badly it is reconstructed."""
        machine = _machine(network)
        raw = raw_inputs(inputs, self.preprocessing)
        visible = _binary(self.preprocessing, raw).to(machine.weight.device)
        with torch.no_grad():
            energies = machine.free_energy(visible).tolist()
        errors = (visible - machine.reconstruct(visible)).square().mean(1).tolist()
        return [
            {"free_energy": energy, "reconstruction_error": error}
            for energy, error in zip(energies, errors, strict=True)
        ]

    def generate(self, network: nn.Module, count: int, seed: int) -> "Figure":
        """Draw samples of the machine, shown as the probabilities of their visible units."""
        machine = _machine(network)
        device = machine.weight.device
        generator = _generator(device, seed)
        visible = sample_bernoulli(self.means.to(device).expand(count, -1), generator)
        with torch.no_grad():
            for _ in range(SETTLING):
                visible = machine.gibbs_step(visible, generator)
            probabilities = machine.visible_probabilities(machine.sample_hidden(visible, generator))
        return figures.image_grid(self._pictures(probabilities), title="Samples of the machine")

    def _pictures(self, visible: Tensor) -> np.ndarray:
        """Return rows of units as pictures `(samples, height, width)`; a row of a table is a picture of one line."""
        size = self.preprocessing.size if isinstance(self.preprocessing, ImagePreprocessing) else (1, visible.shape[1])
        return visible.detach().cpu().reshape(-1, *size).numpy()


def pseudo_log_likelihood(machine: BernoulliRBM, visible: Tensor) -> float:
    """Return the mean over samples of sum_i log p(v_i | all other units), in nats; higher is better.

    Where asking for all units would take long, every sample is asked about a few that are drawn once for all, and the
    sum is scaled up.

    >>> machine = BernoulliRBM(10, 3, deviation=0.0)
    >>> round(pseudo_log_likelihood(machine, torch.zeros(4, 10)), 4)  # ten coins
    -6.9315
    """
    samples, units = visible.shape
    asked = max(1, min(units, JUDGED // (samples * machine.num_hidden)))
    if asked == units:
        chosen = torch.arange(units, device=visible.device).expand(samples, -1)
    else:
        chosen = torch.randint(units, (samples, asked), generator=torch.Generator().manual_seed(0)).to(visible.device)
    rows = max(1, (1 << 21) // (asked * machine.num_hidden))  # as many at a time as stay in the processor's cache
    pairs = zip(visible.split(rows), chosen.split(rows), strict=True)
    total = sum(machine.conditional_log_likelihood(part, of).double().sum() for part, of in pairs)
    return float(total) * units / asked / samples


@torch.no_grad()
def _mean_free_energy(machine: BernoulliRBM, visible: Tensor) -> float:
    return float(sum(machine.free_energy(part).double().sum() for part in visible.split(4096))) / len(visible)


def _fitted(dataset: Dataset, training: np.ndarray | Sequence) -> Preprocessing:
    """Return what turns raw samples into numbers: grey images, of their own size unless that is large, or rows."""
    if dataset.kind == "tabular":
        return TabularPreprocessing.fit(np.asarray(training), dataset.column_names)
    height, width = ImagePreprocessing.fit(training).size
    shrink = min(1.0, LARGEST_SIDE / max(height, width))
    size = max(1, round(height * shrink)), max(1, round(width * shrink))
    return ImagePreprocessing.fit(training, image_size=size, channels=1)


def _binary(preprocessing: Preprocessing, raw: np.ndarray | Sequence) -> Tensor:
    """Return zeros and ones `(samples, units)`: above half brightness, or above the training mean of the column."""
    threshold = 0.5 if isinstance(preprocessing, ImagePreprocessing) else 0.0
    return (preprocessing(raw).flatten(1) > threshold).float()


def _reading(preprocessing: Preprocessing) -> str:
    if isinstance(preprocessing, ImagePreprocessing):
        height, width = preprocessing.size
        return f"images became {height} x {width} black and white: a pixel is on above half brightness"
    return "every column became one unit, on above its training mean"


def _machine(network: nn.Module) -> BernoulliRBM:
    assert isinstance(network, BernoulliRBM)
    return network


def _generator(device: torch.device, seed: int) -> torch.Generator:
    return torch.Generator(device).manual_seed(seed)


TASK = Density
