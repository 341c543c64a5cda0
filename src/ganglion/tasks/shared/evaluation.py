"""Putting questions to a network: in evaluation mode, without gradients, batch by batch, wherever the network is."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor, nn

from ganglion.core import Batch

EVALUATION_BATCH = 512
"""Samples that a network judges at once."""


@contextmanager
def evaluating(network: nn.Module) -> Iterator[torch.device]:
    """Switch to evaluation mode without gradients, give the network's device, and switch back."""
    training = network.training
    network.eval()
    try:
        with torch.inference_mode():
            yield next(network.parameters()).device
    finally:
        network.train(training)


def ask(network: nn.Module, inputs: Tensor, by: Callable[[Tensor], Tensor] | None = None) -> Tensor:
    """Return the outputs of a network, or of one of its methods, for inputs that are in memory, on the CPU.

    >>> ask(nn.Linear(3, 2), torch.zeros(5, 3)).shape
    torch.Size([5, 2])
    """
    call = network if by is None else by
    with evaluating(network) as device:
        return torch.cat([call(part.to(device)).float().cpu() for part in inputs.split(EVALUATION_BATCH)])


def answers(network: nn.Module, batches: Iterable[Batch]) -> tuple[Tensor, Tensor]:
    """Return the outputs of a network for all batches, and their targets, on its device."""
    with evaluating(network) as device:
        pairs = [(network(batch["inputs"].to(device)), batch["targets"].to(device)) for batch in batches]
    outputs, targets = zip(*pairs, strict=True)
    return torch.cat(outputs), torch.cat(targets)


def is_file(text: str) -> bool:
    """Whether a text is the path of a file."""
    try:
        return Path(text).is_file()
    except (OSError, ValueError):  # too long for a name, or with signs that no name has
        return False
