"""Extra losses of a generator against their formulas; the networks that they use stay as they are."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ganglion.rules.adversarial.extras import Cycle, FeatureMatching, Identity, Perceptual, ToTarget, call_unchanged


def drawn(seed: int, *shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


GENERATED, BATCH = drawn(0, 6, 3), {"target": drawn(1, 6, 3), "source": drawn(2, 6, 3)}


def normalised() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Tanh(), nn.Linear(4, 3))


class Layers(nn.Module):
    """Answers with the features of two layers."""

    def forward(self, inputs: Tensor) -> list[Tensor]:
        return [inputs, 2 * inputs.flatten(1)]


def test_distance_to_a_target() -> None:
    wanted = BATCH["target"]
    torch.testing.assert_close(ToTarget("target")(GENERATED, BATCH), (GENERATED - wanted).abs().mean())
    torch.testing.assert_close(ToTarget("target", F.mse_loss)(GENERATED, BATCH), (GENERATED - wanted).square().mean())


def test_perceptual_distance_is_one_of_features() -> None:
    network = normalised()
    expected = (network(GENERATED) - network(BATCH["target"])).square().mean()
    torch.testing.assert_close(Perceptual(network, "target")(GENERATED, BATCH), expected)
    squared = (GENERATED - BATCH["target"]).square().mean()
    torch.testing.assert_close(Perceptual(Layers(), "target")(GENERATED, BATCH), (squared + 4 * squared) / 2)


def test_feature_matching_compares_means_of_batches() -> None:
    network = normalised()
    loss = FeatureMatching(network, "target")
    expected = (network(GENERATED).mean(0) - network(BATCH["target"]).mean(0)).square().sum()
    torch.testing.assert_close(loss(GENERATED, BATCH), expected)
    torch.testing.assert_close(loss(BATCH["target"].flip(0), BATCH), torch.zeros(()), atol=1e-10, rtol=0)


def test_cycle_and_identity() -> None:
    network = normalised()
    expected = (network(GENERATED) - BATCH["source"]).abs().mean()
    torch.testing.assert_close(Cycle(network, "source")(GENERATED, BATCH), expected)
    expected = (network(BATCH["target"]) - BATCH["target"]).abs().mean()
    torch.testing.assert_close(Identity(network, "target")(GENERATED, BATCH), expected)


def test_their_networks_keep_their_statistics_and_pass_gradients_on() -> None:
    network = normalised()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    for loss in (Perceptual(network, "target"), FeatureMatching(network, "target"), Cycle(network, "source")):
        generated = GENERATED.clone().requires_grad_()
        loss(generated, BATCH).backward()
        assert generated.grad is not None and generated.grad.abs().sum() > 0
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_a_network_on_copies_of_its_buffers_answers_the_same() -> None:
    network = normalised()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    unchanged = call_unchanged(network, GENERATED)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    torch.testing.assert_close(unchanged, network(GENERATED))
    moved = {name for name, value in network.state_dict().items() if not torch.equal(value, before[name])}
    assert moved == {"1.running_mean", "1.running_var", "1.num_batches_tracked"}
