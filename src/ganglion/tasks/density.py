"""Density: a network that says how probable data is, and dreams up more of it; no labels are needed."""

import math
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self, final

import numpy as np
import torch
from torch import Tensor, nn

from ganglion import figures
from ganglion.core import CoupledModel, DensityModel, LearningRule, Loader, Measure
from ganglion.data.dataset import Dataset
from ganglion.data.loaders.in_memory import InMemoryLoader
from ganglion.data.preprocessing import ImagePreprocessing
from ganglion.data.settings import DataSettings
from ganglion.data.splits import PARTS
from ganglion.nn.energy.gaussian import LEAST_VARIANCE, normal
from ganglion.nn.energy.restricted import sample_bernoulli, spread_of_log_mean
from ganglion.settings import above, at_least, settings
from ganglion.tasks.answers import Images, Rows
from ganglion.tasks.base import Part, Task
from ganglion.tasks.measures.pseudo_likelihood import JUDGED, PLACES, pseudo_log_likelihood
from ganglion.tasks.questions import Given
from ganglion.tasks.shared.by_column import drawn_by_column
from ganglion.tasks.shared.evaluation import ask
from ganglion.tasks.shared.features import Features, features_of
from ganglion.tasks.shared.fitting import AS_THEY_ARE, adapt, shrunk
from ganglion.tasks.shared.inputs import asked
from ganglion.tasks.shared.pictures.drawing import generators, numbered

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LARGEST_SIDE = 64
"""Longest side of images; larger ones are shrunk, for every pixel is a unit that is connected to all hidden ones."""
SETTLING = 1000
"""Steps of Gibbs sampling from independent units to a sample."""
CHAINS = 400
"""Samples that the normaliser is estimated from: the log-likelihood then scatters by some hundredths of a nat."""
SOON = 25
"""Steps of the sheets that are drawn while training."""
NEARLY_NOTHING = 1e-6
"""Deviation of pixels that are all alike."""
SHOWN = 64
"""Pictures in a figure."""
TOGETHER = 64
"""Samples that are drawn side by side."""


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
LOG_LIKELIHOOD_SPREAD = Measure(
    name="log_likelihood_spread",
    higher_is_better=False,
    meaning="Standard error of the log-likelihood in nats, from the scatter of the normaliser's estimate.",
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


@settings
class Predict:
    """Say how probable samples are: lower free energy for the more probable, and how badly they are reconstructed."""

    inputs: Given
    """Image files or folders of them, CSV or NPZ files, or arrays."""


@settings
class Generate:
    """Draw samples of the machine, shown as the probabilities of their visible units."""

    count: Annotated[int, at_least(1)] = 64
    """Samples to draw."""
    seed: int = 0
    """Decides what is drawn."""
    temperature: Annotated[float, above(0)] = 1.0
    """Above 1 samples are wilder than the machine itself, below 1 they keep to its likeliest states."""


@final
class Density(Task):
    """Model the joint distribution of binary units: pixels brighter than half, columns above their training mean.

    Where the configuration says that visible units are Gaussian, they are the numbers themselves, standardised, and
    what is said of probabilities is said of densities.

    `pseudo_log_likelihood` is the sum over units of log p(unit | all others), in nats per sample. On the test part
    `log_likelihood` is the real thing, its normaliser estimated by annealed importance sampling, and
    `log_likelihood_spread` how far that may be off. For the baseline,
    units that know nothing of each other, both are the same number. `free_energy_gap` is by how much the mean free
    energy of a part exceeds that of training samples: once it grows, the machine learns by heart.
    """

    name = "density"
    reads = ("image", "tabular")
    takes = "images or rows of a table"
    fields: ClassVar = {"inputs": ("images", "rows")}
    measures = (PSEUDO_LOG_LIKELIHOOD, LOG_LIKELIHOOD, LOG_LIKELIHOOD_SPREAD, RECONSTRUCTION_ERROR, FREE_ENERGY_GAP)
    captions: ClassVar = {
        "receptive_fields": "What each hidden unit responds to; blue is positive, orange negative",
        "reconstructions": "Test samples, what one step there and back makes of them, and the difference",
        "samples": "What the machine dreams up: probabilities of the visible units after many steps of Gibbs sampling",
        "couplings": "How units pull at each other: blue pairs like to be on together, orange pairs do not",
        "temperatures": "Share of the machine's time in which it shows a pattern of the data, hot and cold",
    }
    verbs: ClassVar = {"predict": Predict, "features": Features, "generate": Generate}
    joined = frozenset({"predict"})
    next_step = "ganglion generate {run} --count 64 --out samples.png"
    visible: dict[Part, Tensor]
    """Binary units of each part `(samples, units)`; only a prepared task has them."""
    means: Tensor
    """How often each unit is on over the training part; of units that are numbers their means."""
    variances: Tensor
    """Of units that are numbers over the training part (units,)."""
    scale: tuple[float, float] = (0.0, 1.0)
    """Mean and standard deviation of pixels over the training part, where units are numbers."""

    @classmethod
    def prepare(cls, source: str | Dataset, config: Any, settings: DataSettings, seed: int) -> Self:
        dataset = cls.open(source, settings)
        options = _grey_and_small(dataset) if dataset.kind == "image" else {}
        data = cls.prepared(dataset, config, settings, seed, {"inputs": options})
        prepared = data.preprocessing["inputs"]
        samples = {part: data.some(part, np.arange(len(data[part]))) for part in PARTS if len(data[part])}
        task = cls(adapt(config, in_features=samples["train"][0].numel()), data.preprocessing)
        if task.of_numbers and isinstance(prepared, ImagePreprocessing):
            task.scale = float(samples["train"].mean()), max(float(samples["train"].std()), NEARLY_NOTHING)
        visible = {part: task._units(values) for part, values in samples.items()}
        task.holding(data, task._reading())
        if "test" not in visible:
            task.notes = (*task.notes, "no test part: the final score is that of the training part")
        task.visible = {part: visible.get(part, visible["train"]) for part in PARTS}
        task._measure(visible["train"])
        return task

    @property
    def of_numbers(self) -> bool:
        """Whether visible units are numbers instead of zeros and ones."""
        return getattr(self.config, "visible", "binary") == "gaussian"

    def _measure(self, visible: Tensor) -> None:
        """Remember what units that know nothing of each other would learn of training samples (samples, units)."""
        if self.of_numbers:
            self.means, self.variances = visible.mean(0), visible.var(0, correction=0).clamp(min=LEAST_VARIANCE)
        else:
            self.means = (visible.sum(0) + 1) / (len(visible) + 2)  # no unit is ever impossible
            self.variances = self.means * (1 - self.means)

    @classmethod
    def restore(cls, state: dict[str, Any], config: Any) -> Self:
        task = super().restore(state, config)
        task.means = torch.tensor(state["means"])
        task.variances = torch.tensor(state.get("variances", (task.means * (1 - task.means)).tolist()))
        task.scale = tuple(state.get("scale", task.scale))
        return task

    def state(self) -> dict[str, Any]:
        more = {"variances": self.variances.tolist(), "scale": list(self.scale)} if self.of_numbers else {}
        return super().state() | {"means": self.means.tolist()} | more

    @property
    def base_bias(self) -> Tensor:
        """Biases of the best machine without hidden units `(units,)`: log odds, or means of units that are numbers."""
        return self.means if self.of_numbers else torch.logit(self.means)

    def loader(self, rule: LearningRule, seed: int) -> Loader:
        return InMemoryLoader({"inputs": self.visible["train"]}, self.data.settings.batch_size, seed)

    def evaluate(self, rule: LearningRule, part: Part = "validation") -> dict[str, float]:
        machine, visible = _machine(rule.home), self._on(rule.home, part)
        free_energy = _mean_free_energy(rule.home, self.visible[part])
        rebuilt = ask(rule.home, self.visible[part], by=machine.reconstruct)
        metrics = {
            "pseudo_log_likelihood": pseudo_log_likelihood(
                machine, visible, JUDGED // PLACES if self.of_numbers else JUDGED
            ),
            "reconstruction_error": float((self.visible[part] - rebuilt).square().mean()),
            "free_energy_gap": free_energy - _mean_free_energy(rule.home, self.visible["train"]),
        }
        if part == "test":
            base_bias, generator = self.base_bias.to(visible.device), _generator(visible.device, 0)
            weights = machine.annealed_weights(base_bias, chains=CHAINS, generator=generator).double()
            metrics["log_likelihood"] = -free_energy - float(weights.logsumexp(0)) + math.log(CHAINS)
            metrics["log_likelihood_spread"] = spread_of_log_mean(weights)
        return metrics

    def _on(self, network: nn.Module, part: Part) -> Tensor:
        return self.visible[part].to(next(network.parameters()).device)

    def baseline(self) -> dict[str, float]:
        """Judge units that are on as often as in the training part, independently of each other; or Gaussians."""
        visible, means = self.visible["test"], self.means
        if self.of_numbers:
            of_each = nn.functional.gaussian_nll_loss(
                means.expand_as(visible), visible, self.variances.expand_as(visible), full=True
            )
        else:
            of_each = nn.functional.binary_cross_entropy(means.expand_as(visible), visible)
        likelihood = -of_each * visible.shape[1]
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
        if not isinstance(self.preprocessing["inputs"], ImagePreprocessing):
            rebuilt, dreams = machine.reconstruct(seen), self._dreams(rule.home, Generate(count=len(seen)))
            shown = (one.cpu().numpy() for one in (weights[strongest], seen, rebuilt, dreams))
            drawn = drawn_by_column(list(self._unit_names()), *shown, numbers=self.of_numbers)
            return drawn | (self._of_couplings(rule.home) if isinstance(rule.home, CoupledModel) else {})
        drawn = {
            "receptive_fields": figures.filters(
                self._pictures(weights[strongest]), title="Weights of the strongest hidden units"
            ),
            "reconstructions": figures.reconstructions(
                self._pictures(self._in_their_range(seen)),
                self._pictures(self._in_their_range(machine.reconstruct(seen))),
                columns=8,
            ),
            "samples": figures.image_grid(
                self._pictures(self._in_their_range(self._dreams(rule.home, Generate(count=SHOWN)))),
                title="Samples of the machine",
            ),
        }
        return drawn | (self._of_couplings(rule.home) if isinstance(rule.home, CoupledModel) else {})

    @torch.no_grad()
    def _of_couplings(self, machine: CoupledModel) -> "dict[str, Figure]":
        """Return the weights between all units and, where that is counted, how often data is shown hot and cold."""
        patterns, weights = self.visible["train"].unique(dim=0), machine.couplings
        hidden = [f"hidden {number}" for number in range(1, len(weights) - patterns.shape[1] + 1)]
        names = [*self._unit_names(), *hidden]
        drawn = {"couplings": figures.couplings(weights.numpy(), names, machine.bias.numpy())}
        values = np.geomspace(1 / 8, 16, 57)
        shares = [machine.log_probability(patterns, float(value)) for value in values]
        counted = [float(share.exp().sum()) for share in shares if share is not None]
        if counted:
            means = self.means.expand_as(patterns)
            chance = float((patterns * means + (1 - patterns) * (1 - means)).prod(1).sum())
            drawn["temperatures"] = figures.temperatures(values, np.array(counted), chance)
        return drawn

    def _unit_names(self) -> list[str]:
        prepared = self.preprocessing["inputs"]
        if not isinstance(prepared, ImagePreprocessing):
            return list(prepared.features)
        height, width = prepared.size
        return [f"pixel {row + 1}, {column + 1}" for row in range(height) for column in range(width)]

    def sheet(self, home: nn.Module) -> np.ndarray | None:
        """Return what the machine dreams up, from the same draws each time."""
        if not isinstance(self.preprocessing["inputs"], ImagePreprocessing):
            return None
        dreams = self._dreams(home, Generate(count=SHOWN), settling=SOON)
        return figures.sheet(self._pictures(self._in_their_range(dreams)))

    def features(self, network: nn.Module, question: Features) -> Rows:
        prepared = self.preprocessing["inputs"]
        return features_of(network, prepared, question, self.settings, self._units)

    def predict(self, network: nn.Module, question: Predict) -> Rows:
        """Return of each input the free energy, lower for what is more probable, how badly it is reconstructed, and its
        code: the probability of each hidden unit.
        """
        machine = _machine(network)
        found, samples = asked(question.inputs, self.preprocessing["inputs"], self.settings)
        visible = self._units(samples)
        energies = ask(network, visible, by=machine.free_energy).tolist()
        errors = (visible - ask(network, visible, by=machine.reconstruct)).square().mean(1).tolist()
        codes = ask(network, visible, by=machine.hidden_probabilities).tolist()
        rows = zip(energies, errors, codes, strict=True)
        return found.answer(
            [{"free_energy": energy, "reconstruction_error": error, "code": code} for energy, error, code in rows]
        )

    def generate(self, network: nn.Module, question: Generate) -> Images | Rows:
        """Return samples as pictures, or as rows of the columns' units; of each what a last step expects."""
        expected, names = self._dreams(network, question), numbered(question.count, question.seed)
        if isinstance(self.preprocessing["inputs"], ImagePreprocessing):
            pixels = (self._pictures(self._in_their_range(expected))[..., None] * 255).round().astype(np.uint8)
            return Images(pixels, names, title="Samples of the machine")
        if self.of_numbers:
            rows = self.preprocessing["inputs"].inverse(expected)
        else:
            rows = [dict(zip(self._unit_names(), row, strict=True)) for row in expected.tolist()]
        return Rows([{"sample": name, **row} for name, row in zip(names, rows, strict=True)])

    @torch.no_grad()
    def _dreams(self, network: nn.Module, question: Generate, settling: int = SETTLING) -> Tensor:
        """Return the probabilities of the units of some samples `(samples, units)`, drawn in blocks of one size."""
        machine, device = _machine(network), next(network.parameters()).device
        blocks = []
        for generator in generators(-(-question.count // TOGETHER), question.seed, device):
            means = self.means.to(device).expand(TOGETHER, -1)
            if self.of_numbers:
                visible = means + self.variances.to(device).sqrt() * normal(means, means.shape, generator)
            else:
                visible = sample_bernoulli(means, generator)
            blocks.append(machine.wander(visible, settling, generator, question.temperature).cpu())
        return torch.cat(blocks)[: question.count]

    def _units(self, samples: Tensor) -> Tensor:
        """Return visible units `(samples, units)` of prepared samples: on above half brightness, or above the training
        mean of the column; or the numbers, standardised.
        """
        if self.of_numbers:
            mean, deviation = self.scale
            return (samples.flatten(1) - mean) / deviation
        pixels = isinstance(self.preprocessing["inputs"], ImagePreprocessing)
        return (samples.flatten(1) > (0.5 if pixels else 0.0)).float()

    def _in_their_range(self, visible: Tensor) -> Tensor:
        """Return what units of pictures are drawn as `(samples, units)`: from black at 0 to white at 1."""
        if not (self.of_numbers and isinstance(self.preprocessing["inputs"], ImagePreprocessing)):
            return visible
        mean, deviation = self.scale
        return (visible * deviation + mean).clamp(0, 1)

    def _reading(self) -> str:
        prepared, gaussian = self.preprocessing["inputs"], self.of_numbers
        if isinstance(prepared, ImagePreprocessing):
            height, width = prepared.size
            if gaussian:
                return f"images became {height} x {width} grey numbers, less the mean of all and over their deviation"
            return f"images became {height} x {width} black and white: a pixel is on above half brightness"
        if gaussian:
            return "every column became one unit, less its mean and over its deviation"
        return "every column became one unit, on above its training mean"

    def _pictures(self, visible: Tensor) -> np.ndarray:
        """Return rows of units as pictures `(samples, height, width)`; a row of a table is a picture of one line."""
        prepared = self.preprocessing["inputs"]
        size = prepared.size if isinstance(prepared, ImagePreprocessing) else (1, visible.shape[1])
        return visible.detach().cpu().reshape(-1, *size).numpy()


def _mean_free_energy(network: nn.Module, visible: Tensor) -> float:
    return float(ask(network, visible, by=_machine(network).free_energy).double().mean())


def _grey_and_small(dataset: Dataset) -> dict[str, Any]:
    """Return how images are prepared: grey, and of their own size unless that is large."""
    size = shrunk(ImagePreprocessing.fit(dataset.fields["inputs"].values).size, LARGEST_SIDE)
    return {**AS_THEY_ARE, "image_size": size, "channels": 1}


def _machine(network: nn.Module) -> DensityModel:
    assert isinstance(network, DensityModel)
    return network


def _generator(device: torch.device, seed: int) -> torch.Generator:
    return torch.Generator(device).manual_seed(seed)


TASK = Density
