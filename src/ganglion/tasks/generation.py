"""Generation: a network that draws new images like those of a set, of a class if it was told classes."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self, final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from ganglion import figures
from ganglion.core import LearningRule, Staged, Styled
from ganglion.data.dataset import Dataset
from ganglion.data.preprocessing import ImagePreprocessing
from ganglion.data.settings import DataSettings
from ganglion.errors import DataError, UsageError
from ganglion.rules.adversarial.latent import Latent
from ganglion.settings import at_least, between, settings, unknown_name
from ganglion.tasks.answers import Film, Images
from ganglion.tasks.base import Part, Task
from ganglion.tasks.measures.kinship import kinship
from ganglion.tasks.measures.samples import MEASURES, NEIGHBOURS, SampleQuality
from ganglion.tasks.shared.evaluation import ask
from ganglion.tasks.shared.fitting import AS_THEY_ARE, adapt, sizes
from ganglion.tasks.shared.pictures import styles
from ganglion.tasks.shared.pictures.drawing import generators, numbered
from ganglion.tasks.shared.pictures.inversion import Maker
from ganglion.tasks.shared.pictures.judges import judge_of
from ganglion.tasks.shared.pictures.projecting import Project, Usual
from ganglion.tasks.shared.pictures.samples_by_judge import JudgedSamples
from ganglion.tasks.shared.prepared import Prepared

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SIZES = (16, 28, 32, 64)
"""Sides that images are resized to when none is asked for: the first that holds the data's, or the last."""
LOW, HIGH = -1.0, 1.0
"""Range of the pixels, that of tanh."""
JUDGED = 1000
"""Images at most of each kind that a judgement compares."""
FITTED = 5000
"""Training images at most that the principal components are taken from."""
KNOWN = 200
"""Real images at most whose distance from generated ones is remembered."""
MOST_COLUMNS = 12
GRID = 8
"""Rows and columns of the pictures."""
PSIS = (1.0, 0.7, 0.5, 0.0, -0.5, -1.0)
"""Truncations that are drawn, those of the paper."""
STOPS, STEPS, FRAMES_PER_SECOND = 4, 12, 12.0
"""Styles that a film goes through, pictures on the way to each, and how fast."""


@settings
class Generate:
    """Draw new images."""

    count: Annotated[int, at_least(1)] = 64
    """Images to draw."""
    seed: int = 0
    """Decides what is drawn: image i is a function of the seed and i, however many are drawn."""
    class_: str | None = None
    """Class of what is drawn, by its name, of a run that was told classes; all in turn if not given."""
    truncation: Annotated[float, between(-1, 1)] | None = None
    """Of a generator of styles: how far styles go from the mean one, 0 to 1; 0.7 draws more usual pictures, 1 all, and
    below 0 the opposite."""


@final
class Generation(Task):
    """Draw images, judged by their distribution in the principal components of the training images' pixels.

    `frechet_distance` compares means and covariances with those of real images; 0 is perfect. `density` says how close
    generated images are to real ones, `coverage` what share of the real ones has a generated one nearby: a generator
    that draws the same few images has a fair density and next to no coverage. Always the same latent vectors are
    judged, so that a change is the network's. See `ganglion.tasks.measures.samples`.
    """

    name = "generation"
    reads = ("image",)
    takes = "images"
    fields: ClassVar = {"inputs": ("images",)}
    measures = MEASURES
    captions: ClassVar = {
        "generated": "What the network draws",
        "real": "Images of the test part",
        "interpolation": "What the network draws on the way from one latent vector to another, row by row",
        "nearest": "Generated images, below each the nearest training image; copies and mixtures of two are named",
        "stages": "Generated images as they grow: a row for each stage, coarse to fine",
        "mixing": "Mixed styles: the coarse ones of the image on the left, the fine ones of that above",
        "truncation": "The same noise with styles nearer to the mean one from column to column, and beyond it",
        "walk": "What the network draws on the way from style to style and back",
    }
    verbs: ClassVar = {"generate": Generate, "project": Project}
    next_step = "ganglion generate {run} --count 64 --out samples.png"
    training: np.ndarray
    """Some training images, prepared `(samples, channels, height, width)`; like the fields below, only a prepared task
    has them."""
    real: dict[Part, np.ndarray]
    """Real images of each part that generated ones are compared with, prepared."""
    quality: SampleQuality
    usual: Usual = Usual()
    """How far real pictures are from those that are drawn; nothing until calibrated."""

    @classmethod
    def prepare(cls, source: str | Dataset, config: Any, settings: DataSettings, seed: int) -> Self:
        dataset = cls.open(source, settings)
        found = ImagePreprocessing.fit(dataset.fields["inputs"].values)
        fitting = next((size for size in SIZES if size >= max(found.size)), SIZES[-1])
        options = {**AS_THEY_ARE, "image_size": config.image_size or fitting, "low": LOW, "high": HIGH}
        chosen = {"inputs": "inputs"} | ({"targets": "targets"} if hasattr(config, "num_classes") else {})
        if "targets" in chosen:
            _refuse_without_classes(dataset)
        data = Prepared.of(dataset, chosen, config, cls.settled(settings), seed, {"inputs": options})
        decided = sizes(data.preprocessing) | {"in_features": None}  # which rows have instead of pixels
        task = cls(adapt(config, **decided), data.preprocessing).holding(data)
        task.training = task._some("train", FITTED)
        task.quality = SampleQuality.fit(task.training)
        task.real = {"train": task.training[:JUDGED]}
        task.real |= {part: task._some(part, JUDGED) for part in ("validation", "test") if len(data[part])}
        task.has_validation = len(data["validation"]) > NEIGHBOURS
        if len(data["test"]) <= NEIGHBOURS:
            task.real["test"] = task.real["train"]
            task.notes = (*task.notes, "too few test images: generated ones are compared with training images")
        return task

    @classmethod
    def restore(cls, state: dict[str, Any], config: Any) -> Self:
        task = super().restore(state, config)
        task.usual = Usual(*map(tuple, state.get("usual", ((), ()))))  # runs from before there was such a thing
        return task

    def state(self) -> dict[str, Any]:
        return super().state() | {"usual": [list(self.usual.distances), list(self.usual.contrasts)]}

    def calibrate(self, rule: LearningRule) -> None:
        """Measure how far real pictures are from those that are drawn, so that foreign ones are known as such."""
        places = self.data.spread("validation", KNOWN)
        real = self.data.some("validation", places)
        self.usual = Usual.of(self.maker(rule.home), real, HIGH - LOW)

    def _some(self, part: Part, most: int) -> np.ndarray:
        """Return at most `most` prepared images of a part, evenly chosen in shuffled order."""
        places = _places(len(self.data[part]), most)
        images: np.ndarray = self.data.some(part, places).numpy()
        return images

    def evaluate(self, rule: LearningRule, part: Part = "validation") -> dict[str, float]:
        generated = self._drawn(rule.home, self._latent(JUDGED, seed=0))
        return self.quality.compare(self.real[part], generated.numpy())

    def baseline(self) -> dict[str, float]:
        """Draw every pixel on its own from the normal distribution that it has in the training images."""
        mean, deviation = self.training.mean(axis=0), self.training.std(axis=0)
        noise = np.random.default_rng(0).standard_normal((JUDGED, *mean.shape))
        return self.quality.compare(self.real["test"], (mean + deviation * noise).clip(LOW, HIGH))

    def judge_samples(self, home: nn.Module) -> JudgedSamples:
        """Compare what the network draws with test images, on features of a judge trained on the training images."""
        places = _places(len(self.data["train"]), FITTED)
        known = self.data["train"].fields.get("targets")
        classes = None
        if known is not None and known.kind == "classes":
            classes = torch.from_numpy(np.asarray(known.values)[places].astype(np.int64))
        training = torch.from_numpy(self.training)
        judge = judge_of(training, classes, fingerprint=f"{self.fingerprint} {training.shape}")
        asked_for = None if self.labels is None else _in_turn(JUDGED, self.labels)
        generated = self._drawn(home, self._latent(JUDGED, seed=0))
        return JudgedSamples.measure(judge, torch.from_numpy(self.real["test"]), training, generated, asked_for)

    def figures(self, rule: LearningRule) -> "dict[str, Figure]":
        count = GRID * self._columns
        generated = self._drawn(rule.home, self._latent(count, seed=0))
        drawn = {"stages": self._stages(rule.home)} if isinstance(rule.home, Staged) else {}
        drawn |= self._of_styles(rule.home) if isinstance(rule.home, Styled) else {}
        return {
            "generated": self._grid(generated, "Generated"),
            "real": self._grid(torch.from_numpy(self.real["test"][:count]), "Real"),
            "interpolation": self._grid(
                self._interpolation(rule.home), "From one latent vector to another, row by row"
            ),
            "nearest": self._beside_nearest(generated),
            **drawn,
        }

    def sheet(self, home: nn.Module) -> np.ndarray:
        """Return what the network draws of the same latent vectors each time."""
        drawn = self._drawn(home, self._latent(GRID * self._columns, seed=0))
        return figures.sheet(self.preprocessing["inputs"].inverse(drawn), columns=self._columns)

    def _stages(self, network: Staged) -> "Figure":
        """Draw images as they grow, each stage brought to the size of the last."""
        size = self.preprocessing["inputs"].size

        def grown(latent: Tensor) -> Tensor:
            return torch.stack([interpolate(stage, size, mode="nearest") for stage in network.stages(latent)], dim=1)

        assert isinstance(network, nn.Module)
        rows = ask(network, self._latent(self._columns, seed=0), by=grown).transpose(0, 1)
        return self._grid(rows.flatten(0, 1), "As they grow, coarse to fine")

    def _interpolation(self, network: nn.Module) -> Tensor:
        """Draw images along great circles between pairs of latent vectors."""
        columns = self._columns
        if isinstance(network, Styled):
            first, last = self._latent(2 * GRID, seed=1).chunk(2)
            return styles.between(network, first, last, columns).flatten(0, 1)
        first, last = self._latent(2 * GRID, seed=1).unflatten(0, (2, GRID, 1))  # (rows, 1, features)
        share = torch.linspace(0, 1, columns)[:, None]  # (columns, 1)
        classes = None if self.labels is None else _in_turn(GRID, self.labels).repeat_interleave(columns)
        return self._drawn(network, great_circle(first, last, share).flatten(0, 1), classes)

    def _of_styles(self, network: nn.Module) -> "dict[str, Figure]":
        """Draw mixed styles, and styles nearer to the mean."""
        table = styles.mixing_table(network, self._latent(GRID - 2, seed=2), self._latent(GRID - 2, seed=3))
        rows = styles.truncations(network, self._latent(GRID - 3, seed=0), PSIS)
        pictures = self.preprocessing["inputs"].inverse
        above = [f"{psi:g}" for psi in PSIS]
        return {
            "mixing": figures.image_grid(
                pictures(table), columns=GRID - 1, title="Coarse from the left, fine from above"
            ),
            "truncation": figures.image_grid(
                pictures(rows), above, len(PSIS), "Styles by their distance from the mean"
            ),
        }

    def moving(self, rule: LearningRule) -> dict[str, Film]:
        if not isinstance(rule.home, Styled):
            return {}
        stops = [self._latent(2 * GRID, seed=4 + stop) for stop in range(STOPS)]
        start, frames = stops[0][:, self.config.noise_features :], []
        for first, last in zip(stops, [*stops[1:], stops[0]], strict=True):
            here, there = (torch.cat([one[:, : self.config.noise_features], start], dim=1) for one in (first, last))
            pictures = styles.between(rule.home, here, there, STEPS, closed=True)
            frames += [
                figures.sheet(self.preprocessing["inputs"].inverse(one), columns=GRID) for one in pictures.unbind(1)
            ]
        return {"walk": Film(np.stack(frames), FRAMES_PER_SECOND)}

    def _beside_nearest(self, generated: Tensor) -> "Figure":
        """Put rows of training images between rows of generated ones, and name those that are copies or mixtures."""
        shown = generated[: GRID * self._columns // 2]
        training = torch.from_numpy(self.training)
        nearest = training[torch.cdist(shown.flatten(1), training.flatten(1)).argmin(dim=1)]
        rows = torch.stack([part.unflatten(0, (-1, self._columns)) for part in (shown, nearest)], dim=1)
        found = kinship(shown.flatten(1), training.flatten(1))
        names = np.array(["" if name == "new" else name for name in found]).reshape(-1, self._columns)
        above = np.stack([names, np.full_like(names, "")], axis=1).ravel().tolist()
        title = f"Generated, and below each its nearest training image: {found.count('copy')} copies, "
        title += f"{found.count('mixture')} mixtures of two, of {len(found)}"
        pictures = self.preprocessing["inputs"].inverse(rows.flatten(0, 2))
        return figures.image_grid(pictures, above, self._columns, title)

    def generate(self, network: nn.Module, question: Generate) -> Images:
        latent, names = self._latent(question.count, question.seed), numbered(question.count, question.seed)
        classes = self._class_numbers(question.class_, question.count)
        images = self._drawn(network, latent, classes)
        if question.truncation is not None:
            images = styles.drawn(_styled(network, question.truncation), latent, question.truncation)
        drawn = self.preprocessing["inputs"].inverse(images)
        if classes is None or self.labels is None:
            return Images(drawn, names, title="Generated")
        groups = [self.labels[number] for number in classes.tolist()]
        columns = self._columns if question.class_ is None else None
        return Images(drawn, names, title="Generated", columns=columns, groups=groups)

    @property
    def labels(self) -> tuple[str, ...] | None:
        """Names of the classes that the network is told; None where it is told none."""
        told = self.preprocessing.get("targets")
        return None if told is None else told.labels

    @property
    def _columns(self) -> int:
        """Pictures in a row: one of each class, if that is not too many."""
        return len(self.labels) if self.labels is not None and 4 <= len(self.labels) <= MOST_COLUMNS else GRID

    def _class_numbers(self, name: str | None, count: int) -> Tensor | None:
        """Return the class of each image, (count,): one, or all in turn; None where the network is told none."""
        if self.labels is None:
            if name is not None:
                raise UsageError(
                    "this run was told no classes",
                    found=f"class {name}",
                    remedy="leave the class out, or train cgan on images with classes",
                )
            return None
        if name is None:
            return _in_turn(count, self.labels)
        if name not in self.labels:
            raise unknown_name("class", name, list(self.labels))
        return torch.full((count,), self.labels.index(name))

    def _drawn(self, network: nn.Module, latent: Tensor, classes: Tensor | None = None) -> Tensor:
        """Return images (count, channels, height, width) of noise (count, features) and classes (count,).

        Where a network is told classes and none are given, they come in turn.
        """
        return ask(network, self._told(latent, classes), by=self._by(network))

    def _told(self, latent: Tensor, classes: Tensor | None = None) -> Tensor:
        """Return noise (count, features) with the class behind it, in turn where none is given; as it is where the
        network is told none.
        """
        if self.labels is None:
            return latent
        classes = _in_turn(len(latent), self.labels) if classes is None else classes
        return torch.cat([latent, classes[:, None].to(latent.dtype)], dim=1)

    def _by(self, network: nn.Module) -> Callable[[Tensor], Tensor]:
        """Return what makes images of noise with the class behind it."""
        return network if self.labels is None else lambda block: network(block[:, :-1], block[:, -1].long())

    def maker(self, network: nn.Module, class_: str | None = None) -> Maker:
        """Return the network as what pictures are looked for among."""
        return Maker(
            network,
            self._by(network),
            lambda count, seed: self._told(self._latent(count, seed), self._class_numbers(class_, count)),
            getattr(self.config, "latent", "normal"),
            self.config.latent_features,
        )

    def _latent(self, count: int, seed: int) -> Tensor:
        """Return `count` noise vectors, each a function of the seed and its number alone."""
        draw = Latent(getattr(self.config, "latent", "normal"), (self.config.latent_features,))
        return torch.cat([draw(1, generator=one) for one in generators(count, seed)])

    def _grid(self, images: Tensor, title: str = "") -> "Figure":
        return figures.image_grid(self.preprocessing["inputs"].inverse(images), columns=self._columns, title=title)


def _styled(network: nn.Module, truncation: float) -> nn.Module:
    """Return the network of a run if it draws by styles, which alone can be truncated."""
    if not isinstance(network, Styled):
        raise UsageError(
            "this run has no styles that could be truncated",
            found=f"truncation {truncation:g}",
            remedy="leave it out, or train stylegan",
        )
    return network


def _places(count: int, most: int) -> np.ndarray:
    """Return at most so many places of samples (places,), in shuffled order."""
    return np.random.default_rng(0).permutation(count)[:most]


def _in_turn(count: int, labels: Sequence[str]) -> Tensor:
    """Return class numbers (count,): each in turn."""
    return torch.arange(count) % len(labels)


def _refuse_without_classes(dataset: Dataset) -> None:
    """Raise where there are not two classes that a network could be told."""
    targets = dataset.fields.get("targets")
    found = 0 if targets is None or targets.kind != "classes" else len(np.unique(np.asarray(targets.values)))
    if found < 2:
        raise DataError(
            "a network that is told classes needs some",
            where=dataset.source or dataset.name,
            expected="images of two classes or more, such as a folder with a folder for each",
            found=f"{found} class" + "es" * (found != 1),
            remedy="choose dcgan or wgan, which need none",
        )


def great_circle(first: Tensor, last: Tensor, share: Tensor) -> Tensor:
    """Return (sin((1 - t) w) a + sin(t w) b) / sin w, the way from a to b that keeps the usual length of noise.

    A straight line would pass closer to the origin, where a normal distribution of many features has no samples.

    >>> great_circle(torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0]), torch.tensor(0.5))
    tensor([0.7071, 0.7071])
    """
    angle = torch.acos(torch.cosine_similarity(first, last, dim=-1)).unsqueeze(-1)
    return (torch.sin((1 - share) * angle) * first + torch.sin(share * angle) * last) / torch.sin(angle)


TASK = Generation
