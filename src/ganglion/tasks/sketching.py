"""Sketching: draw line by line, rebuild a drawing, finish one that somebody began, change one into another."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self, final

import numpy as np
import torch
from torch import Tensor, nn

from ganglion import figures
from ganglion.core import LearningRule, Loader
from ganglion.data.dataset import Dataset
from ganglion.data.loaders.in_memory import InMemoryLoader
from ganglion.data.loaders.noise import normals
from ganglion.data.loaders.pen import PenChanges
from ganglion.data.preprocessing import Ragged, StrokePreprocessing
from ganglion.data.settings import DataSettings
from ganglion.data.strokes import Lines, lines_of
from ganglion.errors import UsageError
from ganglion.rules.autoencoder import variational
from ganglion.settings import above, at_least, settings
from ganglion.tasks.answers import Rows, Strokes
from ganglion.tasks.base import Part, Task
from ganglion.tasks.measures.sketches import MEASURES, independent
from ganglion.tasks.questions import FileName, Given
from ganglion.tasks.shared.classes import classes_at
from ganglion.tasks.shared.pictures.drawing import generators, numbered
from ganglion.tasks.shared.sketches.drawing import divergence_of, draw, explained, likely_latents, surprise_of
from ganglion.tasks.shared.sketches.given import given_drawing, given_drawings, short_enough, titles

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMNS, ROWS = 8, 5
"""Drawings in a row of a figure, and rows."""
HEATS = (0.2, 0.4, 0.6, 0.8, 1.0)
"""Temperatures of the rows of new drawings."""
QUIET, USUAL = 0.1, 0.3
"""Temperatures at which drawings are rebuilt, and at which they are finished."""
BEGUN = 0.4
"""Share of its points with which a test drawing is begun in the figure of completions."""
MAPPED = 1000
"""Drawings on the map at most."""
CANDIDATES = 128
"""Latents that are tried for a beginning."""
SHEET = 128
"""Pixels of a drawing on a sheet that is made while training."""


@settings
class Predict:
    """Rebuild drawings from the numbers that the encoder makes of them, and say how surprising each is."""

    inputs: Given
    """Files of drawings (.svg, .ndjson, .json, .npz), or arrays of moves (points, 3)."""
    temperature: Annotated[float, at_least(0)] = QUIET
    """How freely they are drawn again; 0 always does what is likeliest."""
    seed: int = 0
    """Decides what is drawn."""


@settings
class Generate:
    """Draw, freely, like a drawing, or on from one that was begun."""

    count: Annotated[int, at_least(1)] = 16
    """Drawings."""
    temperature: Annotated[float, at_least(0)] = USUAL
    """How freely is drawn: 0 always does what is likeliest, 1 what was learnt, and more is wilder."""
    seed: int = 0
    """Decides what is drawn: drawing i is a function of the seed and i, however many are drawn."""
    start: FileName | None = None
    """File of a drawing that somebody began (.svg, .json, .ndjson), which is gone on with."""
    like: FileName | None = None
    """File of a drawing; new ones are like it. Needs an encoder."""
    scale: Annotated[float, above(0)] | None = None
    """How many times larger the drawing in the file has to become to be like those of training; found out by its size
    if not given."""
    longest: Annotated[int, at_least(1)] | None = None
    """Points of a drawing at most; as many as the longest of training has if not given."""


@settings
class Interpolate:
    """Draw the way from each drawing to the next."""

    inputs: Given
    """Two drawings or more: files (.svg, .ndjson, .json, .npz), or arrays of moves (points, 3)."""
    count: Annotated[int, at_least(2)] = COLUMNS
    """Drawings for each way, with both ends."""
    temperature: Annotated[float, at_least(0)] = QUIET
    """How freely is drawn."""


@final
class SketchingTask(Task):
    """Drawings as moves of a pen, judged by how likely those of the test part are."""

    name = "sketching"
    reads = ("drawings",)
    takes = "drawings: arrays of moves (.npz), lines as JSON (.ndjson), or a folder of SVG"
    fields: ClassVar = {"inputs": ("strokes",)}
    measures = MEASURES
    captions: ClassVar = {
        "drawn": "New drawings; the temperature rises from row to row",
        "completed": "Test drawings of which the blue part was given, finished by the network",
        "rebuilt": "Test drawings, and below each what is left of it after the latents",
        "interpolated": "From one test drawing to that which is least like it, row by row",
        "code_map": "Where the encoder puts the test drawings; one point each",
    }
    verbs: ClassVar = {"predict": Predict, "generate": Generate, "interpolate": Interpolate}
    next_step = "ganglion generate {run} --count 16 --out drawings.svg"

    @classmethod
    def prepare(cls, source: str | Dataset, config: Any, settings: DataSettings, seed: int) -> Self:
        dataset = short_enough(cls.open(source, settings), config.window)
        task = super().prepare(dataset, config, settings, seed)
        task.config = replace(task.config, longest=task.pen.points)
        points = [len(one) for one in task.data["train"].inputs]
        said = f"{np.mean(points):.0f} points in a drawing, at most {max(points)}"
        task.notes = (*task.notes, f"{said}; moves in units of {task.pen.deviation:.4g}")
        return task

    @property
    def pen(self) -> StrokePreprocessing:
        pen: StrokePreprocessing = self.preprocessing["inputs"]
        return pen

    @property
    def _frame(self) -> tuple[StrokePreprocessing, int]:
        """What drawings that somebody gives are fitted to: those of training, and the points that the network takes."""
        return self.pen, self.config.window

    def loader(self, rule: LearningRule, seed: int) -> Loader:
        """Return batches of training drawings of about equal length, which change a little every epoch."""
        self.refuse_weights(rule)
        columns = {name: self.data.columns("train")[name] for name in ("index", "inputs")}
        changes = PenChanges(self.config.stretch, self.config.dropped_points, self.pen.points)
        return InMemoryLoader(columns, self.data.settings.batch_size, seed, changes, by_length="inputs")

    def evaluate(self, rule: LearningRule, part: Part = "validation") -> dict[str, float]:
        columns = self.data.columns(part)
        inputs, index = columns["inputs"], columns["index"]
        assert isinstance(inputs, Ragged) and isinstance(index, Tensor)
        drawings, annealing, latents = inputs.samples(), self.config.annealing, None
        divergence = None
        if self.config.conditional:
            mean, log_variance = explained(rule.home, drawings)
            latents = variational.drawn(mean, log_variance, normals(0, 0, index, mean.shape[1]))
            divergence = float(divergence_of(mean, log_variance).double().mean())
        surprise = float(surprise_of(rule.home, drawings, latents).mean()) / self.config.longest
        if divergence is None:
            return {"loss": surprise, "reconstruction": surprise}
        loss = surprise + annealing.weight * max(divergence, annealing.floor)
        return {"loss": loss, "reconstruction": surprise, "divergence": divergence}

    def baseline(self) -> dict[str, float]:
        """Judge moves and pen states that know nothing of those before."""
        train, test = ([one.numpy() for one in self._prepared(part)] for part in ("train", "test"))
        found = independent(train, test, self.config.longest)
        return {"loss": found, "reconstruction": found}

    def _prepared(self, part: Part) -> tuple[Tensor, ...]:
        inputs = self.data.columns(part)["inputs"]
        assert isinstance(inputs, Ragged)
        return inputs.samples()

    def figures(self, rule: LearningRule) -> "dict[str, Figure]":
        network, test = rule.home, self._prepared("test")
        some = [test[place] for place in self.data.spread("test", COLUMNS).tolist()]
        rows = [_drawn(self._new(network, Generate(count=COLUMNS, temperature=heat))) for heat in HEATS]
        drawn = {
            "drawn": figures.drawings(rows, [f"temperature {heat:g}" for heat in HEATS], "New drawings"),
            "completed": self._completions(network, some[:ROWS]),
        }
        if not self.config.conditional:
            return drawn
        codes, _ = explained(network, [test[place] for place in self.data.spread("test", MAPPED).tolist()])
        drawn["code_map"] = figures.code_map(codes.numpy(), *classes_at(self.data, "test", MAPPED))
        latents, _ = explained(network, some)
        bands = [_drawn(self._lines(some)), _drawn(self._rebuilt(network, latents))]
        drawn["rebuilt"] = figures.drawings(bands, ("drawing", "rebuilt"), "Rebuilt from the latents")
        farthest = torch.cdist(latents, latents).argmax(dim=1)
        ways = zip(latents[:ROWS], latents[farthest[:ROWS]], strict=True)
        rows = [_drawn(self._rebuilt(network, between(*ends, COLUMNS))) for ends in ways]
        drawn["interpolated"] = figures.drawings(rows, title="From one test drawing to another")
        return drawn

    def _completions(self, network: nn.Module, some: Sequence[Tensor]) -> "Figure":
        """Draw the beginning of each drawing, and ways in which the network goes on with it."""
        rows = []
        for whole in some:
            begun = whole[: max(1, round(BEGUN * len(whole)))]
            given = self._lines([begun])[0]
            asked = Generate(count=COLUMNS - 1)
            finished = [figures.Drawn(*self._continued(one, begun)) for one in self._finished(network, begun, asked)]
            rows.append([figures.Drawn(given, len(given)), *finished])
        return figures.drawings(rows, title="Finished by the network: blue was given")

    def _finished(self, network: nn.Module, begun: Tensor, question: Generate) -> list[Tensor]:
        """Return drawings that begin with these moves (points, 3)."""
        latents, options = None, self._asked(question)
        if self.config.conditional:
            latents = likely_latents(network, begun, count=question.count, seed=question.seed, candidates=CANDIDATES)
        longest = question.longest or max(options["longest"], len(begun) + self.pen.points // 2)
        return draw(network, latents, **{**options, "longest": longest}, begun=begun)

    def _continued(self, moves: Tensor, begun: Tensor) -> tuple[Lines, int]:
        """Return the lines of a finished drawing, those that were given first, and how many these are.

        A given line that the network goes on with is two: its own, and the rest from its last point on.
        """
        (lines,), (given,) = self._lines([moves]), self._lines([begun])
        count = len(given)
        rest = lines[count - 1][len(given[-1]) - 1 :]
        return [*given, *([rest] if len(rest) > 1 else []), *lines[count:]], count

    def _asked(self, question: Generate) -> dict[str, Any]:
        """Return how is drawn, as `draw` takes it."""
        given = {name: getattr(question, name) for name in ("count", "seed", "temperature")}
        return {**given, "longest": question.longest or self.config.longest}

    def _lines(self, drawings: Sequence[Tensor]) -> list[Lines]:
        """Return drawings (points, 3) as lines in the units of the data."""
        return [lines_of(self.pen.inverse(one)) for one in drawings]

    def _new(self, network: nn.Module, question: Generate) -> list[Lines]:
        latents = self._normal(question) if self.config.conditional else None
        return self._lines(draw(network, latents, **self._asked(question)))

    def _normal(self, question: Generate) -> Tensor:
        sources = generators(question.count, question.seed)
        return torch.stack([torch.randn(self.config.latent_features, generator=one) for one in sources])

    def _rebuilt(self, network: nn.Module, latents: Tensor, temperature: float = QUIET, seed: int = 0) -> list[Lines]:
        """Return what the network draws of latents (drawings, latents)."""
        question = Generate(count=len(latents), temperature=temperature, seed=seed)
        return self._lines(draw(network, latents, **self._asked(question)))

    def sheet(self, home: nn.Module) -> np.ndarray | None:
        """Return what the network draws of the same chances each time."""
        made = _drawn(self._new(home, Generate(count=2 * COLUMNS)))
        return figures.sheet(figures.pen_pixels(made, SHEET), columns=COLUMNS)

    def predict(self, network: nn.Module, question: Predict) -> Strokes | Rows:
        """Return drawings rebuilt, with how surprising each is; without an encoder only that."""
        asked, notes = given_drawings(question.inputs, *self._frame)
        moves = list(self.pen([one.moves for one in asked]).samples())
        latents = explained(network, moves)[0] if self.config.conditional else None
        nats = surprise_of(network, moves, latents).tolist()
        rows = [
            {"input": one.name, "points": len(one.moves), "surprise": value / len(one.moves)}
            for one, value in zip(asked, nats, strict=True)
        ]
        if latents is None:
            return Rows(rows, notes=notes)
        made = self._rebuilt(network, latents, question.temperature, question.seed)
        lines = [one.own(drawn) for one, drawn in zip(asked, made, strict=True)]
        return Strokes(lines, titles(asked), rows=rows, notes=notes, also=(Rows(rows),))

    def generate(self, network: nn.Module, question: Generate) -> Strokes:
        names = numbered(question.count, question.seed)
        if question.start is not None and question.like is not None:
            raise UsageError("a drawing is gone on with, or others are like it", expected="start or like", found="both")
        if question.start is not None:
            asked, notes = given_drawing(question.start, *self._frame, question.scale, begun=True)
            (begun,) = self.pen([asked.moves]).samples()
            finished = [self._continued(one, begun) for one in self._finished(network, begun, question)]
            drawings, given = zip(*finished, strict=True)
            return Strokes([asked.own(lines) for lines in drawings], names, given=given, notes=notes)
        if question.like is None:
            return Strokes(self._new(network, question), names)
        self._refuse_without_encoder("draw like another drawing")
        asked, notes = given_drawing(question.like, *self._frame, question.scale)
        mean, log_variance = explained(network, list(self.pen([asked.moves]).samples()))
        latents = variational.drawn(mean, log_variance, self._normal(question))
        made = self._lines(draw(network, latents, **self._asked(question)))
        return Strokes([asked.own(lines) for lines in made], names, notes=notes)

    def interpolate(self, network: nn.Module, question: Interpolate) -> Strokes:
        self._refuse_without_encoder("interpolate")
        asked, notes = given_drawings(question.inputs, *self._frame)
        if len(asked) < 2:
            raise UsageError("a way needs two ends", expected="two drawings or more", found=str(len(asked)))
        codes, _ = explained(network, list(self.pen([one.moves for one in asked]).samples()))
        count = question.count
        ways = [
            self._rebuilt(network, between(first, last, count), question.temperature) for first, last in pairwise(codes)
        ]
        names = [f"{way + 1:04}-{step + 1:03}" for way in range(len(ways)) for step in range(count)]
        return Strokes([one for way in ways for one in way], names, columns=count, notes=notes)

    def steps(self, source: str) -> tuple[Tensor, list[str]]:
        """Return a drawing as the network reads it, (1, points, 3), and what the pen does at each of its points."""
        asked, _ = given_drawing(source, *self._frame)
        (moves,) = self.pen([asked.moves]).samples()
        return moves[None], ["lifted" if lifted else "down" for lifted in asked.moves[:, 2].tolist()]

    def _refuse_without_encoder(self, what: str) -> None:
        if not self.config.conditional:
            raise UsageError(
                f"this run cannot {what}",
                found="a network without an encoder",
                expected="one that was trained with --conditional",
            )


def between(first: Tensor, last: Tensor, count: int) -> Tensor:
    """Return latents (count, latents) on the great circle from one (latents,) to another, lengths changing evenly.

    Source: White, Sampling generative networks (2016).

    >>> between(torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0]), 3)[1].tolist()  # doctest: +ELLIPSIS
    [0.707..., 0.707...]
    """
    share = torch.linspace(0, 1, count)[:, None]
    cosine = torch.nn.functional.cosine_similarity(first, last, dim=0).clamp(-1, 1)
    angle = cosine.acos()
    if float(angle.sin()) < 1e-4:
        return torch.lerp(first, last, share)
    return (((1 - share) * angle).sin() * first + (share * angle).sin() * last) / angle.sin()


def _drawn(drawings: Sequence[Lines]) -> "list[figures.Drawn]":
    return [figures.Drawn(lines) for lines in drawings]


TASK = SketchingTask
