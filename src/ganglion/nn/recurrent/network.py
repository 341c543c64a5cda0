"""Networks of recurrent cells: layers, directions, lengths, dropout and states, the same for every cell."""

import math
from collections.abc import Callable, Sequence
from typing import Literal, TypedDict, cast

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence
from torch.utils.checkpoint import checkpoint

from ganglion.errors import ConfigurationError, ShapeError
from ganglion.fast import applies
from ganglion.fast.dropout import dropout
from ganglion.nn.recurrent.cell import Cell, State
from ganglion.nn.recurrent.sequences import cleared, packed_like, padding, reversed_in_time, unpacked

States = tuple[State, ...]
"""The state of every cell: first layer forward, first layer backward if there is one, second layer forward, ..."""
PIECE = 2**20
"""Outputs that a cell computes at a time where no gradient is wanted: its gates need not all be there at once."""


class Options(TypedDict, total=False):
    """What `Recurrent` and every layer built on it can be told; see there."""

    merge: Literal["concatenate", "sum"]
    dropout: float
    recurrent_dropout: float
    learned_state: bool
    batch_first: bool
    returns: Literal["all", "last"]
    checkpoint_segments: int


class Recurrent(nn.Module):
    """Cells over time: layers on top of each other, each reading the outputs of the one below.

    Args:
        layers: one cell, or the cells from the lowest layer to the highest.
        backward_layers: cells that read from the last step to the first, one beside each of `layers`.
        merge: what is read of two directions, [h_f; h_b] or V_f h_f + V_b h_b + c with learnt V and c.
        dropout: share of outputs zeroed between layers while training; none after the last layer.
        recurrent_dropout: share of a state zeroed wherever the next step reads it, the same units at every step.
        learned_state: learn the state before the first step, which is zero otherwise.
        batch_first: inputs and outputs are (batch, time, ...), otherwise (time, batch, ...).
        returns: the outputs of all steps, or those of the last step alone; of a backward layer that is its last step,
            at the start of the sequence.
        checkpoint_segments: pieces of time of which only the inputs are kept for the backward pass, which computes
            the rest again: less memory for more time.

    Raises `ShapeError` naming the layer if inputs, state or lengths do not fit.

    >>> from ganglion.nn.recurrent import LSTMCell
    >>> network = Recurrent([LSTMCell(3, 8), LSTMCell(8, 4)], returns="last")
    >>> outputs, state = network(torch.zeros(5, 60, 3))
    >>> outputs.shape, state[0].cell.shape
    (torch.Size([5, 4]), torch.Size([5, 8]))
    """

    def __init__(
        self,
        layers: Cell | Sequence[Cell],
        backward_layers: Cell | Sequence[Cell] = (),
        *,
        merge: Literal["concatenate", "sum"] = "concatenate",
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        learned_state: bool = False,
        batch_first: bool = True,
        returns: Literal["all", "last"] = "all",
        checkpoint_segments: int = 1,
    ) -> None:
        super().__init__()
        self.dropout, self.recurrent_dropout, self.batch_first = dropout, recurrent_dropout, batch_first
        self.returns, self.checkpoint_segments = returns, checkpoint_segments
        self.layers = _modules(layers)
        self.backward_layers = _modules(backward_layers)
        self._check_options()
        self.merges = nn.ModuleList()
        if merge == "sum":
            widths = [cell.state_features[0] for cell in self.layers]
            self.merges.extend(nn.Linear(2 * width, width) for width in widths[: len(self.backward_layers)])
        widths = [width for cell in self.cells for width in cell.state_features]
        self.initial_states = nn.ParameterList(torch.zeros(width) for width in widths if learned_state)

    @property
    def cells(self) -> list[Cell]:
        """All cells in the order of their states."""
        if not self.backward_layers:
            return list(self.layers)
        return [cell for pair in zip(self.layers, self.backward_layers, strict=True) for cell in pair]

    def forward(
        self,
        inputs: Tensor | PackedSequence,
        state: Sequence[State] | None = None,
        *,
        lengths: Tensor | Sequence[int] | None = None,
        steps: int | None = None,
    ) -> tuple[Tensor | PackedSequence, States]:
        """Read sequences and return the outputs of the last layer and the state after each sequence's last step.

        Args:
            inputs: (batch, time, features), or packed sequences; (batch, features) where `steps` is given.
            state: the state of each cell before the first step, as it was returned; None is zero, or what was learnt.
            lengths: steps of each sequence; what is past them is neither read nor changes anything, and outputs there
                are zero.
            steps: read the same inputs at each of so many steps (one to many).
        """
        if isinstance(inputs, PackedSequence):
            sequences, lengths = unpacked(inputs)
        else:
            sequences = self._time_first(inputs, steps)
        self._check_inputs(sequences, inputs)
        ends = None if lengths is None else self._checked_lengths(lengths, sequences)
        states = self._states(sequences) if state is None else self._checked_states(state, sequences)
        outputs, last = self._run(sequences, states, ends)
        if self.returns == "last":
            return outputs, last
        if isinstance(inputs, PackedSequence):
            assert ends is not None
            return packed_like(outputs, ends, inputs), last
        return outputs.transpose(0, 1) if self.batch_first else outputs, last

    def _run(self, inputs: Tensor, states: States, lengths: Tensor | None) -> tuple[Tensor, States]:
        """Run all layers over (time, batch, ...)."""
        past_end = None if lengths is None else padding(lengths, inputs.shape[0])
        # What is past the end is cleared and not only ignored: no NaN there shall meet a gradient of zero.
        outputs, remaining = cleared(inputs, past_end), iter(states)
        last: list[State] = []
        for number, layer in enumerate(self.layers):
            inputs = dropout(outputs, self.dropout, self.training) if number else outputs
            hidden, end = self._read(layer, inputs, next(remaining), lengths)
            directions = [cleared(hidden, past_end)]
            last.append(end)
            if self.backward_layers:
                backwards = reversed_in_time(inputs, lengths)
                hidden, end = self._read(self.backward_layers[number], backwards, next(remaining), lengths)
                directions.append(reversed_in_time(cleared(hidden, past_end), lengths))
                last.append(end)
            outputs = cleared(self._merged(directions, number), past_end)
        if self.returns == "last":
            ends = [end[0][None] for end in last[-len(directions) :]]
            outputs = self._merged(ends, number)[0]
        return outputs, tuple(last)

    def _read(self, cell: Cell, inputs: Tensor, state: State, lengths: Tensor | None) -> tuple[Tensor, State]:
        """Run one cell over (time, batch, ...), in pieces of time if asked."""
        mask = None
        if self.recurrent_dropout and self.training:
            mask = dropout(torch.ones_like(state[0]), self.recurrent_dropout)
        segments = max(self.checkpoint_segments, _pieces_to_read(cell, inputs))
        if segments == 1:
            outputs, last = cell(inputs.transpose(0, 1), state, mask=mask, lengths=lengths)
            return outputs.transpose(0, 1), last
        return _in_segments(cell, inputs, state, mask, lengths, segments)

    def _merged(self, directions: list[Tensor], number: int) -> Tensor:
        if len(directions) == 1:
            return directions[0]
        both = torch.cat(directions, dim=2)
        if not self.merges:
            return both
        merged: Tensor = self.merges[number](both.movedim(2, -1))
        return merged.movedim(-1, 2)

    def _states(self, inputs: Tensor) -> States:
        """Return the states that a batch of inputs (time, batch, ...) starts from."""
        states, learned = [], iter(self.initial_states)
        for cell in self.cells:
            shapes = cell.state_shapes(inputs)
            if self.initial_states:
                parts = [next(learned).view(-1, *[1] * (len(shape) - 2)).expand(shape) for shape in shapes]
            else:
                parts = [inputs.new_zeros(shape) for shape in shapes]
            states.append(cell.named(parts))
        return tuple(states)

    def _time_first(self, inputs: Tensor, steps: int | None) -> Tensor:
        if steps is not None:
            return inputs.expand(steps, *inputs.shape)
        return inputs.transpose(0, 1) if self.batch_first and inputs.dim() > 1 else inputs

    def _check_options(self) -> None:
        if not self.layers or (self.backward_layers and len(self.layers) != len(self.backward_layers)):
            raise ConfigurationError(
                f"{type(self).__name__} has the wrong number of layers",
                expected="at least one, and as many backward layers or none",
                found=f"{len(self.layers)} forward, {len(self.backward_layers)} backward",
            )
        for name in ("dropout", "recurrent_dropout"):
            if not 0 <= getattr(self, name) < 1:
                raise ConfigurationError(f"{name} must lie from 0 to below 1", found=str(getattr(self, name)))
        if self.checkpoint_segments < 1:
            raise ConfigurationError("checkpoint_segments must be at least 1", found=str(self.checkpoint_segments))

    def _check_inputs(self, sequences: Tensor, given: Tensor | PackedSequence) -> None:
        width, rank = self.layers[0].in_features, self.layers[0].input_rank
        wrong = sequences.dim() != rank or 0 in sequences.shape[:2]
        if wrong or (width is not None and sequences.shape[2] != width):
            axes = ["batch", "time"] if self.batch_first else ["time", "batch"]
            axes += ["features" if width is None else str(width), "height", "width"]
            raise ShapeError(
                f"{type(self).__name__} cannot read this input",
                where=self._place,
                expected=f"({', '.join(axes[:rank])}) with at least one step and one sequence",
                found=str(tuple(given.data.shape if isinstance(given, PackedSequence) else given.shape)),
            )

    def _checked_lengths(self, lengths: Tensor | Sequence[int], sequences: Tensor) -> Tensor:
        steps, batch = sequences.shape[:2]
        ends = torch.as_tensor(lengths)
        # Values are not looked at where that would wait for a device at every call, or where there are none yet.
        visible = ends.device.type == "cpu" and not torch.compiler.is_compiling()
        wrong = ends.shape != (batch,) or ends.is_floating_point()
        if wrong or (visible and not bool(((ends >= 1) & (ends <= steps)).all())):
            raise ShapeError(
                f"the lengths do not fit the input of {type(self).__name__}",
                where=self._place,
                expected=f"{batch} whole numbers from 1 to {steps}",
                found=f"shape {tuple(ends.shape)}, {ends.flatten()[:8].tolist()}",
            )
        return ends.to(sequences.device, torch.long)

    def _checked_states(self, states: Sequence[State], sequences: Tensor) -> States:
        expected = [cell.state_shapes(sequences) for cell in self.cells]
        found = [[tuple(part.shape) for part in state] for state in states]
        if found != expected:
            raise ShapeError(
                f"the state does not fit {type(self).__name__}",
                where=self._place,
                expected=f"for each cell {expected}",
                found=str(found),
            )
        return tuple(tuple(state) for state in states)

    @property
    def _place(self) -> str:
        return f"{type(self).__name__}({', '.join(cell.extra_repr() or type(cell).__name__ for cell in self.layers)})"

    def extra_repr(self) -> str:
        usual = {"dropout": 0, "recurrent_dropout": 0, "batch_first": True, "returns": "all", "checkpoint_segments": 1}
        changed = [f"{name}={getattr(self, name)}" for name, value in usual.items() if getattr(self, name) != value]
        return ", ".join(changed)


def detached(states: Sequence[State]) -> States:
    """Return a state through which no gradient flows: back-propagation through time is truncated there.

    >>> from ganglion.nn.recurrent import GRU
    >>> gru = GRU(3, 8)
    >>> outputs, state = gru(torch.randn(5, 60, 3))
    >>> outputs, state = gru(torch.randn(5, 60, 3), detached(state))
    """
    return tuple(_detached(state) for state in states)


def _detached(state: State) -> State:
    parts = [part.detach() for part in state]
    return type(state)(*parts) if hasattr(state, "_fields") else tuple(parts)


def stack_cells(
    make: Callable[[int], Cell], in_features: int, num_layers: int, bidirectional: bool, merge: str | None
) -> tuple[list[Cell], list[Cell]]:
    """Return forward and backward cells, each layer as wide as what the one below hands on."""
    if num_layers < 1:
        raise ConfigurationError("num_layers must be at least 1", found=str(num_layers))
    forward: list[Cell] = []
    backward: list[Cell] = []
    for _ in range(num_layers):
        forward.append(make(in_features))
        if bidirectional:
            backward.append(make(in_features))
        width = forward[-1].state_features[0]
        in_features = 2 * width if bidirectional and merge != "sum" else width
    return forward, backward


def _modules(cells: Cell | Sequence[Cell]) -> Sequence[Cell]:
    """Return a list of cells that torch sees, typed as what it holds."""
    return cast(Sequence[Cell], nn.ModuleList([cells] if isinstance(cells, Cell) else cells))


def _pieces_to_read(cell: Cell, inputs: Tensor) -> int:
    """Return into how many pieces of time to cut inputs (time, batch, ...) that no gradient is wanted of."""
    if torch.is_grad_enabled() or not applies.to_scans(inputs, *cell.parameters()) or "scan" in vars(cell):
        return 1
    return math.ceil(len(inputs) * math.prod(cell.state_shapes(inputs)[0]) / PIECE)


def _in_segments(
    cell: Cell, inputs: Tensor, state: State, mask: Tensor | None, lengths: Tensor | None, count: int
) -> tuple[Tensor, State]:
    """Run a cell piece by piece, keeping only what enters each piece for the backward pass."""

    def run(piece: Tensor, state: State, ends: Tensor | None) -> tuple[Tensor, State]:
        hidden, state = cell(piece.transpose(0, 1), state, mask=mask, lengths=ends)
        return hidden, tuple(part.clone() for part in state)  # A view would keep the states of all steps.

    outputs, start = [], 0
    last = state
    for piece in inputs.split(math.ceil(len(inputs) / count)):
        # A sequence that is over reads on what nobody looks at.
        ends = None if lengths is None else (lengths - start).clamp(1, len(piece))
        hidden, state = checkpoint(run, piece, state, ends, use_reentrant=False)
        if lengths is None:
            last = state
        else:
            ends_here = (lengths > start) & (lengths <= start + len(piece))
            last = tuple(
                torch.where(ends_here.view(-1, *[1] * (new.dim() - 1)), new, old)
                for new, old in zip(state, last, strict=True)
            )
        outputs.append(hidden.transpose(0, 1))
        start += len(piece)
    return torch.cat(outputs), cell.named(last)
