"""Networks that read on token by token, as tasks ask them."""

from typing import Any

from torch import Tensor, nn

from ganglion.core import Reader
from ganglion.nn.language.decoding import NextLogits


def reader(network: nn.Module) -> Reader:
    """Return a network as one that reads on from a state."""
    assert isinstance(network, Reader)
    return network


def next_logits(network: nn.Module) -> NextLogits:
    """Return what says, of tokens read on from a state, only what comes after the last."""
    reads = reader(network)

    def following(tokens: Tensor, state: Any) -> tuple[Tensor, Any]:
        outputs, state = reads.read(tokens, state)
        return outputs[:, -1], state

    return following
