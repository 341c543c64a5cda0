"""The weights that gated cells have in common, and torch's own kernels for all steps of one."""

from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from ganglion.fast import applies


class Gated(Protocol):
    """A cell whose gates read the input by one weight and the state by another."""

    input_weight: nn.Parameter
    recurrent_weight: nn.Parameter
    bias: nn.Parameter
    in_features: int | None
    training: bool


def add_weights(cell: Gated, gates: int, in_features: int, hidden_features: int) -> None:
    """Give a cell W (gates * hidden, in_features), U (gates * hidden, hidden) and b (gates * hidden)."""
    cell.input_weight = nn.Parameter(torch.empty(gates * hidden_features, in_features))
    cell.recurrent_weight = nn.Parameter(torch.empty(gates * hidden_features, hidden_features))
    cell.bias = nn.Parameter(torch.empty(gates * hidden_features))


@torch.no_grad()
def draw_weights(cell: Gated, gates: int) -> None:
    """Draw input weights uniformly (Glorot) and recurrent ones orthogonally, gate by gate; biases start at zero."""
    for weight in cell.input_weight.chunk(gates):
        if weight.numel():
            nn.init.xavier_uniform_(weight)
    for weight in cell.recurrent_weight.chunk(gates):
        nn.init.orthogonal_(weight)
    cell.bias.zero_()


def fits_torch_kernels(cell: Gated, inputs: Tensor, mask: Tensor | None, *parameters: Tensor | None) -> bool:
    """Return whether torch's fused kernels shall run all steps, where ours do not apply and nobody watches them.

    Inputs are (time, batch, features) and the mask (time, batch).
    """
    replaced = "scan" in vars(cell)  # by whoever wants to see the steps
    return mask is None and not replaced and cell.in_features != 0 and applies.to_torch_scans(inputs, *parameters)


def run_torch_kernel(
    cell: Gated, kernel: Callable[..., Any], inputs: Tensor, state: Any, second_bias: Tensor | None = None
) -> tuple[Tensor, ...]:
    """Run one of torch's fused kernels over inputs (batch, time, in_features), from a state (1, batch, hidden).

    Returns the outputs (batch, time, hidden) and the parts of the last state, (1, batch, hidden) each.
    """
    # The kernel wants torch's second bias. Where it adds nothing, nothing of it is kept or learnt.
    second_bias = torch.zeros_like(cell.bias) if second_bias is None else second_bias
    weights: list[Tensor] = [cell.input_weight, cell.recurrent_weight, cell.bias, second_bias]
    if inputs.is_cuda:
        # One after the other in memory, as cuDNN wants them; else it warns and does so itself.
        pieces = torch.cat([weight.flatten() for weight in weights]).split([weight.numel() for weight in weights])
        weights = [piece.view_as(weight) for piece, weight in zip(pieces, weights, strict=True)]
    result: tuple[Tensor, ...] = kernel(inputs, state, weights, True, 1, 0.0, cell.training, False, True)
    return result
