"""`inspect descent`: the ways of optimizers and batches over a loss of two numbers."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganglion.cli.arguments import (
    Folders,
    Names,
    OptionalCount,
    OptionalFile,
    OptionalRate,
    OptionalText,
    Switch,
    refuse_unwritable,
)
from ganglion.cli.output import answer
from ganglion.errors import UsageError

if TYPE_CHECKING:
    from torch.optim import Optimizer

    from ganglion.inspect import Descents, OneWeight, Surface

MOMENTUM = {"momentum": ("momentum=0.9",), "nesterov": ("momentum=0.9", "nesterov=True")}
"""Forms of plain descent by names of their own, and what they are told."""
LINE_SEARCH = ("max_iter=1", "line_search_fn='strong_wolfe'")
BY_SLOPE = ("sgd", "asgd", *MOMENTUM)
"""Optimizers whose steps are as long as the slope is steep."""
OWN = {"adadelta": 1.0, "lbfgs": 1.0}
"""Rates of optimizers that find the length of their steps by themselves."""
STRIDE = {"adagrad": 1 / 6, "rmsprop": 1 / 100, "rprop": 1 / 50, "adafactor": 1 / 20, "radam": 1 / 250}
"""Rates of others, in widths of the picture; 1 / 40 where nothing is said."""
USUAL = ("sgd", "momentum", "adagrad", "rmsprop", "adam", "lbfgs")


def descent(
    folder: Folders = (),
    *,
    function: OptionalText = None,
    optimizers: Names = USUAL,
    learning_rate: OptionalRate = None,
    steps: OptionalCount = None,
    seed: int = 0,
    out: OptionalFile = None,
    animation: OptionalFile = None,
    json: Switch = False,
) -> None:
    """Draw how optimizers, and batches of all, some and single samples, go down a loss of two numbers.

    Args:
        folder: Folder of a run; its loss is looked at on a plane through its weights.
        function: Instead of a run: line, bowl, ravine, saddle, rosenbrock, beale, himmelblau, ripples, or one-weight.
        optimizers: Those to compare: momentum, nesterov, names of torch.optim in small letters, or all.
        learning_rate: Of all of them; chosen for each by the size and slope of the surface when not given.
        steps: Updates; 80, or 6 of one weight, when not given.
        seed: Decides the order of samples, and the plane.
        out: Picture to write; descent.png when not given.
        animation: Film to write as well: GIF, WebP or MP4.
        json: Print one JSON object.
    """
    out = Path("descent.png") if out is None else out
    _refuse_unusable(out, animation)
    if len(folder) + (function is not None) != 1:
        raise UsageError(
            "give one run, or a function by its name", remedy="ganglion inspect descent --function rosenbrock"
        )
    steps = (6 if function == "one-weight" else 80) if steps is None else steps
    if steps < 1:
        raise UsageError("a descent has steps", where="steps", expected="at least 1", found=str(steps))
    found: OneWeight | Descents
    if function == "one-weight":
        found = _one_weight(steps, learning_rate, out, animation)
    else:
        found = _over_a_surface(function, folder, optimizers, learning_rate, steps, seed, out, animation)
    written = [out, *([animation] if animation else [])]
    answer(found.to_dict() | {"files": [*map(str, written)]}, json, lambda: print(found, *written, sep="\n"))


def _refuse_unusable(out: Path, animation: Path | None) -> None:
    """Refuse files that cannot be written, and films of unknown endings."""
    from ganglion.figures.images.film import MOST_FRAMES_PER_SECOND

    for path in (out, *([animation] if animation else [])):
        refuse_unwritable(path)
    if animation and animation.suffix.lower() not in MOST_FRAMES_PER_SECOND:
        known = ", ".join(MOST_FRAMES_PER_SECOND)
        raise UsageError("films have no such ending", where=str(animation), expected=f"one of {known}")


def _over_a_surface(
    function: str | None,
    folder: Folders,
    optimizers: tuple[str, ...],
    rate: float | None,
    steps: int,
    seed: int,
    out: Path,
    animation: Path | None,
) -> "Descents":
    """Return ways over a named function or the plane of a run, and draw them."""
    from ganglion import figures, inspect

    surface = inspect.named_surface(function) if function is not None else _plane(folder[0], seed)
    found = _descents(surface, optimizers, rate, steps, seed)
    across, up, losses = surface.grid
    ground = figures.Ground(across, up, losses, surface.axes, f"{surface.name}: {surface.formula}")
    shown = {"optimizers, all samples": found.by_optimizer, "plain descent, by samples of an update": found.by_batch}
    panels = {
        title: {name: (way.points, way.losses) for name, way in ways.items()} for title, ways in shown.items() if ways
    }
    figures.save(figures.descents(ground, panels), out)
    if animation:
        together = {name: way for ways in panels.values() for name, way in ways.items()}
        figures.save_film(figures.descent_frames(ground, together), animation, 15)
    return found


def _descents(surface: "Surface", optimizers: tuple[str, ...], rate: float | None, steps: int, seed: int) -> "Descents":
    """Return the ways of the optimizers and, of a surface with samples, those of plain descent by batches."""
    from ganglion import inspect

    by_optimizer = {
        name: inspect.descend_over(surface, _maker(name, surface, rate), steps, seed=seed)
        for name in _chosen(optimizers)
    }
    by_batch = {
        name: inspect.descend_over(surface, _maker("sgd", surface, rate), steps, batch, seed)
        for name, batch in inspect.batches_of(surface).items()
    }
    return inspect.Descents(surface, by_optimizer, by_batch)


def _chosen(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return names of optimizers, each once; refuse unknown ones."""
    from ganglion.rules.optimizers import OPTIMIZERS
    from ganglion.settings import unknown_name

    known = [*MOMENTUM, *OPTIMIZERS]
    if names == ("all",):
        return tuple(known)
    for name in names:
        if name not in known:
            raise unknown_name("optimizer", name, ["all", *known], where="optimizers")
    return tuple(dict.fromkeys(names)) or USUAL


def _maker(name: str, surface: "Surface", rate: float | None) -> "Callable[..., Optimizer]":
    """Return what makes an optimizer of a point on a surface."""
    from ganglion.rules.descend import Descent

    if rate is None:
        by_slope = surface.rate * (0.3 if name in MOMENTUM else 0.5)
        rate = by_slope if name in BY_SLOPE else OWN.get(name, STRIDE.get(name, 1 / 40) * surface.width)
    arguments = MOMENTUM.get(name, LINE_SEARCH if name == "lbfgs" else ())
    optimizer: Any = "sgd" if name in MOMENTUM else name
    return Descent(optimizer=optimizer, learning_rate=rate, optimizer_arguments=arguments).make_optimizer


def _plane(folder: str, seed: int) -> "Surface":
    """Return the loss of a run on a plane through its best weights, by samples of its training part."""
    from ganglion import inspect
    from ganglion.cli.inspect.networks import loss_of, rule_and_batch

    rule, batch = rule_and_batch(folder, inspect.SEEN)
    return inspect.plane_of(rule.home, loss_of(rule), batch["inputs"], batch.get("targets", batch["inputs"]), seed)


def _one_weight(steps: int, rate: float | None, out: Path, animation: Path | None) -> "OneWeight":
    """Return the lecture's one weight, and draw it."""
    from ganglion import figures, inspect

    found = inspect.one_weight(steps, 0.02 if rate is None else rate)
    updates = found.weights, [inspect.error_of(weight) for weight in found.weights]
    tried = inspect.WEIGHTS, [inspect.error_of(weight) for weight in inspect.WEIGHTS]
    figures.save(figures.one_weight(found.curve, updates, tried, found.rate), out)
    if animation:
        samples = figures.Pairs(inspect.INPUTS, inspect.WANTED)
        frames = figures.one_weight_frames(samples, found.curve, updates, tried, found.rate)
        figures.save_film(frames, animation, figures.ONE_WEIGHT_FRAMES_PER_SECOND)
    return found
