"""Looking into networks whose answers are known: what excites units, what answers hang on, what misleads them."""

import numpy as np
import pytest
import torch
from torch import nn

from ganglion.errors import ConfigurationError, GanglionError, UsageError
from ganglion.inspect import all_feature_maps, excite, robustness, saliency, strongest_patches
from ganglion.inspect.watched import layers_called
from ganglion.nn.attacks import adversarial_examples


def one_kernel(kernel: torch.Tensor) -> nn.Sequential:
    """Return a convolution with one known kernel `(rows, columns)`, then the sum of its map."""
    network = nn.Sequential(
        nn.Conv2d(1, 1, tuple(kernel.shape), bias=False), nn.Flatten(), nn.Linear(36, 1, bias=False)
    )
    network[0].weight.data.copy_(kernel)
    network[2].weight.data.fill_(1.0)
    return network


def linear(weights: torch.Tensor) -> nn.Sequential:
    """Return a network that weighs the pixels of images `(1, rows, columns)` for two opposite classes."""
    network = nn.Sequential(nn.Flatten(), nn.Linear(weights.numel(), 2, bias=False))
    network[1].weight.data.copy_(torch.stack((weights.flatten(), -weights.flatten())))
    return network


@pytest.fixture
def weights() -> torch.Tensor:
    return torch.randn(6, 6, generator=torch.Generator().manual_seed(0))


def test_a_kernel_is_excited_most_by_its_own_signs() -> None:
    kernel = torch.tensor([[1.0, -1.0, 2.0], [-1.0, 1.0, -3.0], [1.0, 1.0, -1.0]])
    found = excite(one_kernel(kernel), (1, 8, 8), "0")
    assert found.images.shape == (1, 3, 3, 1)  # cut to what the unit sees
    np.testing.assert_array_equal(found.images[0, :, :, 0], (kernel > 0).numpy().astype(np.float32))
    assert found.after[0] == pytest.approx(6.0) and found.after[0] > found.before[0]


def test_a_unit_that_sees_all_is_excited_most_by_the_signs_of_its_weights(weights: torch.Tensor) -> None:
    weights, black, white = weights.sign(), -1.0, 3.0
    found = excite(linear(weights), (1, 6, 6), "1", [1], black=black, white=white, jitter=0)
    np.testing.assert_array_equal(found.images[0, :, :, 0], (weights < 0).numpy().astype(np.float32))
    best = torch.where(weights < 0, white, black)
    assert found.after[0] == pytest.approx(float(-(weights * best).sum()), rel=1e-5)


def test_excitations_repeat_and_do_not_depend_on_the_units_beside_them() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 5, 3), nn.ReLU(), nn.Flatten(), nn.Linear(5 * 36, 4))
    several = excite(network, (1, 8, 8), "3", steps=30)
    alone = excite(network, (1, 8, 8), "3", [2], steps=30)
    np.testing.assert_allclose(several.images[2], alone.images[0], atol=1e-4)
    np.testing.assert_array_equal(several.images, excite(network, (1, 8, 8), "3", steps=30).images)
    with pytest.raises(ConfigurationError, match="no unit 4"):
        excite(network, (1, 8, 8), "3", [4])


def test_the_strongest_patches_are_where_the_pattern_was_put() -> None:
    images = 0.1 * torch.rand(20, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    kernel = torch.tensor([[1.0, -1.0, 1.0], [-1.0, 1.0, -1.0], [1.0, -1.0, 1.0]])
    places = {3: (0, 0), 11: (5, 2), 17: (4, 5)}
    for strength, (sample, (row, column)) in enumerate(places.items(), start=1):
        images[sample, 0, row : row + 3, column : column + 3] = strength * (kernel > 0)
    found = strongest_patches(one_kernel(kernel), images.split(7), "0", count=3).units[0]
    assert [patch.sample for patch in found] == [17, 11, 3]
    for patch in found:
        row, column = places[patch.sample]
        assert patch.box == (slice(row, row + 3), slice(column, column + 3))
    whole = strongest_patches(one_kernel(kernel), images.split(7), "2", count=1).units[0][0]
    assert whole.box == (slice(0, 8), slice(0, 8))
    with pytest.raises(UsageError, match="no images"):
        strongest_patches(one_kernel(kernel), [], "0")


def test_saliency_of_a_sum_over_a_map(weights: torch.Tensor) -> None:
    """Of y = sum over places of (k * x), where k is one pixel wide, all three maps are known."""
    network = one_kernel(torch.tensor([[-2.0]]))
    network[2].weight.data.copy_(weights.reshape(1, 36))
    image = torch.rand(1, 1, 6, 6, generator=torch.Generator().manual_seed(1))
    found = saliency(network, image, 0, fill=0.25, window=1)
    pixels, slopes = image[0, 0].numpy(), -2 * weights.numpy()
    assert found.output == pytest.approx(float((pixels * slopes).sum()), rel=1e-5)
    np.testing.assert_allclose(found.gradient, np.abs(slopes), rtol=1e-5)
    np.testing.assert_allclose(found.grad_cam, np.maximum(-2 * pixels * float(weights.mean()), 0), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found.occlusion, (pixels - 0.25) * slopes, rtol=1e-3, atol=1e-5)
    assert found.figure(pixels[..., None]).axes[0].images


def test_windows_of_occlusion_overlap_and_reach_every_border(weights: torch.Tensor) -> None:
    network = one_kernel(torch.tensor([[1.0]]))
    image = torch.ones(1, 1, 6, 6)
    found = saliency(network, image, 0, fill=0.0, window=4).occlusion
    assert np.allclose(found, 16.0)  # each window takes sixteen ones away
    network[2].weight.data.copy_(weights.reshape(1, 36))
    found = saliency(network, image, 0, fill=0.0, window=6).occlusion
    np.testing.assert_allclose(found, float(weights.sum()), rtol=1e-4)


@pytest.mark.parametrize("steps", [1, 40])
@pytest.mark.parametrize(("norm", "order"), [("inf", 1), ("2", 2)])
def test_attacks_are_exact_on_a_linear_network(norm: str, order: int, steps: int, weights: torch.Tensor) -> None:
    """Within epsilon the score w x falls by epsilon times the dual norm of w at most, and attacks find that."""
    network, epsilon = linear(weights), 0.05
    inputs = 1.0 + 2 * torch.full((3, 1, 6, 6), 0.5)  # between 1 and 3
    found = adversarial_examples(
        lambda pixels: -network(pixels)[:, 0], inputs, epsilon, norm=norm, steps=steps, black=1.0, white=3.0
    )
    fall = network(inputs)[:, 0] - network(found)[:, 0]
    most = 2 * epsilon * float(weights.flatten().norm(order))
    torch.testing.assert_close(fall, torch.full((3,), most), rtol=0.03 if steps > 1 else 1e-4, atol=1e-4)
    change = ((found - inputs) / 2).flatten(1)
    size = change.abs().amax(dim=1) if norm == "inf" else change.norm(dim=1)
    assert (size <= epsilon + 1e-6).all()


def test_changed_images_stay_images() -> None:
    network = linear(torch.randn(6, 6))
    inputs = torch.rand(4, 1, 6, 6)
    found = adversarial_examples(lambda pixels: network(pixels)[:, 0], inputs, 0.7, steps=5)
    assert found.min() >= 0 and found.max() <= 1 and not torch.equal(found, inputs)


def test_accuracy_under_attack_is_that_of_the_margins(weights: torch.Tensor) -> None:
    network = linear(weights)
    inputs = 0.3 + 0.4 * torch.rand(60, 1, 6, 6, generator=torch.Generator().manual_seed(2))
    scores = network(inputs)[:, 0].detach()
    targets = (scores < 0).long()
    found = robustness(network, inputs, targets, (0.01, 0.02), steps=30)
    assert found.epsilons == (0.0, 0.01, 0.02)
    for epsilon, fast, projected in zip(found.epsilons, found.fast, found.projected, strict=True):
        expected = float((scores.abs() > epsilon * float(weights.abs().sum())).float().mean())
        assert fast == pytest.approx(expected, abs=1e-6) and projected == pytest.approx(expected, abs=0.04)
    assert found.to_dict()["accuracy"][0] == {"epsilon": 0.0, "fast_gradient": 1.0, "projected_gradient": 1.0}
    assert "0.02" in str(found)
    assert found.figure(("no", "yes")).axes


def test_a_single_logit_is_misled_like_two_opposite_scores(weights: torch.Tensor) -> None:
    single = nn.Sequential(nn.Flatten(), nn.Linear(36, 1, bias=False))
    single[1].weight.data.copy_(-2 * weights.reshape(1, 36))  # the second score less the first
    inputs = 0.3 + 0.4 * torch.rand(40, 1, 6, 6, generator=torch.Generator().manual_seed(3))
    targets = (single(inputs)[:, 0] > 0).long()
    one, two = (robustness(network, inputs, targets, (0.01, 0.02), steps=5) for network in (single, linear(weights)))
    assert one.fast == two.fast and one.projected == two.projected and one.fast[0] == 1 > one.fast[2]


def test_layers_are_listed_as_they_are_called_with_the_size_of_their_maps() -> None:
    network = one_kernel(torch.ones(3, 3))
    assert layers_called(network, torch.zeros(1, 1, 8, 8)) == {"0": (6, 6), "1": None, "2": None}
    names = [entry.get_text() for entry in all_feature_maps(network, torch.rand(1, 1, 8, 8)).axes[0].texts]
    assert any(name.startswith("0\n6 x 6") for name in names)
    with pytest.raises(UsageError, match="no layer of this network makes maps"):
        all_feature_maps(linear(torch.ones(2, 2)), torch.rand(1, 1, 2, 2))


def test_networks_stay_as_they_were(weights: torch.Tensor) -> None:
    network = nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(72, 2)
    )
    before = {name: value.clone() for name, value in network.state_dict().items()}
    images, classes = torch.rand(4, 1, 8, 8), torch.tensor([0, 1, 0, 1])
    excite(network, (1, 8, 8), "0", steps=3)
    saliency(network, images[:1])
    strongest_patches(network, [images], "2", count=2)
    robustness(network, images, classes, (0.1,), steps=2)
    assert network.training
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name])
    assert all(parameter.grad is None for parameter in network.parameters())


def test_numbers_out_of_bounds_and_layers_without_maps_are_refused(weights: torch.Tensor) -> None:
    network, images = one_kernel(torch.ones(3, 3)), torch.rand(2, 1, 8, 8)
    for asked, words in (
        (lambda: excite(network, (1, 8, 8), "0", steps=0), "steps must be at least 1"),
        (lambda: strongest_patches(network, [images], "0", count=0), "count must be at least 1"),
        (lambda: saliency(network, images[:1], window=-2), "window must be at least 1"),
        (lambda: saliency(network, images[:1], 1), "no unit 1"),
        (lambda: saliency(network, images[:1], layer="1"), "makes no maps"),
        (lambda: robustness(network, images, torch.tensor([0, 0]), (-0.1,)), "between 0 and"),
        (lambda: robustness(network, images, torch.tensor([0, 0]), (float("nan"),)), "between 0 and"),
        (lambda: robustness(network, images[:0], torch.tensor([]).long(), (0.1,)), "no images"),
    ):
        with pytest.raises(GanglionError, match=words):
            asked()
