"""What networks have in common that give samples a code and make samples of codes."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from ganglion.nn.activations import PlainActivation, activation
from ganglion.nn.linear import Linear


class CodingNetwork(nn.Module, ABC):
    """An encoder and a decoder: `reconstruct` is one after the other.

    Where the network is `logistic`, samples are squashed into (0, 1), and what `forward` returns are their logits.
    """

    logistic: bool

    @abstractmethod
    def encode(self, inputs: Tensor) -> Tensor:
        """Return the codes (batch, code_size) of inputs (batch, ...)."""

    @abstractmethod
    def outputs(self, codes: Tensor) -> Tensor:
        """Return what codes (batch, code_size) stand for, (batch, in_features); its logits where it is logistic."""

    def forward(self, inputs: Tensor) -> Tensor:
        """Return reconstructions in the shape of `inputs`; their logits where the network is logistic."""
        return self.outputs(self.encode(inputs)).view_as(inputs)

    def decode(self, codes: Tensor) -> Tensor:
        """Return what codes (batch, code_size) stand for, (batch, in_features)."""
        outputs = self.outputs(codes)
        return outputs.sigmoid() if self.logistic else outputs

    def reconstruct(self, inputs: Tensor) -> Tensor:
        """Return what is left of inputs (batch, ...) after a passage through the code, in their shape."""
        return self.decode(self.encode(inputs)).view_as(inputs)


class TransposedLinear(nn.Module):
    """A dense layer that goes back through another one by its transposed weights: W^T g + c.

    Args:
        out_features: inputs of the layer that is gone back through; width of the bias, which is all this layer owns.
    """

    def __init__(self, out_features: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(out_features))

    def forward(self, inputs: Tensor, forth: nn.Linear) -> Tensor:
        return functional.linear(inputs, forth.weight.T, self.bias)


class DenseCoder(CodingNetwork):
    """A dense encoder and its mirror image.

    h_0 = x, h_k = a(W_k h_{k-1} + b_k), code = a'(W_n h_{n-1} + b_n), and back along the same widths; with tied weights
    the way back has the transposed W.

    Args:
        widths: of the inputs, of every hidden layer, and of the code.
        activation_name: a.
        code_activation_name: a'.
        tied: whether the decoder uses the encoder's weights.
        logistic: whether outputs are logits.

    >>> network = DenseCoder([6, 4, 2])
    >>> network.encode(torch.zeros(3, 6)).shape, network(torch.zeros(3, 2, 3)).shape
    (torch.Size([3, 2]), torch.Size([3, 2, 3]))
    """

    def __init__(
        self,
        widths: Sequence[int],
        activation_name: PlainActivation = "relu",
        code_activation_name: PlainActivation = "linear",
        *,
        tied: bool = False,
        logistic: bool = False,
    ) -> None:
        super().__init__()
        self.logistic = logistic
        self.activation, self.code_activation = activation(activation_name), activation(code_activation_name)
        self.encoder = nn.ModuleList(Linear(width, narrow) for width, narrow in pairwise(widths))
        back = pairwise(reversed(widths))
        self.decoder = nn.ModuleList(TransposedLinear(wide) if tied else Linear(width, wide) for width, wide in back)

    @property
    def depth(self) -> int:
        """Layers of the encoder."""
        return len(self.encoder)

    def encode(self, inputs: Tensor) -> Tensor:
        """Return the codes (batch, code_size) of inputs (batch, ...)."""
        hidden = inputs.flatten(1)
        for number in range(self.depth):
            hidden = self.forth(hidden, number)
        return hidden

    def outputs(self, codes: Tensor) -> Tensor:
        """Return what codes (batch, code_size) stand for, (batch, in_features); its logits where it is logistic."""
        hidden = codes
        for number in reversed(range(self.depth)):
            hidden = self.back(hidden, number)
        return hidden

    def forth(self, hidden: Tensor, number: int) -> Tensor:
        """Return h_{k+1}, (batch, narrow), of h_k, (batch, wide), through layer k of the encoder."""
        outputs: Tensor = self._activation(number)(self.encoder[number](hidden))
        return outputs

    def back(self, hidden: Tensor, number: int) -> Tensor:
        """Return h_k, (batch, wide), of h_{k+1}, (batch, narrow), through the decoder's mirror image of layer k."""
        layer, forth = self.decoder[self.depth - 1 - number], self.encoder[number]
        outputs: Tensor = layer(hidden, forth) if isinstance(layer, TransposedLinear) else layer(hidden)
        return self.activation(outputs) if number else outputs

    def pair(self, number: int) -> nn.Module:
        """Return layer k of the encoder and its mirror image in the decoder."""
        return nn.ModuleList([self.encoder[number], self.decoder[self.depth - 1 - number]])

    def encoder_jacobian(self, inputs: Tensor) -> Tensor:
        """Return d code / d x, (batch, code_size, in_features), of inputs (batch, ...).

        By the chain rule from the code back, as many rows as the code has numbers: J <- J diag(a') W.
        """
        hidden, slopes = inputs.flatten(1), []
        for number, layer in enumerate(self.encoder):
            before = layer(hidden)
            before = before if before.requires_grad else before.requires_grad_()
            hidden = self._activation(number)(before)
            slopes.append(torch.autograd.grad(hidden.sum(), before, create_graph=True)[0])
        *earlier, (layer, slope) = zip(self.encoder, slopes, strict=True)
        jacobian = slope[:, :, None] * layer.weight
        for layer, slope in reversed(earlier):
            jacobian = (jacobian * slope[:, None, :]) @ layer.weight
        return jacobian

    def _activation(self, number: int) -> nn.Module:
        return self.activation if number < self.depth - 1 else self.code_activation
