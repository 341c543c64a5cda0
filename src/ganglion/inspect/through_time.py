"""How an error travels back through time: its size at every step of every recurrent layer, and a verdict in words."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from ganglion import figures
from ganglion.errors import UsageError
from ganglion.findings import Finding
from ganglion.inspect.untouched import device_of, to_device, untouched
from ganglion.nn.recurrent import Cell, GRUCell, LSTMCell
from ganglion.nn.recurrent.gates import said_slope
from ganglion.tables import Table, Tabled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

VANISHED = 1e-3
"""Share of the error at the last step below which it counts as gone."""
EXPLODED = 1e3
"""Multiple of the error at the last step above which it counts as out of hand."""
OFTEN_CLIPPED = 0.5
"""Share of updates whose gradient was clipped, above which clipping hides an explosion."""
LAGS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
"""Steps over which the products of Jacobians are measured."""
LARGEST_STATE = 512
"""Numbers in the state of one sample above which its Jacobians are left out: they would fill the memory."""
CALM = "clip the gradient by its norm, or a smaller learning rate"

State = tuple[Tensor, ...]


@dataclass(frozen=True)
class Product:
    """The derivative of the last state by the state `lag` steps before: a product of as many Jacobians."""

    lag: int
    norm: float
    """Largest singular value: the most that any error can grow on this way."""
    radius: float
    """Spectral radius."""


@dataclass(frozen=True)
class CellFlow:
    """What happens to errors in one recurrent layer and direction, on a batch."""

    name: str
    kind: str
    gradients: tuple[float, ...]
    """Norm of dL/ds(t) for every step t, in the order in which the layer went through them; s is its state."""
    shares: tuple[float, ...]
    """What is left of an error at the last step after k = 0, 1, ... steps back inside this layer."""
    products: tuple[Product, ...]
    """Products of Jacobians of the first sample; empty where the state is too large."""

    @property
    def vanished_after(self) -> int | None:
        """Steps after which less than `VANISHED` of the error is left for good."""
        small = [share < VANISHED for share in self.shares]
        return len(small) - small[::-1].index(False) if small[-1] else None

    @property
    def largest(self) -> float:
        """The most that the error grew on its way."""
        return max(self.shares)


@dataclass(frozen=True)
class TimeFlow(Tabled):
    """The recurrent layers from input to output, and what is wrong with them, if anything."""

    cells: tuple[CellFlow, ...]
    clipped: float | None = None
    """Share of the updates of the training whose gradient was clipped; None where nothing clips."""

    @property
    def verdict(self) -> str:
        """Name of the finding: non-finite, exploding, vanishing or healthy."""
        return self.finding.name

    @property
    def finding(self) -> Finding:
        """What becomes of errors on their way back, with the numbers that decide it."""
        broken = tuple(cell.name for cell in self.cells if not np.isfinite(cell.gradients + cell.shares).all())
        if broken:
            message = "gradients are no numbers on their way back"
            return Finding(name="non-finite", level="stop", message=message, where=broken, remedy=CALM)
        wild = max(self.cells, key=lambda cell: cell.largest)
        if wild.largest > EXPLODED:
            back = wild.shares.index(wild.largest)
            return Finding(
                name="exploding",
                level="warn",
                message=f"errors explode: {back} steps back they are {wild.largest:.2g} times as large in {wild.name}",
                measure="error some steps back / error at the last step",
                value=wild.largest,
                threshold=EXPLODED,
                remedy=CALM,
            )
        if self.clipped is not None and self.clipped > OFTEN_CLIPPED:
            return Finding(
                name="exploding",
                level="warn",
                message=f"errors explode: {self.clipped:.0%} of updates were clipped (more than {OFTEN_CLIPPED:.0%})",
                measure="share of updates that were clipped",
                value=self.clipped,
                threshold=OFTEN_CLIPPED,
                remedy=CALM,
            )
        return self._what_is_left()

    def _what_is_left(self) -> Finding:
        left = min(self.cells, key=lambda cell: cell.shares[-1])
        measure, value = "share of the error left after all steps", left.shares[-1]
        gone = [cell for cell in self.cells if cell.vanished_after is not None]
        if gone:
            steps = ", ".join(f"{cell.vanished_after} steps in {cell.name}" for cell in gone)
            return Finding(
                name="vanishing",
                level="warn",
                message=f"errors vanish: less than {VANISHED:.1%} of them is left after {steps} (of {self._longest})",
                measure=measure,
                value=value,
                threshold=VANISHED,
                remedy="an LSTM or a GRU, a larger forget bias, steeper gates, or a shorter way from cause to effect",
            )
        clipped = "" if self.clipped is None else f"; {self.clipped:.0%} of the updates were clipped"
        message = f"errors last: after {self._longest} steps {value:.2g} of them is left in {left.name}{clipped}"
        return Finding(name="healthy", level="info", message=message, measure=measure, value=value)

    @property
    def _longest(self) -> int:
        return max(len(cell.shares) for cell in self.cells) - 1

    @property
    def figure(self) -> "Figure":
        """Draw the norm of dL/ds(t), a row for each layer, time from left to right."""
        steps = max(len(cell.gradients) for cell in self.cells)
        rows = np.full((len(self.cells), steps), math.nan)
        for row, cell in zip(rows, self.cells, strict=True):
            row[: len(cell.gradients)] = cell.gradients
        return figures.heat_map(
            rows,
            [cell.name for cell in self.cells],
            range(1, steps + 1),
            title=f"Gradient through time: {self.verdict}",
            label="norm of dL/ds(t)",
            logarithmic=True,
            axis="step",
        )

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        cells = [
            {
                "name": cell.name,
                "kind": cell.kind,
                "gradients": cell.gradients,
                "shares": cell.shares,
                "products": [vars(product) for product in cell.products],
            }
            for cell in self.cells
        ]
        found = [self.finding.to_dict()]
        return {"verdict": self.verdict, "findings": found, "clipped": self.clipped, "layers": cells}

    def tables(self) -> tuple[Table, ...]:
        rows = [
            (cell.name, cell.kind, str(lag), f"{cell.shares[lag]:.3g}", *_cells(cell, lag))
            for cell in self.cells
            for lag in LAGS
            if lag < len(cell.shares)
        ]
        header = ("layer", "type", "steps back", "error left", "Jacobian norm", "spectral radius")
        title = "Gradient through time (an error at the last step, followed back)"
        return (Table(header, rows, title=title, footer=str(self.finding), words=("layer", "type")),)


def _cells(cell: CellFlow, lag: int) -> tuple[str, str]:
    found = next((product for product in cell.products if product.lag == lag), None)
    return (f"{found.norm:.3g}", f"{found.radius:.3g}") if found else ("unknown", "unknown")


def gradient_through_time(
    network: nn.Module,
    inputs: Tensor | tuple[Tensor, ...],
    targets: Tensor,
    loss: Callable[[Tensor, Tensor], Tensor],
    *,
    clipped: float | None = None,
) -> TimeFlow:
    """Follow the error of a batch back through the steps of every recurrent layer, in evaluation mode.

    The state s(t) of a layer is everything that it carries to the next step, of a long short-term memory h(t) and
    c(t). Within a layer dL/ds(t-k) = dL/ds(t) ds(t)/ds(t-1) ... ds(t-k+1)/ds(t-k); an error vanishes or explodes
    where that product does. The network is left as it was.

    Args:
        network: a network with recurrent layers of `ganglion.nn`.
        inputs: what the network takes, (batch, ...); several where it takes several.
        targets: what the loss compares with.
        loss: from outputs and targets to a scalar.
        clipped: share of updates that were clipped in training, where that is known.

    Raises `UsageError` if the network has no recurrent layer.

    Source: Pascanu, Mikolov and Bengio, On the difficulty of training recurrent neural networks (2013).

    >>> from ganglion.nn.recurrent import ElmanRNN
    >>> class Last(nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.recurrent = ElmanRNN(1, 8)
    ...     def forward(self, inputs):
    ...         return self.recurrent(inputs)[0][:, -1]
    >>> network = Last()
    >>> for cell in recurrent_cells(network).values():
    ...     _ = cell.recurrent_weight.data.mul_(0.1)
    >>> gradient_through_time(network, torch.randn(4, 30, 1), torch.randn(4, 8), nn.MSELoss()).verdict
    'vanishing'
    """
    (targets,) = to_device((targets,), device_of(network))
    with untouched(network, evaluating=True) as call, torch.enable_grad(), recorded(network) as records:
        value = loss(call(*(inputs if isinstance(inputs, tuple) else (inputs,))), targets)
    if not value.requires_grad:
        raise UsageError(
            "nothing to follow back: the loss depends on no trainable parameter",
            where=type(network).__name__,
            remedy="look for parameters that are frozen, or an answer that is detached",
        )
    cells = []
    for name, cell in recurrent_cells(network).items():
        if states := records[name].states:
            kind = type(cell).__name__.removesuffix("Cell")
            if isinstance(cell, LSTMCell | GRUCell):
                kind += said_slope(cell)
            products = _products(records[name], cell)
            cells.append(CellFlow(name, kind, _gradients(value, states), _shares(states), products))
    return TimeFlow(tuple(cells), clipped)


def has_time(network: nn.Module) -> bool:
    """Return whether there are recurrent layers to look into."""
    return any(isinstance(module, Cell) for module in network.modules())


def recurrent_cells(network: nn.Module) -> dict[str, Cell]:
    """Return the recurrent cells of a network by their dotted names; `UsageError` if it has none."""
    cells = {name: module for name, module in network.named_modules() if isinstance(module, Cell)}
    if not cells:
        raise UsageError(
            "there is no time to look through",
            where=type(network).__name__,
            expected="a network with recurrent layers of ganglion.nn",
        )
    return cells


class Record:
    """The steps that one cell went through."""

    def __init__(self) -> None:
        self.steps: list[tuple[Tensor, State]] = []
        """What each step was given: the projected inputs and the state before it."""
        self.states: list[State] = []
        """The state after each step."""


@contextmanager
def recorded(network: nn.Module) -> Iterator[dict[str, Record]]:
    """Let every cell go step by step through its equations while the context lasts, and keep what it goes through."""
    cells = recurrent_cells(network)
    records = {name: Record() for name in cells}

    def follow(cell: Cell, record: Record) -> Callable[..., State]:
        def scan(projected: Tensor, state: State, mask: Tensor | None = None) -> State:
            if projected.is_meta:  # somebody asks for shapes
                return type(cell).scan(cell, projected, state, mask)
            first = len(record.states)
            for projected_t in projected.unbind(0):
                record.steps.append((projected_t, state))
                state = cell.step(projected_t, state)
                record.states.append(state)
            return tuple(torch.stack(parts) for parts in zip(*record.states[first:], strict=True))

        return scan

    for name, cell in cells.items():
        cell.scan = follow(cell, records[name])  # type: ignore[method-assign]
    try:
        yield records
    finally:
        for cell in cells.values():
            del cell.scan


def _gradients(value: Tensor, states: list[State]) -> tuple[float, ...]:
    """Return the norm of dL/ds(t) for every step."""
    flat = [part for state in states for part in state]
    found = torch.autograd.grad(value, flat, retain_graph=True, allow_unused=True)
    return _norms(found, len(states[0]))


def _shares(states: list[State]) -> tuple[float, ...]:
    """Follow an error at the last step back inside the layer: its norm k steps before, as a share of its own.

    Its direction is chance, another for each sample, so that all of the state is tried: the error of the loss itself
    may happen to meet only units that are saturated, through which nothing passes in any network that has learnt.
    """
    last, generator = states[-1], torch.Generator().manual_seed(0)
    error = tuple(torch.randn(part.shape, generator=generator).to(part) for part in last)
    flat = [part for state in states for part in state]
    found = torch.autograd.grad(last, flat, error, retain_graph=True, allow_unused=True)
    norms = _norms(found, len(last))[::-1]
    return tuple(norm / norms[0] for norm in norms)


def _norms(gradients: tuple[Tensor | None, ...], parts: int) -> tuple[float, ...]:
    """Return for every step the root mean square over samples of the norm of a gradient by the whole state."""
    squares = [0.0 if part is None else float(part.double().square().sum() / len(part)) for part in gradients]
    return tuple(math.sqrt(sum(squares[start : start + parts])) for start in range(0, len(squares), parts))


def _products(record: Record, cell: Cell) -> tuple[Product, ...]:
    """Multiply the Jacobians of the first sample from the last step backwards, and measure them at some lags."""
    steps = [(given[:1].detach(), tuple(part[:1].detach() for part in state)) for given, state in record.steps]
    size = sum(part.numel() for part in steps[0][1])
    if size > LARGEST_STATE:
        return ()
    product = torch.eye(size, dtype=torch.float64)
    measured = []
    for lag, (given, state) in enumerate(reversed(steps), start=1):
        product = product @ _jacobian(cell, given, state).double().cpu()
        if lag in LAGS and product.isfinite().all():
            norm = float(torch.linalg.matrix_norm(product, 2))
            measured.append(Product(lag, norm, float(torch.linalg.eigvals(product).abs().max())))
    return tuple(measured)


def _jacobian(cell: Cell, projected: Tensor, state: State) -> Tensor:
    """Return ds(t)/ds(t-1) of one sample as a square matrix."""
    shapes, sizes = [part.shape for part in state], [part.numel() for part in state]

    def step(flat: Tensor) -> Tensor:
        parts = [piece.view(shape) for piece, shape in zip(flat.split(sizes), shapes, strict=True)]
        return torch.cat([part.flatten() for part in cell.step(projected, tuple(parts))])

    flat = torch.cat([part.flatten() for part in state])
    found = torch.autograd.functional.jacobian(step, flat, vectorize=True)
    assert isinstance(found, Tensor)
    return found
