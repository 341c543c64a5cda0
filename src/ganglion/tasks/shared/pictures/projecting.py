"""The nearest picture that a generator can make: of a given picture, of a coarse drawing, or of one drawn over another.

Written once for all kinds of generator; a kind of task says how noise is drawn and what is made of it (`Maker`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
from torch import Tensor

from ganglion.data.preprocessing import ImagePreprocessing
from ganglion.errors import DataError, UsageError
from ganglion.figures.images.pixels import enlarge
from ganglion.settings import at_least, settings
from ganglion.tasks.answers import Film, Images, Rows
from ganglion.tasks.questions import FileName, MaybeGiven
from ganglion.tasks.shared.inputs import Asked, asked
from ganglion.tasks.shared.pictures.coarse_drawing import NEAR, read_drawing
from ganglion.tasks.shared.pictures.inversion import Found, Maker, descended, encoder_of, root_mean_square

SEARCHED, SEARCH_SEED = 1024, 2
"""Pictures among which the nearest one is looked for at random, and the seed of their noise."""
SPREAD = 0.5
"""Deviation of what is added to a guess, so that descent starts from several places near it, as in iGAN's code."""
RARE = 0.01
"""Share of real pictures that may be as far from what is drawn, below which one is warned about."""
BEYOND = 1.25
"""Times the distance of the farthest real picture from which on a picture is refused."""
RATE = 12.0
"""Frames a second of films."""
LARGE = 160
"""Pixels of the shorter side that frames have at least."""
METHODS = ("random_search", "encoder", "descent", "encoder_and_descent")


@settings
class Project:
    """Find the nearest picture that the generator can make, to pictures or to a coarse drawing."""

    inputs: MaybeGiven = ()
    """Image files or arrays; of a picture that a sketch is drawn over, one."""
    sketch: FileName | None = None
    """Strokes in colours, a picture file: on nothing (PNG with transparency) or on paper of one colour."""
    mask: FileName | None = None
    """Picture file of the size of the sketch, white where it counts; found out when not given."""
    film: Path | None = None
    """File to write the way of the search to, such as way.gif."""
    class_: str | None = None
    """Class of what is drawn, by its name, of a run that was told classes; all are tried if not given."""
    count: Annotated[int, at_least(1)] = 1
    """Pictures to give for each, the best first; at most as many as there are candidates."""
    candidates: Annotated[int, at_least(2)] = 32
    """Places to search from at once."""
    steps: Annotated[int, at_least(1)] = 150
    """Steps of the descent from each."""
    seed: int = 0
    """Decides where the search begins."""
    foreign: bool = False
    """Search even where a picture is unlike anything that the generator draws."""


@dataclass(frozen=True)
class Usual:
    """How far real pictures that training did not see are from the nearest of `SEARCHED` that are drawn."""

    distances: tuple[float, ...] = ()
    """Root mean squares, as shares of white."""
    contrasts: tuple[float, ...] = ()
    """The same as shares of the deviation of each picture's own pixels."""

    @classmethod
    def of(cls, maker: Maker, real: Tensor, white: float) -> "Usual":
        """Measure real pictures (pictures, channels, height, width)."""
        drawn = maker.asked(maker.draw(SEARCHED, SEARCH_SEED))
        pairs = [_nearest(drawn, picture[None], white) for picture in real]
        distances, contrasts = zip(*pairs, strict=True)
        return cls(tuple(round(one, 4) for one in distances), tuple(round(one, 4) for one in contrasts))

    def judged(self, distance: float, contrast: float, name: str) -> str:
        """Return a warning about a picture that is farther than most real ones; raise for one that is far beyond."""
        if not self.distances:
            return ""
        far, flat = distance > BEYOND * max(self.distances), contrast > BEYOND * max(self.contrasts)
        share = float(np.mean(np.array(self.distances) >= distance))
        if far or flat:
            raise DataError(
                "this picture is unlike anything that this generator draws",
                where=name,
                expected=f"one of the kind that it learnt from, at most {max(self.distances):.2f} from a drawn one",
                found=f"{distance:.2f} from the nearest of {SEARCHED} drawn ones"
                + (", no nearer than a picture of one colour" if flat and not far else ""),
                remedy="give a picture of that kind; --foreign searches all the same",
            )
        if share <= RARE:
            return f"{name} is farther from what is drawn ({distance:.2f}) than {1 - share:.0%} of real pictures are"
        return ""


def projected(maker: Maker, scale: ImagePreprocessing, usual: Usual, question: Project) -> Images:
    """Answer a question with pictures, a film of the search and, in rows, how good each way of searching is."""
    _refuse_unclear(question)
    if question.sketch is not None:
        return _of_sketch(maker, scale, usual, question)
    found, targets = asked(question.inputs, scale)
    answers = [
        _of_picture(maker, scale, usual, question, name, target[None])
        for name, target in zip(_names(found), targets, strict=True)
    ]
    return _together(answers, found.notes)


def _refuse_unclear(question: Project) -> None:
    if question.mask is not None and question.sketch is None:
        raise UsageError("a mask says which part of a sketch counts", where="mask", remedy="give --sketch, too")
    if question.sketch is None and not len(question.inputs):
        raise UsageError(
            "there is nothing to find the nearest picture of",
            expected="a picture, or --sketch STROKES.png",
            remedy="ganglion project RUN picture.png",
        )
    if question.sketch is not None and len(question.inputs) > 1:
        raise UsageError(
            "a sketch is drawn over one picture", expected="one or none", found=f"{len(question.inputs)} inputs"
        )


@dataclass(frozen=True)
class _One:
    """What was found for one picture."""

    name: str
    given: np.ndarray
    """Bytes (height, width, channels)."""
    best: np.ndarray
    """(count, height, width, channels)."""
    row: dict[str, Any]
    frames: np.ndarray
    """(frames, height, width, channels), each beside what was given."""
    notes: tuple[str, ...]


def _of_picture(
    maker: Maker, scale: ImagePreprocessing, usual: Usual, question: Project, name: str, target: Tensor
) -> _One:
    white = _white(scale)
    drawn = maker.draw(SEARCHED, SEARCH_SEED)
    pictures = maker.asked(drawn)
    distance, contrast = _nearest(pictures, target, white)
    warning = "" if question.foreign else usual.judged(distance, contrast, name)
    found, half, guessed = _searched(maker, question, target)
    at_start = maker.asked(guessed)
    errors = root_mean_square(maker.asked(found.noise), target, white)
    by_start = {"encoder_and_descent": found.starts < half, "descent": found.starts >= half}
    row = {
        "input": name,
        "error": float(errors.min()),
        "random_search": distance,
        "encoder": float(root_mean_square(at_start, target, white).min()),
        **{method: float(errors[chosen.numpy()].min()) for method, chosen in by_start.items()},
    }
    said = (
        f"{name}: {row['error']:.3f} away (root mean square, 1 is from black to white); the nearest of {SEARCHED} "
        f"random draws {row['random_search']:.3f}, the encoder's guess {row['encoder']:.3f}, descent from chance "
        f"{row['descent']:.3f}, from the guess {row['encoder_and_descent']:.3f}"
    )
    return _one(name, scale, target, maker, found, question, row, tuple(filter(None, (warning, said))))


def _searched(maker: Maker, question: Project, target: Tensor) -> tuple[Found, int, Tensor]:
    """Return what descent finds for a picture (1, channels, height, width), how many starts are near the encoder's
    guess, and the guess (classes or 1, numbers).
    """
    guess = ask_encoder(maker, target)
    chance = maker.draw(question.candidates, question.seed)
    kept = chance[:, maker.features :]
    half = question.candidates // 2
    noise = torch.randn(half, maker.features, generator=torch.Generator().manual_seed(question.seed))
    noise[: max(1, len(torch.unique(kept)))] = 0  # the guess itself, with each class if there are any
    near = maker.bounded(guess + SPREAD * noise)
    starts = torch.cat([torch.cat([near, kept[:half]], dim=1), chance[half:]])

    def cost(pictures: Tensor, latent: Tensor) -> Tensor:
        return (pictures - target.to(pictures)).square().flatten(1).mean(dim=1)

    found = descended(maker, cost, starts, question.steps)
    classes = torch.unique(kept, dim=0) if kept.shape[1] else kept[:1]
    return found, half, torch.cat([guess.expand(len(classes), -1), classes], dim=1)


def ask_encoder(maker: Maker, target: Tensor) -> Tensor:
    """Return the encoder's guess of the noise of a picture (1, channels, height, width), where noise is drawn."""
    encoder = encoder_of(maker)
    device = next(encoder.parameters()).device
    with torch.no_grad():
        return maker.bounded(encoder(target.to(device)).cpu())


def _of_sketch(maker: Maker, scale: ImagePreprocessing, usual: Usual, question: Project) -> Images:
    """Return the realistic pictures nearest to a coarse drawing, or to one over a picture."""
    drawing = read_drawing(str(question.sketch), question.mask, scale)
    starts, notes = maker.draw(question.candidates, question.seed), []
    cost = drawing.cost
    under: Tensor | None = None
    if len(question.inputs):
        found, targets = asked(question.inputs, scale)
        if len(targets) != 1:
            raise UsageError(
                "a sketch is drawn over one picture", expected="one or none", found=f"{len(targets)} pictures"
            )
        before = _of_noise(maker, scale, usual, question, _names(found)[0], targets)
        first, under = before.noise[:1, : maker.features], maker.asked(before.noise[:1])
        spread = torch.randn(len(starts), maker.features, generator=torch.Generator().manual_seed(question.seed))
        near = maker.bounded(first + SPREAD * spread)
        starts = torch.cat([near, before.noise[:1, maker.features :].expand(len(starts), -1)], dim=1)

        def cost(pictures: Tensor, noise: Tensor) -> Tensor:
            return drawing.cost(pictures, noise) + NEAR * (noise - first.to(noise)).square().mean(dim=1)

    else:
        pool = maker.draw(SEARCHED, SEARCH_SEED if question.class_ is None else question.seed)
        order = drawing.cost(maker.asked(pool), pool).argsort(stable=True)
        starts[: len(starts) // 2] = pool[order[: len(starts) // 2]]
    at_start = drawing.colour_error(maker.asked(starts)).sqrt() / _white(scale)
    result = descended(maker, cost, starts, question.steps)
    errors = drawing.colour_error(maker.asked(result.noise)).sqrt() / _white(scale)
    name = Path(str(question.sketch)).stem
    row = {"input": str(question.sketch), "error": float(errors[0]), "random_search": float(at_start.min())}
    notes.append(
        f"{row['input']}: where something is painted, {row['error']:.3f} away (root mean square, 1 is from black to "
        f"white); before the descent {row['random_search']:.3f} at best and {float(at_start.mean()):.3f} on average"
    )
    shown = drawing.shown if under is None else torch.where(drawing.mask > 0, drawing.colours, under)
    return _together([_one(name, scale, shown, maker, result, question, row, tuple(notes))])


def _of_noise(
    maker: Maker, scale: ImagePreprocessing, usual: Usual, question: Project, name: str, target: Tensor
) -> Found:
    """Return where a picture (1, channels, height, width) lies that a sketch is drawn over."""
    if not question.foreign:
        drawn = maker.asked(maker.draw(SEARCHED, SEARCH_SEED))
        usual.judged(*_nearest(drawn, target, _white(scale)), name)
    return _searched(maker, question, target)[0]


def _one(
    name: str,
    scale: ImagePreprocessing,
    shown: Tensor,
    maker: Maker,
    found: Found,
    question: Project,
    row: dict[str, Any],
    notes: tuple[str, ...],
) -> _One:
    given = scale.inverse(shown)[0]
    best = scale.inverse(maker.asked(found.noise[: question.count]))
    way = scale.inverse(found.frames)
    gap = np.full((len(way), given.shape[0], 1, given.shape[2]), 255, np.uint8)
    side_by_side = np.concatenate([np.broadcast_to(given, way.shape), gap, way], axis=2)
    times = -(-LARGE // min(given.shape[:2]))
    return _One(name, given, best, row, enlarge(side_by_side, times), notes)


def _together(answers: Sequence[_One], notes: tuple[str, ...] = ()) -> Images:
    """Return the pictures, a film and the rows of all that was asked about."""
    pixels: list[np.ndarray] = []
    names: list[str] = []
    for one in answers:
        pixels += [one.given, *one.best]
        stem = Path(one.name).stem
        names += [
            f"{stem}-given",
            *(f"{stem}-nearest" + (f"-{place}" if place else "") for place in range(len(one.best))),
        ]
    rows = Rows([one.row for one in answers])
    film = Film(np.concatenate([one.frames for one in answers]), RATE)
    said = (*notes, *(note for one in answers for note in one.notes))
    columns = 1 + len(answers[0].best)
    title = "Given, and the nearest that the generator makes"
    return Images(np.stack(pixels), names, title=title, columns=columns, notes=said, also=(film, rows))


def _names(found: Asked) -> list[str]:
    return [str(name.get("input", f"picture {number}")) for number, name in enumerate(found.names, 1)]


def _white(scale: ImagePreprocessing) -> float:
    """Return how far white is from black, as networks see both."""
    black, white = scale.ends
    return float((white - black).abs().mean())


def _nearest(drawn: Tensor, target: Tensor, white: float) -> tuple[float, float]:
    """Return the least distance of drawn pictures (count, ...) from one (1, ...), also by its own deviation."""
    distance = float(root_mean_square(drawn, target, white).min())
    spread = float((target / white).std())
    return distance, distance / max(spread, 1e-6)
