"""LeNet-5: published sizes layer by layer, equation 9, and digits."""

import math

import pytest
import torch
from sklearn.datasets import load_digits

from ganglion.errors import ShapeError
from ganglion.models.convolutional.lenet5 import (
    C3_TABLE,
    Config,
    LeNet5,
    ModernLeNet5,
    build,
    maximum_a_posteriori,
)
from ganglion.rules.losses import accuracy
from tests.contract.rows import Row
from tests.contract.toys import labelled, share_of_right_answers

ROW = Row(
    loader=labelled("digits", batch_size=20, side=32),
    steps=60,
    measure=share_of_right_answers("digits", side=32),
    threshold=0.9,
    counts=(({}, "network", 60_000), ({"variant": "modern"}, "network", 61_706)),
)


def test_published_parameters_of_every_layer() -> None:
    counts = {
        name: sum(parameter.numel() for parameter in layer.parameters()) for name, layer in LeNet5().named_children()
    }
    published = {"c1": 156, "s2": 12, "c3": 1_516, "s4": 32, "c5": 48_120, "f6": 10_164}
    assert {name: count for name, count in counts.items() if count} == published
    assert sum(counts.values()) == 60_000


def test_modern_parameters() -> None:
    assert sum(parameter.numel() for parameter in ModernLeNet5().parameters()) == 61_706


def test_c3_sees_what_the_paper_says() -> None:
    neighbours = [{(first + step) % 6 for step in range(3)} for first in range(6)]
    assert [set(row) for row in C3_TABLE[:6]] == neighbours
    assert [set(row) for row in C3_TABLE[6:12]] == [row | {(first + 3) % 6} for first, row in enumerate(neighbours)]
    assert [set(row) for row in C3_TABLE[12:]] == [{0, 1, 3, 4}, {1, 2, 4, 5}, {0, 2, 3, 5}, set(range(6))]


def test_weights_start_within_the_papers_bounds() -> None:
    network = LeNet5()
    for layer, fan_in in ((network.c1, 25), (network.c5, 400), (network.f6, 120)):
        assert 0.9 * 2.4 / fan_in < layer.weight.abs().max().item() <= 2.4 / fan_in
    kernels = network.c3.weight.detach().abs().amax(dim=(1, 2)).split([18, 24, 12, 6])
    for part, fan_in in zip(kernels, (75, 100, 100, 150), strict=True):
        assert 0.9 * 2.4 / fan_in < part.max().item() <= 2.4 / fan_in


def test_output_is_the_distance_of_f6_to_the_codes() -> None:
    network, images, seen = LeNet5(), torch.randn(3, 1, 32, 32), []
    network.f6.register_forward_hook(lambda layer, inputs, output: seen.append(output))
    scores = network(images)
    squashed = 1.7159 * torch.tanh(2 / 3 * seen[0])
    expected = -((squashed[:, None] - network.output.codes) ** 2).sum(dim=2)
    torch.testing.assert_close(scores, expected)


def test_loss_is_equation_nine() -> None:
    distances, right, j = [[3.0, 1.0, 7.0], [0.5, 4.0, 2.0]], [1, 2], 1.5
    expected = sum(
        row[t] + math.log(math.exp(-j) + sum(math.exp(-y) for y in row))
        for row, t in zip(distances, right, strict=True)
    )
    found = maximum_a_posteriori(j)(-torch.tensor(distances, dtype=torch.float64), torch.tensor(right))
    assert found.item() == pytest.approx(expected / 2)


def test_codes_are_not_trained() -> None:
    network = LeNet5(num_classes=4)
    codes = network.output.codes.clone()
    rule = build(Config(num_classes=4))
    rule.step({"inputs": torch.randn(4, 1, 32, 32), "targets": torch.arange(4)})
    assert torch.equal(rule.home.output.codes, codes)
    assert "output.codes" in rule.home.state_dict()


@pytest.mark.parametrize("network", [LeNet5(), ModernLeNet5()])
def test_other_image_sizes_are_refused(network: torch.nn.Module) -> None:
    with pytest.raises(ShapeError, match="32"):
        network(torch.zeros(1, 1, 28, 28))


def test_the_modern_network_learns_digits() -> None:
    torch.manual_seed(0)
    images, targets = load_digits(return_X_y=True)
    pixels = torch.tensor(images, dtype=torch.float32).reshape(-1, 1, 8, 8) / 16
    inputs = torch.nn.functional.interpolate(pixels, size=32, mode="bilinear") * 1.275 - 0.1
    labels = torch.tensor(targets)
    rule = build(Config(variant="modern"))
    for _ in range(8):
        for places in torch.randperm(1200).split(32):
            rule.step({"inputs": inputs[places], "targets": labels[places]})
    rule.home.eval()
    with torch.no_grad():
        assert accuracy(rule.home(inputs[1200:]), labels[1200:]) > 0.85
