"""Spectral normalisation against singular values, what it does to slopes, and that nothing else changes."""

import torch
from torch import nn

from ganglion.nn import Linear
from ganglion.nn.adversarial.spectral import spectrally_normalised
from ganglion.nn.stages import Stages


def settled(network: nn.Module, inputs: torch.Tensor) -> nn.Module:
    """Return the network after enough calls for its estimates."""
    for _ in range(200):
        network(inputs)
    return network.eval()


def test_every_layer_has_largest_singular_value_one() -> None:
    torch.manual_seed(0)
    network = Stages(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.LeakyReLU(0.2), nn.Flatten(), Linear(4 * 36, 5))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    settled(spectrally_normalised(network), torch.randn(3, 2, 8, 8))
    for layer, name in ((network[0], "0.weight"), (network[4], "4.weight")):
        largest = torch.linalg.matrix_norm(before[name].flatten(1), 2)
        torch.testing.assert_close(layer.weight, before[name] / largest, atol=1e-3, rtol=1e-3)
    assert type(network[1]) is nn.BatchNorm2d
    assert sum(p.numel() for p in network.parameters()) == 4 * 18 + 4 + 8 + 5 * 144 + 5


def test_a_normalised_network_is_nowhere_steeper_than_one() -> None:
    torch.manual_seed(0)
    network = spectrally_normalised(
        nn.Sequential(Linear(6, 32), nn.LeakyReLU(0.2), Linear(32, 32), nn.ReLU(), Linear(32, 1))
    )
    points = settled(network, torch.randn(9, 6)) and 3 * torch.randn(200, 6).requires_grad_()
    slopes = torch.autograd.grad(network(points).sum(), points)[0]
    assert slopes.norm(dim=1).max() <= 1 + 1e-3
