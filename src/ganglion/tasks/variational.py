"""Variational: a network of latent variables, which says how likely data is, explains it and draws more of it."""

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self, final

import numpy as np
import torch
from torch import Tensor, nn

from ganglion import figures
from ganglion.core import LatentModel, LearningRule
from ganglion.data.dataset import Dataset
from ganglion.data.loaders.derived import Binarised, derive
from ganglion.data.places import evenly
from ganglion.data.preprocessing import ImagePreprocessing
from ganglion.data.settings import DataSettings
from ganglion.errors import ConfigurationError, UsageError
from ganglion.rules.autoencoder import variational
from ganglion.settings import at_least, settings, unknown_name
from ganglion.tasks.answers import Film, Images, Rows
from ganglion.tasks.base import Part, Task
from ganglion.tasks.measures.likelihood import (
    ACTIVE_LATENTS,
    DIVERGENCE,
    NEGATIVE_ELBO,
    NEGATIVE_LOG_LIKELIHOOD,
    RECONSTRUCTION,
    judged,
)
from ganglion.tasks.questions import Given
from ganglion.tasks.shared.classes import classes_at
from ganglion.tasks.shared.evaluation import ask, evaluating
from ganglion.tasks.shared.features import Features
from ganglion.tasks.shared.fitting import AS_THEY_ARE, adapt, sizes
from ganglion.tasks.shared.inputs import asked
from ganglion.tasks.shared.pictures.drawing import as_pictures, generators, numbered
from ganglion.tasks.shared.pictures.searching import Search
from ganglion.tasks.shared.prepared import Prepared

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAPPED = 2000
"""Samples on the map at most."""
SHOWN = 20
"""Samples drawn beside their reconstructions."""
GRID = 8
"""Rows and columns of the pictures."""
PLANE = 12
"""Rows and columns of the sheet of all that two latents can say."""
EDGE = 0.02
"""Share of the normal distribution that lies beyond each edge of that sheet."""
ACTIVE = 0.01
"""Variance of its mean over samples from which on a latent counts as used."""
FILM_RATE = 12.0
"""Pictures a second of a morph."""


@settings
class Predict:
    """Rebuild samples from the latents that the encoder guesses, and say how unlikely each sample is."""

    inputs: Given
    """Image files or folders of them, CSV or NPZ files, or arrays."""


@settings
class Generate:
    """Draw new samples."""

    count: Annotated[int, at_least(1)] = 64
    """Samples to draw."""
    seed: int = 0
    """Decides what is drawn: sample i is a function of the seed and i, however many are drawn."""
    class_: str | None = None
    """Class of what is drawn, by its name, of a conditional run; all in turn if not given."""


@settings
class Interpolate:
    """Draw the way from each image to the next."""

    inputs: Given
    """Two image files or more, folders of them, NPZ files, or arrays."""
    count: Annotated[int, at_least(2)] = 8
    """Images for each way, with both ends."""


@final
class Variational(Task):
    """Judge how likely held-out samples are to a network of latent variables.

    `negative_elbo` is in nats a sample, with one draw of the latents each, always the same. On the test part
    `negative_log_likelihood` is nearer to the truth: importance sampling with as many draws as the configuration says.
    For the baseline, values that know nothing of each other, both are the same number. Images are judged with the
    pixels that training sees: black and white ones are drawn from the brightness, by the same draw each time.
    """

    name = "variational"
    reads = ("image", "tabular")
    takes = "images or rows of a table"
    fields: ClassVar = {"inputs": ("images", "rows")}
    measures = (NEGATIVE_ELBO, NEGATIVE_LOG_LIKELIHOOD, RECONSTRUCTION, DIVERGENCE, ACTIVE_LATENTS)
    captions: ClassVar = {
        "generated": "What the network draws",
        "reconstructions": "Test samples, what is left of them after the latents, and the difference",
        "interpolation": "From one test sample to another, row by row",
        "code_map": "Where the encoder puts the test samples; one point each",
        "picture_map": "The test samples themselves, where the encoder puts them",
        "manifold": "All that two latents can say: steps of equal probability from edge to edge",
    }
    verbs: ClassVar = {
        "predict": Predict,
        "features": Features,
        "search": Search,
        "generate": Generate,
        "interpolate": Interpolate,
    }
    next_step = "ganglion generate {run} --count 64 --out samples.png"

    @classmethod
    def prepare(cls, source: str | Dataset, config: Any, settings: DataSettings, seed: int) -> Self:
        dataset = cls.open(source, settings)
        config = _with_likelihood(config, dataset)
        chosen = {"inputs": "inputs"} | ({"targets": "targets"} if config.conditional else {})
        if config.conditional and getattr(dataset.fields.get("targets"), "kind", None) != "classes":
            raise ConfigurationError(
                "a conditional network needs to know classes",
                where=dataset.source or dataset.name,
                expected="data with classes",
                found="none",
                remedy="leave conditional out",
            )
        options = {"inputs": AS_THEY_ARE} if dataset.kind == "image" else {}
        data = Prepared.of(dataset, chosen, config, settings, seed, options)
        task = cls(adapt(config, **sizes(data.preprocessing)), data.preprocessing)
        return task.holding(replace(data, derived=task._derived))

    @property
    def _derived(self) -> dict[str, Binarised]:
        """Return what inputs are made of: pixels drawn anew, or nothing that they are not already."""
        draws = self.config.likelihood == "bernoulli" and self.config.binarised
        return {"inputs": Binarised()} if draws else {}

    @property
    def _pictures(self) -> ImagePreprocessing | None:
        prepared = self.preprocessing["inputs"]
        return prepared if isinstance(prepared, ImagePreprocessing) else None

    @property
    def _labels(self) -> tuple[str, ...]:
        labels: tuple[str, ...] = self.preprocessing["targets"].labels
        return labels

    def evaluate(self, rule: LearningRule, part: Part = "validation") -> dict[str, float]:
        network, parts = _model(rule.home), []
        with evaluating(rule.home) as device:
            for batch in self.data.batches(part):
                placed = {name: values.to(device) for name, values in batch.items()}
                parts.append(judged(network, placed, self.config.importance_samples if part == "test" else 0))
        found = {name: torch.cat([one[name] for one in parts]).double() for name in parts[0]}
        means = found.pop("means")
        measures = {name: float(values.mean()) for name, values in found.items()}
        measures["negative_elbo"] = measures["reconstruction"] + measures["divergence"]
        return measures | {"active_latents": float((means.var(dim=0, correction=0) > ACTIVE).sum())}

    def baseline(self) -> dict[str, float]:
        """Judge values that know nothing of each other: their means, and for Gaussians one deviation for all."""
        (training, training_squares), (test, test_squares) = self._moments("train"), self._moments("test")
        if self.config.likelihood == "bernoulli":
            count = len(self.data["train"])
            means = (count * training + 1) / (count + 2)  # no value is ever impossible
            nats = -(test * means.log() + (1 - test) * (1 - means).log()).sum()
        else:
            variance = (training_squares - training.square()).mean().clamp(min=1e-8)
            distance = (test_squares - 2 * test * training + training.square()).sum()
            nats = (distance / variance + len(test) * (2 * torch.pi * variance).log()) / 2
        return {"negative_elbo": float(nats), "negative_log_likelihood": float(nats)}

    def _moments(self, part: Part) -> tuple[Tensor, Tensor]:
        """Return the means of the values of a part and of their squares (features,)."""
        first, second, count = torch.zeros(()), torch.zeros(()), 0
        for batch in self.data.batches(part):
            values = batch["inputs"].flatten(1).double().cpu()
            first, second, count = first + values.sum(0), second + values.square().sum(0), count + len(values)
        return first / count, second / count

    def _some(self, part: Part, most: int) -> Tensor:
        """Return at most `most` evenly spread samples of a part, as training sees them."""
        samples = self.data.some(part, self.data.spread(part, most))
        return self._seen(samples, torch.arange(len(samples)))

    def _seen(self, samples: Tensor, index: Tensor | None = None) -> Tensor:
        """Return prepared samples (samples, ...) as the network takes them.

        Pixels are drawn by the number of each sample (samples,); alike for all where none are given, so that an answer
        does not depend on what else is asked.
        """
        index = torch.zeros(len(samples), dtype=torch.int64) if index is None else index
        seen: Tensor = derive({"inputs": samples, "index": index}, self._derived, seed=0, epoch=0)["inputs"]
        return seen

    def figures(self, rule: LearningRule) -> "dict[str, Figure]":
        seen = self._some("test", MAPPED)
        codes, condition = self._explained(rule.home, seen)
        classes = classes_at(self.data, "test", MAPPED)
        drawn = {"code_map": figures.code_map(codes.numpy(), *classes)}
        if (images := self._pictures) is None:
            return drawn
        drawn["picture_map"] = figures.picture_map(codes.numpy(), images.inverse(seen), *classes)
        generated = self._drawn(rule.home, Generate(count=GRID * GRID))
        drawn["generated"] = figures.image_grid(generated, columns=GRID, title="Generated")
        few = evenly(len(seen), SHOWN)
        rebuilt = as_pictures(_decoded(rule.home, codes[few], _at(condition, few)), images)
        drawn["reconstructions"] = figures.reconstructions(images.inverse(seen[few]), rebuilt)
        between = [self._between(rule.home, codes, condition, pair) for pair in few[: 2 * GRID].reshape(-1, 2)]
        drawn["interpolation"] = figures.image_grid(
            np.concatenate(between), columns=GRID, title="From one test sample to another, row by row"
        )
        if codes.shape[1] == 2 and condition is None:
            plane = as_pictures(_decoded(rule.home, normal_grid(PLANE, EDGE), None), images)
            drawn["manifold"] = figures.image_grid(plane, columns=PLANE, title="What two latents can say")
        return drawn

    def sheet(self, home: nn.Module) -> np.ndarray | None:
        """Return what the network draws of the same latents each time."""
        if self._pictures is None:
            return None
        return figures.sheet(self._drawn(home, Generate(count=GRID * GRID)), columns=GRID)

    def predict(self, network: nn.Module, question: Predict) -> Images | Rows:
        """Return what is left of samples after the latents, with those and the bound of -log p of each."""
        found, samples = asked(question.inputs, self.preprocessing["inputs"], self.settings)
        seen = self._seen(samples)
        codes, condition = self._explained(network, seen)
        bounds = _asked(network, _bounds(_model(network)), seen.flatten(1), condition)[:, 0]
        rows: list[dict[str, Any]] = [
            {"negative_elbo": bound, "code": code} for bound, code in zip(bounds.tolist(), codes.tolist(), strict=True)
        ]
        if condition is not None:
            said = condition.argmax(dim=1).tolist()
            rows = [{"label": self._labels[one], **row} for one, row in zip(said, rows, strict=True)]
        answer = found.answer(rows)
        if (images := self._pictures) is None:
            return answer
        pixels = as_pictures(_decoded(network, codes, condition), images)
        return Images(pixels, found.titles, rows=answer.value, title="Rebuilt", notes=answer.notes, also=(answer,))

    def generate(self, network: nn.Module, question: Generate) -> Images | Rows:
        names = numbered(question.count, question.seed)
        drawn = self._drawn(network, question)
        if self._pictures is not None:
            return Images(drawn, names, title="Generated")
        rows = self.preprocessing["inputs"].inverse(drawn)
        return Rows([{"sample": name, **row} for name, row in zip(names, rows, strict=True)])

    def interpolate(self, network: nn.Module, question: Interpolate) -> Images:
        if self._pictures is None:
            raise UsageError("this run cannot interpolate", found="rows of a table", expected="a run on images")
        _, samples = asked(question.inputs, self.preprocessing["inputs"], self.settings)
        if len(samples) < 2:
            raise UsageError("a way needs two ends", expected="two images or more", found=str(len(samples)))
        codes, condition = self._explained(network, self._seen(samples))
        ways = [
            self._between(network, codes, condition, (place, place + 1), question.count)
            for place in range(len(codes) - 1)
        ]
        names = [f"{way + 1:04}-{step + 1:03}" for way in range(len(ways)) for step in range(question.count)]
        frames = np.concatenate(ways)
        film = Film(np.broadcast_to(frames, (*frames.shape[:3], 3)), FILM_RATE)
        return Images(frames, names, title="From one image to the next", columns=question.count, also=(film,))

    def _between(
        self, network: nn.Module, codes: Tensor, condition: Tensor | None, ends: Any, count: int = GRID
    ) -> np.ndarray:
        """Return pictures on the straight way between two of the codes (samples, features), their classes mixed."""
        first, last = ends
        share = torch.linspace(0, 1, count)[:, None]
        way = torch.lerp(codes[first], codes[last], share)
        mixed = None if condition is None else torch.lerp(condition[first], condition[last], share)
        assert self._pictures is not None
        return as_pictures(_decoded(network, way, mixed), self._pictures)

    def _drawn(self, network: nn.Module, question: Generate) -> Any:
        """Return new samples: pictures, or rows of standardised values."""
        features = _model(network).latent_features
        latent = [torch.randn(features, generator=one) for one in generators(question.count, question.seed)]
        decoded = _decoded(network, torch.stack(latent), self._condition(question))
        return decoded if self._pictures is None else as_pictures(decoded, self._pictures)

    def _condition(self, question: Generate) -> Tensor | None:
        """Return what new samples are of: one class, or all in turn, (count, classes)."""
        if not self.config.conditional:
            if question.class_ is not None:
                raise UsageError(
                    "this run knows no classes",
                    found=f"class {question.class_}",
                    remedy="train with --conditional, or leave the class out",
                )
            return None
        labels = self._labels
        if question.class_ is not None and question.class_ not in labels:
            raise unknown_name("class", question.class_, list(labels))
        places = torch.arange(question.count) % len(labels)
        if question.class_ is not None:
            places[:] = labels.index(question.class_)
        return torch.eye(len(labels))[places]

    def _explained(self, network: nn.Module, seen: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return the mean latents of samples, and of a conditional network the class that makes each the likeliest."""
        model, condition = _model(network), None
        rows = seen.flatten(1)
        if model.condition_features:
            classes = torch.eye(model.condition_features)
            bounds = [_asked(network, _bounds(model), rows, one.expand(len(rows), -1))[:, 0] for one in classes]
            condition = classes[torch.stack(bounds).argmin(dim=0)]
        return _asked(network, model.posterior, rows, condition)[:, : model.latent_features], condition


def _bounds(network: LatentModel) -> Any:
    """Return what gives the negative ELBO of each row (rows, 1), at the mean latents."""

    def bounds(rows: Tensor, condition: Tensor | None) -> tuple[Tensor]:
        mean, log_variance = network.posterior(rows, condition)
        likelihood = network.log_likelihood(network.outputs(mean, condition), rows)
        return ((variational.divergence_from_normal(mean, log_variance) - likelihood)[:, None],)

    return bounds


def _decoded(network: nn.Module, codes: Tensor, condition: Tensor | None) -> Tensor:
    model = _model(network)
    return _asked(network, lambda *given: (model.expected(model.outputs(*given)),), codes, condition)


def _asked(network: nn.Module, call: Any, rows: Tensor, condition: Tensor | None) -> Tensor:
    """Return the outputs of a call of rows and their condition, side by side, (rows, ...), in blocks of one size."""
    if condition is None:
        return ask(network, rows, by=lambda block: torch.cat(call(block, None), dim=1))
    width = rows.shape[1]
    together = torch.cat([rows, condition], dim=1)
    return ask(network, together, by=lambda block: torch.cat(call(block[:, :width], block[:, width:]), dim=1))


def _at(condition: Tensor | None, places: np.ndarray) -> Tensor | None:
    return None if condition is None else condition[places]


def _model(network: nn.Module) -> LatentModel:
    assert isinstance(network, LatentModel)
    return network


def _with_likelihood(config: Any, dataset: Dataset) -> Any:
    """Return the configuration with what its outputs mean decided by the data."""
    is_images = dataset.kind == "image"
    likelihood = config.likelihood or ("bernoulli" if is_images else "gaussian")
    if likelihood == "bernoulli" and not is_images:
        raise ConfigurationError(
            "chances of white need values in [0, 1]",
            found="rows of standardised numbers",
            remedy="likelihood gaussian",
        )
    return replace(config, likelihood=likelihood)


def normal_grid(side: int, edge: float) -> Tensor:
    """Return points (side * side, 2) of equal steps of probability of a normal plane, from top left row by row.

    >>> normal_grid(3, 0.1)[4].tolist()
    [0.0, 0.0]
    """
    steps = torch.special.ndtri(torch.linspace(edge, 1 - edge, side))
    return torch.cartesian_prod(steps.flip(0), steps).flip(1)


TASK = Variational
