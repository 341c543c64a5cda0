"""Evaluation mode for a while, after which every module is as it was."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def evaluation_mode(*networks: nn.Module) -> Iterator[None]:
    """Hold networks in evaluation mode, and put each of their modules back into its own mode.

    `network.train()` would not do: it would wake modules that were put to sleep on purpose, such as a frozen batch
    normalisation, whose statistics would then move.

    >>> network = nn.Sequential(nn.BatchNorm1d(2).eval(), nn.Dropout())
    >>> with evaluation_mode(network):
    ...     print([layer.training for layer in network])
    [False, False]
    >>> [layer.training for layer in network]
    [False, True]
    """
    modes = [(module, module.training) for network in networks for module in network.modules()]
    try:
        for network in networks:
            network.eval()
        yield
    finally:
        for module, training in modes:
            module.training = training
