"""Points: a network that draws new rows of a table like those of a set, judged by their distribution."""

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self, final

import numpy as np
import torch
from torch import Tensor, nn

from ganglion import figures
from ganglion.core import LearningRule, Players
from ganglion.data.dataset import Dataset
from ganglion.data.settings import DataSettings
from ganglion.settings import at_least, settings
from ganglion.tasks.answers import Rows
from ganglion.tasks.base import Part, Task
from ganglion.tasks.measures.samples import (
    COVERAGE,
    DENSITY,
    FRECHET_DISTANCE,
    MODES,
    QUALITY,
    SLICED_WASSERSTEIN,
    density_and_coverage,
    frechet_distance,
    modes_and_quality,
    sliced_wasserstein,
)
from ganglion.tasks.shared.evaluation import ask, evaluating
from ganglion.tasks.shared.fitting import adapt, sizes
from ganglion.tasks.shared.pictures.drawing import generators, numbered

if TYPE_CHECKING:
    from matplotlib.figure import Figure

JUDGED = 2000
"""Rows at most of each kind that a judgement compares."""
SHOWN = 1500
"""Points in a figure."""
FINE, EDGE = 120, 0.15
"""Places along each axis where the discriminator is asked, and how far they reach beyond the data, in its widths."""
SIDE = 320
"""Pixels of a side of the pictures of a film."""
PROBABLE = ("non-saturating", "minimax")
"""Games whose discriminator speaks of probabilities."""


@settings
class Generate:
    """Draw new rows."""

    count: Annotated[int, at_least(1)] = 64
    """Rows to draw."""
    seed: int = 0
    """Decides what is drawn: row i is a function of the seed and i, however many are drawn."""


@final
class Points(Task):
    """Draw rows of numbers, judged by how their distribution differs from that of real ones.

    Numbers are standardised, and distances are in these units. Where the data has classes, `modes` says how many of
    them are reached and `quality` which share of the rows lies within one: a generator that collapses leaves classes
    out. The baseline draws from the normal distribution of the training rows.
    """

    name = "points"
    reads = ("tabular",)
    takes = "rows of a table"
    fields: ClassVar = {"inputs": ("rows",)}
    measures = (SLICED_WASSERSTEIN, FRECHET_DISTANCE, DENSITY, COVERAGE, MODES, QUALITY)
    captions: ClassVar = {
        "points": "Real and generated rows, along their first two columns, and what the discriminator says between",
        "densities": "Densities of real and generated numbers, and the discriminator beside the best possible one",
    }
    verbs: ClassVar = {"generate": Generate}
    next_step = "ganglion generate {run} --count 1000 --out rows.csv"

    @classmethod
    def prepare(cls, source: str | Dataset, config: Any, settings: DataSettings, seed: int) -> Self:
        data = cls.prepared(source, None, settings, seed)  # a system for images takes rows as they are
        task = cls(adapt(config, **sizes(data.preprocessing)), data.preprocessing).holding(data)
        game: Any = getattr(config, "game", None)
        if game and game.penalty == "none" and not game.weight_clip:
            task.notes = (*task.notes, "few numbers are learnt better with --form points, whose slopes are penalised")
        return task

    def _some(self, part: Part, most: int = JUDGED) -> np.ndarray:
        """Return at most `most` prepared rows of a part."""
        rows: np.ndarray = self.data.some(part, self.data.spread(part, most)).numpy()
        return rows

    def _drawn(self, network: nn.Module, count: int, seed: int = 0) -> Tensor:
        latent = [torch.randn(self.config.latent_features, generator=one) for one in generators(count, seed)]
        return ask(network, torch.stack(latent))

    def _compare(self, real: np.ndarray, generated: np.ndarray) -> dict[str, float]:
        density, coverage = density_and_coverage(real, generated[: len(real)])
        found = {
            "sliced_wasserstein": sliced_wasserstein(real, generated),
            "frechet_distance": frechet_distance(real, generated),
            "density": density,
            "coverage": coverage,
        }
        targets = self.data.nearest("train").fields.get("targets")
        if targets is not None and targets.kind == "classes":
            places = self.data.spread("train", JUDGED)
            classes = np.asarray(targets.values)[places]
            found["modes"], found["quality"] = modes_and_quality(self._some("train"), classes, generated)
        return found

    def evaluate(self, rule: LearningRule, part: Part = "validation") -> dict[str, float]:
        return self._compare(self._some(part), self._drawn(rule.home, JUDGED).numpy())

    def baseline(self) -> dict[str, float]:
        """Draw rows from the normal distribution that has the means and covariances of the training rows."""
        training = self._some("train")
        covariance = np.atleast_2d(np.cov(training, rowvar=False))
        drawn = np.random.default_rng(0).multivariate_normal(training.mean(axis=0), covariance, JUDGED)
        return self._compare(self._some("test"), drawn)

    def figures(self, rule: LearningRule) -> "dict[str, Figure]":
        real, generated = self._some("test", SHOWN), self._drawn(rule.home, SHOWN).numpy()
        names = self.preprocessing["inputs"].features
        low, high = real.min(axis=0), real.max(axis=0)
        margin = EDGE * np.maximum(high - low, 1e-6)
        axes = [np.linspace(*ends, FINE) for ends in zip(low - margin, high + margin, strict=True)]
        if len(axes) > 1:
            judged = None
            if len(axes) == 2:
                across, up = np.meshgrid(*axes)
                said = self._said(rule, np.stack([across, up], axis=-1).reshape(-1, 2))
                judged = None if said is None else (across, up, said.reshape(across.shape))
            drawn = np.clip(generated[:, :2], (low - margin)[:2], (high + margin)[:2])
            return {"points": figures.points_beside(real[:, :2], drawn, judged, names[:2])}
        places, learnt = axes[0], self._said(rule, axes[0][:, None])
        p, q = (_density(part[:, 0], places) for part in (real, generated))
        best = p / np.maximum(p + q, 1e-12) if self._is_probable else None
        return {"densities": figures.densities(places, p, q, learnt, best, names[0])}

    @property
    def _is_probable(self) -> bool:
        """Whether the discriminator speaks of probabilities."""
        return getattr(getattr(self.config, "game", None), "loss", "") in PROBABLE

    def _said(self, rule: LearningRule, places: np.ndarray) -> np.ndarray | None:
        """Return what the discriminator says of places (places, columns); None of a system without one."""
        if not isinstance(rule, Players):
            return None
        with evaluating(rule.discriminator) as device:
            asked = torch.from_numpy(places.astype(np.float32)).to(device)
            said = rule.discriminator(asked)
            return (said.sigmoid() if self._is_probable else said).cpu().numpy()

    def sheet(self, home: nn.Module) -> np.ndarray | None:
        """Return generated points on real ones, of the same latent vectors each time; None for rows of one number."""
        real = self._some("validation", SHOWN)
        if real.shape[1] < 2:
            return None
        picture = np.full((SIDE, SIDE, 3), 255, np.uint8)
        low, high = real[:, :2].min(axis=0), real[:, :2].max(axis=0)
        margin = EDGE * np.maximum(high - low, 1e-6)
        for points, colour in ((real, (190, 198, 206)), (self._drawn(home, SHOWN).numpy(), (213, 94, 0))):
            shares = (points[:, :2] - low + margin) / (high - low + 2 * margin)
            across, up = (shares.clip(0, 1) * (SIDE - 2)).astype(int).T
            for right, down in ((0, 0), (0, 1), (1, 0), (1, 1)):
                picture[SIDE - 2 - up + down, across + right] = colour
        return picture

    def generate(self, network: nn.Module, question: Generate) -> Rows:
        """Return new rows by the names of their columns, in the units of the data."""
        drawn = self.preprocessing["inputs"].inverse(self._drawn(network, question.count, question.seed))
        names = numbered(question.count, question.seed)
        return Rows([{"sample": name, **row} for name, row in zip(names, drawn, strict=True)])


def _density(numbers: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Return the density of numbers (samples,) at places (places,), smoothed; nothing where all are the same."""
    if np.ptp(numbers) < 1e-9:
        return np.zeros_like(places)
    from scipy.stats import gaussian_kde

    density: np.ndarray = gaussian_kde(numbers)(places)
    return density


TASK = Points
