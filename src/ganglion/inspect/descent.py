"""Gradient descent seen from above: the ways of optimizers, and of batches of all sizes, over two numbers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.optim import Optimizer

from ganglion.nn.modes import evaluation_mode
from ganglion.settings import unknown_name
from ganglion.tables import Table, Tabled

GRID = 41
"""Places along each axis at which the loss is measured."""
SEEN = 256
"""Samples at most that the loss of a run is measured on."""
MINI = 8
"""Parts that samples are divided into for mini-batches."""
SPAN = 1.0
"""How far the plane of a network reaches from its weights, in lengths of its directions."""
FAR = 3.0
"""A way that leads further outside than this, in widths of the picture, is left there."""

Make = Callable[[nn.Module], Optimizer]


@dataclass(frozen=True)
class Surface:
    """A loss of two numbers, of samples or not, and the part of it that is looked at."""

    name: str
    formula: str
    loss: Callable[[Tensor, Tensor | None], Tensor]
    """From a point (2,) and the numbers of samples, None for all, to the loss ()."""
    start: tuple[float, float]
    across: tuple[float, float]
    up: tuple[float, float]
    axes: tuple[str, str] = ("x", "y")
    num_samples: int = 0
    """Samples that the loss is the mean over; 0 of a function that has none."""

    @cached_property
    def grid(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Places across (places,), up (places,), and the loss there (up, across)."""
        across, up = (np.linspace(*ends, GRID) for ends in (self.across, self.up))
        with torch.no_grad():
            found = [[float(self.loss(torch.tensor([x, y], dtype=torch.float64), None)) for x in across] for y in up]
        return across, up, np.array(found)

    @property
    def rate(self) -> float:
        """A rate at which plain descent goes down the steepest valley without leaving it: 1 over the largest curvature
        among the places of the lower half of the losses.
        """
        across, up, losses = self.grid
        curvatures = np.maximum(
            np.abs(np.diff(losses, 2, axis=1))[1:-1] / (across[1] - across[0]) ** 2,
            np.abs(np.diff(losses, 2, axis=0))[:, 1:-1] / (up[1] - up[0]) ** 2,
        )
        low = losses[1:-1, 1:-1] <= np.median(losses)
        return float(1.0 / max(curvatures[low].max(), 1e-12))

    @property
    def width(self) -> float:
        """The narrower side of what is looked at."""
        return min(self.across[1] - self.across[0], self.up[1] - self.up[0])


@dataclass(frozen=True)
class Way:
    """Where a descent went."""

    points: np.ndarray
    """(updates + 1, 2), the start first."""
    losses: np.ndarray
    """The loss of all samples there (updates + 1,)."""
    left: bool
    """Whether it left far beyond the picture and was not followed."""


@dataclass(frozen=True)
class Descents(Tabled):
    """Ways over one surface."""

    surface: Surface
    by_optimizer: Mapping[str, Way]
    by_batch: Mapping[str, Way]
    """Of plain descent by batches of all, some and single samples; empty for a function without samples."""

    def tables(self) -> Sequence[Table]:
        return [
            Table(("way", "updates", "first loss", "last loss", "lowest", ""), [
                (name, str(len(way.points) - 1), f"{way.losses[0]:.4g}", f"{way.losses[-1]:.4g}",
                 f"{way.losses.min():.4g}", "left the picture" if way.left else "")
                for name, way in {**self.by_optimizer, **self.by_batch}.items()
            ], words=("way", ""))
        ]  # fmt: skip

    def to_dict(self) -> dict[str, object]:
        """Return the ways as JSON values."""
        ways = [("optimizer", name, way) for name, way in self.by_optimizer.items()]
        ways += [("batch", name, way) for name, way in self.by_batch.items()]
        return {
            "surface": self.surface.name,
            "formula": self.surface.formula,
            "ways": [
                {"by": by, "name": name, "points": way.points.tolist(), "losses": way.losses.tolist(), "left": way.left}
                for by, name, way in ways
            ],
        }


def descend_over(surface: Surface, make: Make, steps: int, batch: int | None = None, seed: int = 0) -> Way:
    """Follow an optimizer from the start of a surface.

    Args:
        make: returns the optimizer of a module with the point as its one parameter.
        steps: updates.
        batch: samples of each update, drawn in an order that is new after each pass; all where none is said.
        seed: decides that order.

    >>> way = descend_over(FUNCTIONS["bowl"], lambda point: torch.optim.SGD(point.parameters(), lr=0.05), 50)
    >>> bool(way.losses[-1] < 0.1 * way.losses[0]), way.points.shape
    (True, (51, 2))
    """
    point = nn.Module()
    place = nn.Parameter(torch.tensor(surface.start, dtype=torch.float64))
    point.register_parameter("place", place)
    optimizer, chance = make(point), torch.Generator().manual_seed(seed)
    order: list[int] = []
    points, losses, left = [place.detach().clone().numpy()], [_loss(surface, place)], False
    for _ in range(steps):
        samples = None
        if batch is not None:
            if len(order) < batch:
                order = torch.randperm(surface.num_samples, generator=chance).tolist()
            samples, order = torch.tensor(order[:batch]), order[batch:]
        optimizer.step(_closure(surface, place, samples))
        now = place.detach().clone().numpy()
        left = not np.isfinite(now).all() or _outside(surface, now) > FAR
        if left:
            break
        points.append(now)
        losses.append(_loss(surface, place))
    return Way(np.array(points), np.array(losses), left)


def _closure(surface: Surface, place: nn.Parameter, samples: Tensor | None) -> Callable[[], float]:
    def closure() -> float:
        with torch.enable_grad():
            loss = surface.loss(place, samples)
            (place.grad,) = torch.autograd.grad(loss, place)
        return float(loss.detach())

    return closure


@torch.no_grad()
def _loss(surface: Surface, place: Tensor) -> float:
    return float(surface.loss(place.detach(), None))


def _outside(surface: Surface, point: np.ndarray) -> float:
    """Return how far outside the picture a point (2,) is, in widths."""
    ends = np.array([surface.across, surface.up])
    beyond = np.maximum(np.maximum(ends[:, 0] - point, point - ends[:, 1]), 0)
    return float((beyond / (ends[:, 1] - ends[:, 0])).max())


def batches_of(surface: Surface) -> dict[str, int | None]:
    """Return how many samples each kind of batch has, None for all; nothing for a function without samples."""
    if not surface.num_samples:
        return {}
    some = max(2, surface.num_samples // MINI)
    return {f"all {surface.num_samples} samples": None, f"batches of {some}": some, "single samples": 1}


def plane_of(
    network: nn.Module, loss: Callable[[Tensor, Tensor], Tensor], inputs: Tensor, targets: Tensor, seed: int = 0
) -> Surface:
    """Return the loss of a network on the plane through its weights along two directions of chance.

    Each direction is as long, in every unit's weights, as these weights themselves, so that planes of networks of other
    scales look alike.

    Args:
        inputs, targets: (samples, ...) and (samples, ...), of which the first 256 are looked at.

    Source: Li, Xu, Taylor, Studer and Goldstein, Visualizing the loss landscape of neural nets (2018).
    """
    inputs, targets = inputs[:SEEN], targets[:SEEN]
    weights = {name: one.detach().clone() for name, one in network.named_parameters()}
    chance = torch.Generator().manual_seed(seed)
    directions = [{name: _direction(one, chance) for name, one in weights.items()} for _ in range(2)]

    def along(point: Tensor, samples: Tensor | None) -> Tensor:
        a, b = point
        moved = {name: one + a * directions[0][name] + b * directions[1][name] for name, one in weights.items()}
        chosen = slice(None) if samples is None else samples.to(inputs.device)
        with evaluation_mode(network):
            return loss(functional_call(network, moved, (inputs[chosen],)), targets[chosen]).double()

    return Surface(
        name="the plane through the weights",
        formula="L(w + a d1 + b d2)",
        loss=along,
        start=(0.85 * SPAN, 0.8 * SPAN),
        across=(-SPAN, SPAN),
        up=(-SPAN, SPAN),
        axes=("along direction a", "along direction b"),
        num_samples=len(inputs),
    )


def _direction(weights: Tensor, chance: torch.Generator) -> Tensor:
    """Return a direction in the shape of weights (units, ...), as long as these in every unit."""
    drawn = torch.randn(weights.shape, generator=chance).to(weights)
    if weights.dim() < 2:  # biases and scales of norms are few and decide much
        return drawn * weights.norm() / drawn.norm().clamp_min(1e-12)
    rows, found = weights.flatten(1), drawn.flatten(1)
    return (found * (rows.norm(dim=1) / found.norm(dim=1).clamp_min(1e-12))[:, None]).reshape(weights.shape)


def _line() -> Surface:
    """The mean squared error of a line through 40 points around y = 0.8 x - 0.3, by its slope and its height."""
    chance = torch.Generator().manual_seed(0)
    x = 3 * torch.rand(40, generator=chance, dtype=torch.float64) - 0.5
    y = 0.8 * x - 0.3 + 0.35 * torch.randn(40, generator=chance, dtype=torch.float64)

    def loss(point: Tensor, samples: Tensor | None) -> Tensor:
        chosen = slice(None) if samples is None else samples
        return (point[0] * x[chosen] + point[1] - y[chosen]).square().mean()

    formula = "mean (a * x + b - y)^2 over 40 points"
    return Surface("line", formula, loss, (-1.4, 1.7), (-1.8, 2.6), (-2.4, 2.2), ("slope a", "height b"), 40)


def _function(
    name: str,
    formula: str,
    loss: Callable[[Tensor, Tensor], Tensor],
    start: tuple[float, float],
    across: tuple[float, float],
    up: tuple[float, float],
) -> Surface:
    return Surface(name, formula, lambda point, _: loss(point[0], point[1]), start, across, up)


FUNCTIONS: dict[str, Surface] = {
    one.name: one
    for one in (
        _line(),
        _function("bowl", "x^2 + y^2", lambda x, y: x**2 + y**2, (-1.6, 1.3), (-2, 2), (-2, 2)),
        _function("ravine", "x^2 / 10 + 2 * y^2", lambda x, y: x**2 / 10 + 2 * y**2, (-3.6, 1.1), (-4, 4), (-1.6, 1.6)),
        _function(
            "saddle", "x^2 - y^2 + y^4 / 4", lambda x, y: x**2 - y**2 + y**4 / 4, (-1.5, 0.02), (-2, 2), (-2.2, 2.2)
        ),
        _function(
            "rosenbrock", "(1 - x)^2 + 100 * (y - x^2)^2", lambda x, y: (1 - x) ** 2 + 100 * (y - x**2) ** 2,
            (-1.2, 1.0), (-1.8, 1.8), (-0.8, 2.2),
        ),
        _function(
            "beale", "(1.5 - x + x * y)^2 + (2.25 - x + x * y^2)^2 + (2.625 - x + x * y^3)^2",
            lambda x, y: (1.5 - x + x * y) ** 2 + (2.25 - x + x * y**2) ** 2 + (2.625 - x + x * y**3) ** 2,
            (0.5, 1.6), (-1, 4), (-1.6, 2),
        ),
        _function(
            "himmelblau", "(x^2 + y - 11)^2 + (x + y^2 - 7)^2",
            lambda x, y: (x**2 + y - 11) ** 2 + (x + y**2 - 7) ** 2, (0.3, -4.6), (-5, 5), (-5, 5),
        ),
        _function(
            "ripples", "(x^2 + y^2) / 10 + 1 - cos(3 * x) * cos(3 * y)",
            lambda x, y: (x**2 + y**2) / 10 + 1 - torch.cos(3 * x) * torch.cos(3 * y), (-2.7, 2.3), (-3, 3), (-3, 3),
        ),
    )
}  # fmt: skip
"""Named functions, and a line's error, which alone has samples."""


def named_surface(name: str) -> Surface:
    """Return a surface of `FUNCTIONS`.

    >>> named_surface("bowl").formula
    'x^2 + y^2'
    """
    if name not in FUNCTIONS:
        raise unknown_name("function of two numbers", name, ["one-weight", *FUNCTIONS])
    return FUNCTIONS[name]
