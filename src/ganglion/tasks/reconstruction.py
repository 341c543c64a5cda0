"""Reconstruction: a network that squeezes samples through a code; no labels are needed."""

import base64
import zlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self, final

import numpy as np
import torch
from torch import Tensor, nn

from ganglion import figures
from ganglion.core import Layered, LearningRule, Measure
from ganglion.data.dataset import Dataset
from ganglion.data.preprocessing import ImagePreprocessing
from ganglion.data.settings import DataSettings
from ganglion.errors import ConfigurationError, DataError, UsageError
from ganglion.rules.losses import LOSS
from ganglion.settings import at_least, settings
from ganglion.tasks.answers import Images, Rows
from ganglion.tasks.base import Part, Task
from ganglion.tasks.measures.images import PSNR
from ganglion.tasks.questions import Given
from ganglion.tasks.shared.classes import classes_at
from ganglion.tasks.shared.codes import decoded, encoded, rebuilt
from ganglion.tasks.shared.evaluation import ask, judged
from ganglion.tasks.shared.features import Features
from ganglion.tasks.shared.fitting import adapt, as_drawn, sizes
from ganglion.tasks.shared.inputs import asked
from ganglion.tasks.shared.pictures.drawing import as_pictures, generators, in_turn, numbered
from ganglion.tasks.shared.pictures.searching import Search

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAPPED = 2000
"""Samples on the map at most."""
SHOWN = 20
"""Samples drawn beside their reconstructions."""
COLUMNS = 8
"""Samples in a row of a sheet, which has two of them."""
PLANE = 12
"""Rows and columns of the picture of the code plane."""
FITTED = 10_000
"""Training samples at most that the principal components of the baseline are taken from."""
KEPT_VALUES = 100_000
"""Pixels at most, over all training images, that a run keeps to draw new ones from."""


RECONSTRUCTION_ERROR = Measure(
    name="reconstruction_error",
    higher_is_better=False,
    meaning="Mean squared error of a value after the passage through the code.",
)
PRINCIPAL_COMPONENTS_ERROR = Measure(
    name="principal_components_error",
    higher_is_better=False,
    meaning="Error of as many principal components as the code has numbers.",
)


@settings
class Predict:
    """Give the code of samples, and the error of what is rebuilt from it."""

    inputs: Given
    """Image files or folders of them, CSV or NPZ files, or arrays."""


@settings
class Generate:
    """Draw images of codes that lie between those of two training images."""

    count: Annotated[int, at_least(1)] = 64
    """Images to draw."""
    seed: int = 0
    """Decides what is drawn: image i is a function of the seed and i, however many are drawn."""


@final
class Reconstruction(Task):
    """Judge what is left of samples after a passage through the code.

    `reconstruction_error` is the mean squared error of a value: of a pixel in [0, 1], or of a standardised column.
    `psnr` is the same for pixels in decibels, 10 log10 (1 / error). The baseline answers every sample with the mean
    of the training part. On the test part the error of as many principal components as the code has numbers stands
    beside the score, the best that any linear code can do.
    """

    name = "reconstruction"
    reads = ("image", "tabular")
    takes = "images or rows of a table"
    fields: ClassVar = {"inputs": ("images", "rows")}
    measures = (RECONSTRUCTION_ERROR, PSNR, LOSS, PRINCIPAL_COMPONENTS_ERROR)
    captions: ClassVar = {
        "code_map": "Where the encoder puts the test samples; one point each",
        "picture_map": "The test samples themselves, where the encoder puts them",
        "reconstructions": "Test samples, what is left of them after the code, and the difference",
        "layers": "Test samples, what was left of them through more and more layers trained alone, and in the end",
        "code_plane": "What the decoder makes of an even grid of codes, laid out like the code map",
    }
    verbs: ClassVar = {"predict": Predict, "features": Features, "search": Search, "generate": Generate}
    joined = frozenset({"predict"})
    next_step = "ganglion predict {run} INPUT"
    kept: Tensor | None = None
    """Some training images `(images, channels, height, width)`, between whose codes new ones are drawn."""

    @classmethod
    def prepare(cls, source: str | Dataset, config: Any, settings: DataSettings, seed: int) -> Self:
        dataset = cls.open(source, settings)
        if dataset.kind != "image" and getattr(config, "loss", "") == "binary-cross-entropy":
            raise ConfigurationError(
                "binary cross-entropy needs values in [0, 1]",
                found="rows of standardised numbers",
                remedy="loss squared-error",
            )
        if dataset.kind != "image" and hasattr(config, "in_channels"):
            raise DataError(
                "this system looks at images",
                where=dataset.source or dataset.name,
                found="rows of numbers",
                remedy="give images, or choose a system for rows, such as autoencoder",
            )
        data = cls.prepared(dataset, config, settings, seed, {"inputs": as_drawn(dataset, config)})
        task = cls(adapt(config, **sizes(data.preprocessing)), data.preprocessing).holding(data)
        if dataset.kind == "image":
            first = task._some("train", 1)
            task.kept = task._some("train", max(2, min(64, KEPT_VALUES // first.numel())))
        return task

    @classmethod
    def restore(cls, state: dict[str, Any], config: Any) -> Self:
        task = super().restore(state, config)
        task.kept = _unpacked(state["kept"]) if state["kept"] else None
        return task

    def state(self) -> dict[str, Any]:
        return super().state() | {"kept": None if self.kept is None else _packed(self.kept)}

    def _some(self, part: Part, most: int) -> Tensor:
        """Return at most `most` evenly spread samples of a part, prepared."""
        samples: Tensor = self.data.some(part, self.data.spread(part, most))
        return samples

    def evaluate(self, rule: LearningRule, part: Part = "validation") -> dict[str, float]:
        loss, squares, values, count = 0.0, 0.0, 0, 0
        for batch in self.data.batches(part):
            inputs = batch["inputs"].cpu()
            loss += judged(rule, ask(rule.home, inputs), inputs)["loss"] * len(inputs)
            squares += float((rebuilt(rule.home, inputs) - inputs).square().sum())
            values, count = values + inputs.numel(), count + len(inputs)
        measures = {"loss": loss / count, **self._measures(squares / values)}
        return measures | ({"principal_components_error": self._linear_error()} if part == "test" else {})

    def baseline(self) -> dict[str, float]:
        """Answer with the mean of the training part."""
        training, test = self._some("train", FITTED).flatten(1), self._some("test", FITTED).flatten(1)
        return self._measures(float((training.mean(dim=0) - test).square().mean()))

    def _linear_error(self) -> float:
        """Return the error on the test part of as many principal components as the code has numbers."""
        from sklearn.decomposition import PCA

        training, test = (self._some(part, FITTED).flatten(1).numpy() for part in ("train", "test"))
        linear = PCA(min(self.config.code_size, *training.shape), random_state=0).fit(training)
        return float(((linear.inverse_transform(linear.transform(test)) - test) ** 2).mean())

    def _measures(self, error: float) -> dict[str, float]:
        measures = {"reconstruction_error": error}
        if isinstance(self.preprocessing["inputs"], ImagePreprocessing):
            measures["psnr"] = float(10 * np.log10(1 / max(error, 1e-12)))
        return measures

    def figures(self, rule: LearningRule) -> "dict[str, Figure]":
        samples, classes = self._some("test", MAPPED), classes_at(self.data, "test", MAPPED)
        codes = encoded(rule.home, samples)
        drawn = {"code_map": figures.code_map(codes.numpy(), *classes)}
        if isinstance(self.preprocessing["inputs"], ImagePreprocessing):
            pictures = self.preprocessing["inputs"].inverse(samples)
            drawn["picture_map"] = figures.picture_map(codes.numpy(), pictures, *classes)
            shown = self._some("test", SHOWN)
            restored = self._images(rebuilt(rule.home, shown).flatten(1))
            drawn["reconstructions"] = figures.reconstructions(self.preprocessing["inputs"].inverse(shown), restored)
            if isinstance(rule, Layered) and (left := rule.after_each_layer(shown[:COLUMNS])):
                drawn["layers"] = self._by_layer(shown[:COLUMNS], left, restored)
            if codes.shape[1] == 2:
                drawn["code_plane"] = self._code_plane(rule.home, codes)
        return drawn

    def _by_layer(self, shown: Tensor, left: Sequence[Tensor], restored: np.ndarray) -> "Figure":
        """Draw samples, what was left of them after each layer that was trained alone, and what is left of them now."""
        inverse = self.preprocessing["inputs"].inverse
        rows = {"original": inverse(shown)}
        for number, part in enumerate(left, 1):
            rows[f"{number} layer{'s' * (number > 1)}"] = inverse(part)
        return figures.strips({**rows, "fine-tuned": restored[: len(shown)]}, "Layer by layer", columns=len(shown))

    def sheet(self, home: nn.Module) -> np.ndarray | None:
        """Return held-out images, and below each row of them what is left of them after the code."""
        if not isinstance(self.preprocessing["inputs"], ImagePreprocessing):
            return None
        shown = self._some("validation", 2 * COLUMNS)
        restored = self._images(rebuilt(home, shown).flatten(1))
        return figures.sheet(
            in_turn(self.preprocessing["inputs"].inverse(shown), restored, columns=COLUMNS), columns=COLUMNS
        )

    def _code_plane(self, network: nn.Module, codes: Tensor) -> "Figure":
        """Draw what the decoder makes of an even grid of codes, laid out like the map."""
        # Without the outermost samples, which would leave most of the plane to nothing.
        low, high = codes.quantile(0.02, dim=0), codes.quantile(0.98, dim=0)
        across, up = (torch.linspace(float(a), float(b), PLANE) for a, b in zip(low, high, strict=True))
        grid = torch.cartesian_prod(up.flip(0), across).flip(1)  # rows from top to bottom, (PLANE * PLANE, 2)
        images = self._images(decoded(network, grid))
        return figures.image_grid(images, columns=PLANE, title="What codes stand for, laid out like the code map")

    def _images(self, decoded: Tensor) -> np.ndarray:
        """Return pixels (samples, height, width, channels) of decoded values (samples, features)."""
        return as_pictures(decoded, self.preprocessing["inputs"])

    def predict(self, network: nn.Module, question: Predict) -> Rows:
        """Return the code of every sample, and the error of what is rebuilt from it."""
        found, samples = asked(question.inputs, self.preprocessing["inputs"], self.settings)
        codes = encoded(network, samples)
        lost = (decoded(network, codes) - samples.flatten(1)).square().mean(dim=1)
        rows = zip(codes.tolist(), lost.tolist(), strict=True)
        return found.answer([{"code": code, "reconstruction_error": error} for code, error in rows])

    def generate(self, network: nn.Module, question: Generate) -> Images:
        """Return images of codes between those of two training images each."""
        if self.kept is None:
            raise UsageError("this run cannot generate", found="rows of a table", expected="a run on images")
        codes = encoded(network, self.kept)
        between = []
        for generator in generators(question.count, question.seed):
            first, second = torch.rand(len(codes), generator=generator).argsort()[:2]  # two different ones
            between.append(torch.lerp(codes[first], codes[second], torch.rand((), generator=generator)))
        pixels = self._images(decoded(network, torch.stack(between)))
        return Images(pixels, numbered(question.count, question.seed), title="Between codes of training images")


def _packed(images: Tensor) -> dict[str, Any]:
    """Return images in [0, 1] as JSON values of about the size of their files."""
    pixels = (images * 255).round().to(torch.uint8)
    return {
        "shape": list(pixels.shape),
        "pixels": base64.b64encode(zlib.compress(pixels.numpy().tobytes())).decode("ascii"),
    }


def _unpacked(state: dict[str, Any]) -> Tensor:
    pixels = np.frombuffer(zlib.decompress(base64.b64decode(state["pixels"])), np.uint8)
    return torch.from_numpy(pixels.reshape(state["shape"]).astype(np.float32) / 255)


TASK = Reconstruction
