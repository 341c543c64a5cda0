"""The weights that gated cells have in common, and torch's own kernels for all steps of one."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypedDict

import torch
from torch import Tensor, nn

from ganglion.errors import ConfigurationError
from ganglion.fast import applies


class Weighted(Protocol):
    """A cell that reads the input by one weight and the state by another."""

    input_weight: nn.Parameter
    recurrent_weight: nn.Parameter
    bias: nn.Parameter
    in_features: int | None
    training: bool


class Gated(Weighted, Protocol):
    """Such a cell whose gates may be steep."""

    gate_slope: float
    gate_slopes: Tensor | None
    state_features: tuple[int, ...]


class Slope(TypedDict, total=False):
    """How steep the sigmoid of gates is; see `LSTMCell` and `GRUCell`."""

    gate_slope: float
    learned_slope: bool


def add_weights(cell: Weighted, gates: int, in_features: int, hidden_features: int) -> None:
    """Give a cell W (gates * hidden, in_features), U (gates * hidden, hidden) and b (gates * hidden)."""
    cell.input_weight = nn.Parameter(torch.empty(gates * hidden_features, in_features))
    cell.recurrent_weight = nn.Parameter(torch.empty(gates * hidden_features, hidden_features))
    cell.bias = nn.Parameter(torch.empty(gates * hidden_features))


def add_slopes(cell: Any, gates: int, slope: float, learned: bool) -> None:
    """Give a cell the slope s of its gates, g = sigmoid(s a): one number for all, or one to be learnt for each gate."""
    if slope <= 0:
        raise ConfigurationError("the slope of gates must be above 0", where="gate_slope", found=f"{slope:g}")
    cell.gate_slope = slope
    cell.register_parameter("gate_slopes", nn.Parameter(torch.full((gates,), slope)) if learned else None)


def steepened(cell: Gated, is_gate: Sequence[bool]) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
    """Return W, U and b with the rows of gates times their slope, and the slopes (gates,), None where all are 1.

    sigmoid(s (W x + U h + b)) = sigmoid((s W) x + (s U) h + s b), so that compiled steps need not know of it.

    Args:
        is_gate: which of the blocks of rows are gates, and not the candidate.
    """
    slopes = cell.gate_slopes
    if slopes is None:
        if cell.gate_slope == 1:
            return cell.input_weight, cell.recurrent_weight, cell.bias, None
        slopes = cell.bias.new_full((sum(is_gate),), cell.gate_slope)
    each, one = iter(slopes.unbind()), slopes.new_ones(())
    blocks = torch.stack([next(each) if gate else one for gate in is_gate])
    rows = blocks.repeat_interleave(cell.state_features[0])
    return cell.input_weight * rows[:, None], cell.recurrent_weight * rows[:, None], cell.bias * rows, slopes


def said_slope(cell: Gated) -> str:
    """Return what a layer says of the slope of its gates: nothing where it is 1 and stays so."""
    if cell.gate_slopes is not None:
        return f", gates of slope {', '.join(f'{slope:.3g}' for slope in cell.gate_slopes.tolist())} (learnt)"
    return f", gates of slope {cell.gate_slope:g}" if cell.gate_slope != 1 else ""


@torch.no_grad()
def draw_weights(cell: Weighted, gates: int) -> None:
    """Draw input weights uniformly (Glorot) and recurrent ones orthogonally, gate by gate; biases start at zero."""
    for weight in cell.input_weight.chunk(gates):
        if weight.numel():
            nn.init.xavier_uniform_(weight)
    for weight in cell.recurrent_weight.chunk(gates):
        nn.init.orthogonal_(weight)
    cell.bias.zero_()


def fits_torch_kernels(cell: Weighted, inputs: Tensor, mask: Tensor | None, *parameters: Tensor | None) -> bool:
    """Return whether torch's fused kernels shall run all steps, where ours do not apply and nobody watches them.

    Inputs are (time, batch, features) and the mask (time, batch).
    """
    replaced = "scan" in vars(cell)  # by whoever wants to see the steps
    return mask is None and not replaced and cell.in_features != 0 and applies.to_torch_scans(inputs, *parameters)


def run_torch_kernel(
    cell: Weighted,
    kernel: Callable[..., Any],
    inputs: Tensor,
    state: Any,
    weights: tuple[Tensor, Tensor, Tensor],
    second_bias: Tensor | None = None,
) -> tuple[Tensor, ...]:
    """Run one of torch's fused kernels over inputs (batch, time, in_features), from a state (1, batch, hidden).

    Returns the outputs (batch, time, hidden) and the parts of the last state, (1, batch, hidden) each.

    Args:
        weights: W, U and b.
    """
    if inputs.is_meta:  # of shapes alone torch would make every step
        parts = (state,) if isinstance(state, Tensor) else state
        outputs = inputs.new_empty(*inputs.shape[:2], parts[0].shape[-1])
        return outputs, *(torch.empty_like(part) for part in parts)
    # The kernel wants torch's second bias. Where it adds nothing, nothing of it is kept or learnt.
    second_bias = torch.zeros_like(weights[2]) if second_bias is None else second_bias
    read: list[Tensor] = [*weights, second_bias]
    if inputs.is_cuda:
        # One after the other in memory, as cuDNN wants them; else it warns and does so itself.
        pieces = torch.cat([weight.flatten() for weight in read]).split([weight.numel() for weight in read])
        read = [piece.view_as(weight) for piece, weight in zip(pieces, read, strict=True)]
    result: tuple[Tensor, ...] = kernel(inputs, state, read, True, 1, 0.0, cell.training, False, True)
    return result
