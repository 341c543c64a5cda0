"""Jordan's network: its own outputs, not its hidden units, are fed back."""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from ganglion.errors import ConfigurationError, ShapeError
from ganglion.fast.scans.teacher_forcing import teacher_forced_scores
from ganglion.nn.recurrent.cell import Cell, State, at_the_end
from ganglion.nn.recurrent.sequences import cleared, padding

Readout = Literal["softmax", "identity"]


class JordanCell(Cell):
    """One step: h_t = tanh(U x_t + W y_{t-1} + b),  a_t = V h_t + c,  y_t = g(a_t). Its state is y.

    Args:
        in_features: width of the input at each step.
        hidden_features: width of h.
        out_features: width of y.
        readout: g.

    Source: Jordan, Serial order: a parallel distributed processing approach (1986).
    """

    def __init__(self, in_features: int, hidden_features: int, out_features: int, readout: Readout = "softmax") -> None:
        super().__init__()
        self.in_features, self.state_features, self.readout = in_features, (out_features,), readout
        self.input_weight = nn.Parameter(torch.empty(hidden_features, in_features))  # U
        self.feedback_weight = nn.Parameter(torch.empty(hidden_features, out_features))  # W
        self.bias = nn.Parameter(torch.empty(hidden_features))  # b
        self.output = nn.Linear(hidden_features, out_features)  # V, c
        self.reset_parameters()

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Draw all weights uniformly (Glorot); the biases are zero."""
        for weight in (self.input_weight, self.feedback_weight, self.output.weight):
            if weight.numel():
                nn.init.xavier_uniform_(weight)
        self.bias.zero_()
        self.output.bias.zero_()

    def project(self, inputs: Tensor) -> Tensor:
        return functional.linear(inputs, self.input_weight, self.bias)

    def feed_back(self, previous: Tensor) -> Tensor:
        """Return W y of outputs (..., out_features)."""
        return functional.linear(previous, self.feedback_weight)

    def scores(self, total: Tensor) -> Tensor:
        """Return a_t, (..., outputs), from U x_t + W y_{t-1} + b, (..., hidden), of one step or of many."""
        scores: Tensor = self.output(total.tanh())
        return scores

    def answer(self, scores: Tensor) -> Tensor:
        """Return y_t = g(a_t), of the shape of a_t."""
        return scores.softmax(-1) if self.readout == "softmax" else scores

    def step(self, projected: Tensor, state: State) -> State:
        return (self.answer(self.scores(projected + self.feed_back(state[0]))),)

    def extra_repr(self) -> str:
        return f"{self.in_features}, {len(self.bias)}, {self.state_features[0]}, {self.readout}"


class JordanRNN(nn.Module):
    """Network whose outputs are fed back: h_t = tanh(U x_t + W y_{t-1} + b),  a_t = V h_t + c,  y_t = g(a_t).

    With teacher forcing the true y_{t-1} is fed back. Nothing then depends on the step before, and all steps are
    computed at once; without targets the network runs freely on its own outputs. Scheduled sampling lies in between:
    at each step of each sequence chance decides between the true and the own output.

    Args:
        in_features: width of the input at each step.
        hidden_features: width of h.
        out_features: width of y.
        readout: g; outputs are the a_t, from which a cross-entropy with classes is computed directly.
        batch_first: inputs, targets and outputs are (batch, time, ...), otherwise (time, batch, ...).

    One layer and one direction: the outputs of a lower layer have no targets to be forced to, and running backwards
    needs outputs of the future. `Recurrent` makes deeper ones of `JordanCell` that always run freely.

    Sources: Jordan 1986; Williams and Zipser 1989 for teacher forcing; Bengio et al. 2015 for scheduled sampling.

    >>> network = JordanRNN(3, 16, 5)
    >>> inputs, classes = torch.randn(4, 60, 3), torch.randint(5, (4, 60))
    >>> scores, _ = network(inputs, classes)
    >>> free, state = network(inputs)
    >>> scores.shape, free.shape, state.shape
    (torch.Size([4, 60, 5]), torch.Size([4, 60, 5]), torch.Size([4, 5]))
    """

    def __init__(
        self,
        in_features: int,
        hidden_features: int,
        out_features: int,
        *,
        readout: Readout = "softmax",
        batch_first: bool = True,
    ) -> None:
        super().__init__()
        self.cell = JordanCell(in_features, hidden_features, out_features, readout)
        self.batch_first = batch_first

    def forward(
        self,
        inputs: Tensor,
        targets: Tensor | None = None,
        state: Tensor | None = None,
        *,
        lengths: Tensor | None = None,
        teacher_forcing: float = 1.0,
    ) -> tuple[Tensor, Tensor]:
        """Return the scores a_t of all steps, zero past the ends, and the y that the step after the last reads.

        Args:
            inputs: (batch, time, in_features).
            targets: the true y_t, as classes (batch, time) or vectors (batch, time, out_features); None runs freely.
            state: y before the first step, (batch, out_features); None is zero.
            lengths: steps of each sequence.
            teacher_forcing: share of steps at which the true output is fed back, if there are targets.
        """
        if not 0 <= teacher_forcing <= 1:
            raise ConfigurationError("teacher_forcing must lie from 0 to 1", found=str(teacher_forcing))
        if self.batch_first and inputs.dim() == 3:
            inputs = inputs.transpose(0, 1)
            targets = None if targets is None else targets.transpose(0, 1)
        self._check(inputs, targets, state)
        past_end = None if lengths is None else padding(lengths, inputs.shape[0])
        inputs = cleared(inputs, past_end)
        first = inputs.new_zeros(inputs.shape[1], self.cell.state_features[0]) if state is None else state
        if targets is None or teacher_forcing < 1:
            scores, answers = self._step_by_step(inputs, targets, first, teacher_forcing)
        else:
            scores, answers = self._all_at_once(inputs, targets, first), targets
        last = self._vectors(at_the_end((answers,), lengths)[0], first)
        scores = cleared(scores, past_end)
        return scores.transpose(0, 1) if self.batch_first else scores, last

    def _all_at_once(self, inputs: Tensor, targets: Tensor, first: Tensor) -> Tensor:
        """Return a of all steps, the true outputs fed back: no step waits for the one before."""
        cell, previous = self.cell, targets[:-1]
        weights = (cell.input_weight, cell.feedback_weight, cell.bias, cell.output.weight, cell.output.bias)
        return teacher_forced_scores(inputs, previous, first, weights)

    def _step_by_step(
        self, inputs: Tensor, targets: Tensor | None, first: Tensor, teacher_forcing: float
    ) -> tuple[Tensor, Tensor]:
        """Feed back what each sequence is given by chance: its own output, or the true one."""
        projected = self.cell.project(inputs)  # (time, batch, hidden)
        forced = torch.rand(projected.shape[:2], device=projected.device) < teacher_forcing  # (time, batch)
        truths = None if targets is None else self._vectors(targets, first)
        scores, answers, previous = [], [], first
        for step, projected_t in enumerate(projected.unbind(0)):
            scores.append(self.cell.scores(projected_t + self.cell.feed_back(previous)))
            previous = self.cell.answer(scores[-1])
            if truths is not None:
                previous = torch.where(forced[step, :, None], truths[step], previous)
            answers.append(previous)
        return torch.stack(scores), torch.stack(answers)

    def _vectors(self, targets: Tensor, like: Tensor) -> Tensor:
        """Return targets as vectors, classes as one-hot ones."""
        if targets.is_floating_point():
            return targets
        return functional.one_hot(targets, self.cell.state_features[0]).to(like.dtype)

    def _check(self, inputs: Tensor, targets: Tensor | None, state: Tensor | None) -> None:
        width, (axes, wide) = self.cell.in_features, (inputs.shape[:2], self.cell.state_features[0])
        if inputs.dim() != 3 or inputs.shape[2] != width or 0 in axes:
            order = "batch, time" if self.batch_first else "time, batch"
            raise self._misfit("this input", f"({order}, {width}) with at least one step and one sequence", inputs)
        if targets is not None:
            shape = (*axes, wide) if targets.is_floating_point() else tuple(axes)
            if tuple(targets.shape) != shape:
                raise self._misfit("these targets", f"(time, batch, ...) = {shape}", targets)
        if state is not None and tuple(state.shape) != (axes[1], wide):
            raise self._misfit("this state", f"(batch, out_features) = {(axes[1], wide)}", state)

    def _misfit(self, what: str, expected: str, found: Tensor) -> ShapeError:
        where = f"JordanRNN({self.cell.extra_repr()})"
        return ShapeError(
            f"a JordanRNN cannot read {what}", where=where, expected=expected, found=str(tuple(found.shape))
        )
