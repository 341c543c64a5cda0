"""What networks have in common that give samples a code and make samples of codes."""

from abc import ABC, abstractmethod

from torch import Tensor, nn


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
