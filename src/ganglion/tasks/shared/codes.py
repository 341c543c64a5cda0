"""Codes of samples, and what is left of samples after the passage through them."""

from torch import Tensor, nn

from ganglion.core import Decoder, Encoder
from ganglion.tasks.shared.evaluation import ask


def encoded(network: nn.Module, inputs: Tensor) -> Tensor:
    """Return the codes (samples, features) of inputs (samples, ...)."""
    assert isinstance(network, Encoder)
    return ask(network, inputs, by=network.encode)


def decoded(network: nn.Module, codes: Tensor) -> Tensor:
    """Return what codes (samples, features) stand for, (samples, values)."""
    assert isinstance(network, Decoder)
    return ask(network, codes, by=network.decode)


def rebuilt(network: nn.Module, inputs: Tensor) -> Tensor:
    """Return what is left of inputs (samples, ...) after the passage through the code, in their shape."""
    return decoded(network, encoded(network, inputs)).view_as(inputs)
