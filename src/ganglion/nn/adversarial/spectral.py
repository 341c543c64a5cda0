"""Spectral normalisation: layers that cannot stretch any input."""

from typing import TypeVar

from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

NORMALISED = (
    nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d,
)  # fmt: skip
Network = TypeVar("Network", bound=nn.Module)


def spectrally_normalised(network: Network) -> Network:
    """Divide the weight of every dense and convolutional layer by its largest singular value, and return the network.

    W / s(W), where s(W) = max |W h| / |h| is estimated by one step of power iteration at each call in training mode. A
    convolution's weight is taken as the matrix (out_channels, the rest). The parameters stay in place and are then
    called `parametrizations.weight.original` instead of `weight`.

    Source: Miyato et al., Spectral Normalization for Generative Adversarial Networks (2018), algorithm 1.

    >>> import torch
    >>> layer = spectrally_normalised(nn.Linear(8, 8))
    >>> for _ in range(100):
    ...     _ = layer(torch.zeros(1, 8))
    >>> bool((torch.linalg.matrix_norm(layer.weight, 2) - 1).abs() < 1e-2)
    True
    """
    for layer in list(network.modules()):
        if isinstance(layer, NORMALISED):
            spectral_norm(layer)
    return network
