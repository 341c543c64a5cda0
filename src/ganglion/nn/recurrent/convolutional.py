"""Long short-term memory over maps: its products are convolutions."""

from collections.abc import Sequence
from typing import Unpack

import torch
from torch import Tensor, nn
from torch.nn import functional

from ganglion.errors import ConfigurationError
from ganglion.nn.recurrent.cell import Cell, State
from ganglion.nn.recurrent.lstm import LSTMState
from ganglion.nn.recurrent.network import Options, Recurrent, stack_cells


class ConvLSTMCell(Cell):
    r"""Long short-term memory whose states are maps, with peepholes for each channel; * convolves, . multiplies.

    i_t = sigmoid(W * X_t + U * H_{t-1} + p . C_{t-1} + b),  F_t likewise;  Z_t = tanh(W * X_t + U * H_{t-1} + b)
    C_t = f_t . C_{t-1} + i_t . Z_t
    o_t = sigmoid(W * X_t + U * H_{t-1} + p . C_t + b);  H_t = o_t . tanh(C_t)      each with its own W, U, p, b

    Maps keep their size: they are padded with zeros. Channels of `input_weight` (W), `recurrent_weight` (U) and `bias`
    (b) belong to i, f, Z, o in that order; rows of `peepholes` (p) to i, f, o.

    Args:
        in_channels: channels of the maps at each step; with 0 the cell lives on its state alone.
        hidden_channels: channels of the state.
        kernel_size: odd side of the kernels U, and of W where no other is given.
        peepholes: let the gates see the cell.
        forget_bias: initial bias of the forget gate.
        input_kernel_size: odd side of the kernels W.

    Source: Shi et al., Convolutional LSTM network (2015). Its peepholes have a weight for each place of the map; one
    for each channel fits maps of any size and gives the published numbers of parameters.
    """

    input_rank = 5
    input_weight: nn.Parameter
    recurrent_weight: nn.Parameter
    peepholes: Tensor | None

    def __init__(
        self,
        in_channels: int,
        hidden_channels: int,
        kernel_size: int = 3,
        *,
        peepholes: bool = True,
        forget_bias: float = 1.0,
        input_kernel_size: int | None = None,
    ) -> None:
        super().__init__()
        sides = (input_kernel_size or kernel_size, kernel_size)
        if any(side % 2 == 0 for side in sides):
            raise ConfigurationError("the kernels of a ConvLSTM must have an odd side", found=str(sides))
        self.in_features, self.state_features = in_channels, (hidden_channels, hidden_channels)
        self.forget_bias = forget_bias
        for name, channels, side in zip(("input", "recurrent"), (in_channels, hidden_channels), sides, strict=True):
            weight = torch.empty(4 * hidden_channels, channels, side, side)
            self.register_parameter(f"{name}_weight", nn.Parameter(weight))
        self.bias = nn.Parameter(torch.empty(4 * hidden_channels))
        self.register_parameter("peepholes", nn.Parameter(torch.empty(3, hidden_channels)) if peepholes else None)
        self.reset_parameters()

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Draw W and U uniformly (Glorot), gate by gate; peepholes and the other biases are zero."""
        for weight in (*self.input_weight.chunk(4), *self.recurrent_weight.chunk(4)):
            if weight.numel():
                nn.init.xavier_uniform_(weight)
        self.bias.zero_()
        self.bias.chunk(4)[1].fill_(self.forget_bias)
        if self.peepholes is not None:
            self.peepholes.zero_()

    def project(self, inputs: Tensor) -> Tensor:
        """Convolve the maps of all steps at once, (time, batch, channels, height, width)."""
        if not self.in_features:
            shape = (*inputs.shape[:2], len(self.bias), *inputs.shape[3:])
            return self.bias[:, None, None].expand(shape)
        maps = functional.conv2d(inputs.flatten(0, 1), self.input_weight, self.bias, padding="same")
        return maps.unflatten(0, inputs.shape[:2])

    def step(self, projected: Tensor, state: State) -> LSTMState:
        parts = self.activities(projected, state)
        return LSTMState(parts["hidden"], parts["cell"])

    def activities(self, projected: Tensor, state: State) -> dict[str, Tensor]:
        hidden, cell = state
        total = projected + functional.conv2d(hidden, self.recurrent_weight, padding="same")
        i, f, z, o = total.chunk(4, dim=1)
        if self.peepholes is not None:
            p_i, p_f, p_o = self.peepholes[:, :, None, None]
            i, f = i + p_i * cell, f + p_f * cell
        i, f, z = i.sigmoid(), f.sigmoid(), z.tanh()
        cell = f * cell + i * z
        o = (o if self.peepholes is None else o + p_o * cell).sigmoid()
        return {
            "input gate": i, "forget gate": f, "candidate": z, "output gate": o, "cell": cell,
            "hidden": o * cell.tanh(),
        }  # fmt: skip

    def state_shapes(self, inputs: Tensor) -> list[tuple[int, ...]]:
        return [(inputs.shape[1], channels, *inputs.shape[3:]) for channels in self.state_features]

    def named(self, state: Sequence[Tensor]) -> LSTMState:
        return LSTMState(*state)

    def extra_repr(self) -> str:
        sides = dict.fromkeys((self.input_weight.shape[-1], self.recurrent_weight.shape[-1]))
        end = ", peepholes" if self.peepholes is not None else ""
        return f"{self.in_features}, {self.state_features[0]}, {' and '.join(f'{side}x{side}' for side in sides)}{end}"


class ConvLSTM(Recurrent):
    """Layers of convolutional long short-term memory; the equations stand at `ConvLSTMCell`.

    Args:
        in_channels: channels of the maps at each step; 0 for a forecaster that lives on its state alone.
        hidden_channels: channels of each layer, from the lowest to the highest.
        kernel_size: odd side of the kernels over states, and over inputs where no other is given.
        peepholes: let the gates see the cell, with a weight for each channel.
        forget_bias: initial bias of the forget gates.
        bidirectional: read each sequence from its end as well.
        input_kernel_size: odd side of the kernels over inputs.
        options: `Recurrent` says what they mean.

    >>> network = ConvLSTM(1, (8, 4), kernel_size=3)
    >>> outputs, state = network(torch.zeros(2, 10, 1, 16, 16))
    >>> outputs.shape, state[0].hidden.shape
    (torch.Size([2, 10, 4, 16, 16]), torch.Size([2, 8, 16, 16]))
    """

    def __init__(
        self,
        in_channels: int,
        hidden_channels: Sequence[int],
        kernel_size: int = 3,
        *,
        peepholes: bool = True,
        forget_bias: float = 1.0,
        bidirectional: bool = False,
        input_kernel_size: int | None = None,
        **options: Unpack[Options],
    ) -> None:
        widths = iter([width for width in hidden_channels for _ in range(1 + bidirectional)])

        def make(below: int) -> Cell:
            return ConvLSTMCell(
                below,
                next(widths),
                kernel_size,
                peepholes=peepholes,
                forget_bias=forget_bias,
                input_kernel_size=input_kernel_size,
            )

        cells = stack_cells(make, in_channels, len(hidden_channels), bidirectional, options.get("merge"))
        super().__init__(*cells, **options)
