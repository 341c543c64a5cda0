"""The supervised rule against worked examples done by hand, and against plain torch."""

import copy

import pytest
import torch
from scipy.stats import beta, kstest
from torch import nn

from ganglion.errors import ConfigurationError, DataError
from ganglion.nn.attacks import adversarial_examples
from ganglion.rules.descend import Descent
from ganglion.rules.losses import accuracy
from ganglion.rules.supervised import Supervised, mixed


def as_double(values: list) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def sigmoid_network(*weights: list[list[float]], biases: list[list[float]]) -> nn.Sequential:
    """Return dense layers with given weights, each followed by a sigmoid."""
    layers: list[nn.Module] = []
    for weight, bias in zip(weights, biases, strict=True):
        layer = nn.Linear(len(weight[0]), len(weight)).double()
        layer.weight.data, layer.bias.data = as_double(weight), as_double(bias)
        layers += [layer, nn.Sigmoid()]
    return nn.Sequential(*layers)


def test_one_step_of_the_two_two_two_network() -> None:
    """The worked example of back-propagation with inputs .05 .10 and targets .01 .99."""
    network = sigmoid_network(
        [[0.15, 0.20], [0.25, 0.30]], [[0.40, 0.45], [0.50, 0.55]], biases=[[0.35, 0.35], [0.60, 0.60]]
    )
    inputs, targets = as_double([[0.05, 0.10]]), as_double([[0.01, 0.99]])
    assert network[:3](inputs)[0, 0].item() == pytest.approx(1.105905967, abs=1e-9)
    assert network(inputs)[0].tolist() == pytest.approx([0.75136507, 0.772928465], abs=1e-8)

    rule = Supervised(network, Descent(optimizer="sgd", learning_rate=0.5), loss="half-squared-error")
    measured = rule.step({"inputs": inputs, "targets": targets})
    assert measured["loss"].item() == pytest.approx(0.298371109, abs=1e-9)
    assert network[2].weight.grad[0, 0].item() == pytest.approx(0.082167041, abs=1e-9)
    assert network[2].weight[0, 0].item() == pytest.approx(0.35891648, abs=1e-8)
    # All weights are updated from the old ones: the hidden layer's too.
    assert network[0].weight[0, 0].item() == pytest.approx(0.149780716, abs=1e-9)
    assert network[0].weight[1, 1].item() == pytest.approx(0.29950229, abs=1e-8)


def test_the_three_three_two_network() -> None:
    """Weights are given as from each unit to the next layer: rows of inputs, columns of units."""
    network = sigmoid_network(
        [[1.0, -2, 2], [2, 1, -4], [1, -1, 0]], [[-3.0, 1, -3], [0, 1, 2]], biases=[[0.0] * 3, [0.0] * 2]
    )
    inputs = as_double([[0.5, 0.9, -0.3]])
    assert network[:2](inputs)[0].tolist() == pytest.approx([0.13, 0.96, 0.40], abs=0.005)
    assert network(inputs)[0].tolist() == pytest.approx([0.35, 0.85], abs=0.005)


def batch_of(samples: int) -> dict[str, torch.Tensor]:
    inputs = torch.randn(samples, 4, generator=torch.Generator().manual_seed(1))
    return {"inputs": inputs, "targets": (inputs.sum(dim=1) > 0).long()}


def test_step_equals_plain_torch() -> None:
    torch.manual_seed(0)
    network = nn.Linear(4, 3)
    twin = copy.deepcopy(network)
    batch, optimizer = batch_of(10), torch.optim.SGD(twin.parameters(), lr=0.3)
    rule = Supervised(network, Descent(optimizer="sgd", learning_rate=0.3), measures={"accuracy": accuracy})
    for _ in range(3):
        measured = rule.step(batch)
        outputs = twin(batch["inputs"])
        loss = nn.functional.cross_entropy(outputs, batch["targets"])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        torch.testing.assert_close(measured["loss"], loss.detach())
        assert measured["accuracy"].item() == (outputs.argmax(dim=1) == batch["targets"]).float().mean().item()
    torch.testing.assert_close(network.weight, twin.weight)


@pytest.mark.parametrize("loss", ["cross-entropy", "binary-cross-entropy", "squared-error", "half-squared-error"])
def test_micro_batches_change_nothing(loss: str) -> None:
    torch.manual_seed(0)
    network = nn.Linear(4, 3)
    twin = copy.deepcopy(network)
    measured = [
        Supervised(one, Descent(accumulate=parts), loss=loss, measures={"accuracy": accuracy}).step(batch_of(10))
        for one, parts in ((network, 1), (twin, 3))
    ]
    torch.testing.assert_close(network.weight, twin.weight, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(measured[0], measured[1])


def test_measurements_do_not_hold_the_graph() -> None:
    measured = Supervised(nn.Linear(4, 3), Descent()).step(batch_of(5))
    assert all(not value.requires_grad and value.ndim == 0 for value in measured.values())


def test_a_loss_may_be_a_function() -> None:
    rule = Supervised(nn.Linear(4, 1), Descent(), loss=lambda outputs, targets: outputs.square().mean())
    losses = [rule.step(batch_of(8))["loss"].item() for _ in range(50)]
    assert losses[-1] < losses[0]


def test_unknown_loss_and_missing_targets() -> None:
    with pytest.raises(ConfigurationError, match="did you mean 'cross-entropy'"):
        Supervised(nn.Linear(1, 1), Descent(), loss="crossentropy")
    with pytest.raises(DataError, match="labelled"):
        Supervised(nn.Linear(4, 1), Descent()).step({"inputs": torch.zeros(2, 4)})


def test_an_adversary_moves_the_inputs_and_a_plain_step_follows() -> None:
    inputs, targets = torch.rand(8, 3, dtype=torch.float64), torch.arange(8) % 2
    network = nn.Sequential(nn.BatchNorm1d(3), nn.Linear(3, 2)).double()
    hardened, plain = (
        Supervised(copy.deepcopy(network), Descent(optimizer="sgd", learning_rate=0.1)) for _ in range(2)
    )
    hardened.adversary = lambda loss, found: adversarial_examples(loss, found, 0.2)
    moved = inputs.clone().requires_grad_()
    torch.nn.functional.cross_entropy(copy.deepcopy(network).eval()(moved), targets).backward()
    assert moved.grad is not None
    changed = (inputs + 0.2 * moved.grad.sign()).clamp(0, 1)
    hardened.step({"inputs": inputs, "targets": targets})
    plain.step({"inputs": changed, "targets": targets})
    for one, other in zip(hardened.home.state_dict().values(), plain.home.state_dict().values(), strict=True):
        torch.testing.assert_close(one, other)  # the statistics of batches, too, have seen one batch


def test_the_loss_of_mixed_samples_is_that_of_mixed_targets() -> None:
    """Which for cross-entropy is that of the mixed one-hot targets."""
    torch.manual_seed(0)
    network = nn.Linear(5, 3)
    batch = {"inputs": torch.randn(8, 5), "targets": torch.randint(0, 3, (8,))}
    found = mixed(batch, 0.4)
    share = float(found["share"][0])
    assert 0 < share < 1
    pairs = [nn.functional.one_hot(found[name], 3).float() for name in ("targets", "partner_targets")]
    expected = nn.functional.cross_entropy(network(found["inputs"]), share * pairs[0] + (1 - share) * pairs[1])
    measured = Supervised(network, Descent())._objective(found)
    assert measured["loss"].item() == pytest.approx(expected.item(), rel=1e-5)


def test_the_inputs_are_mixed_with_those_whose_targets_count() -> None:
    torch.manual_seed(1)
    batch = {"inputs": torch.eye(6), "targets": torch.arange(6), "weights": torch.arange(6.0)}
    found = mixed(batch, 1.0)
    share = found["share"][:, None]
    assert torch.equal(found["partner_weights"], found["partner_targets"].float())
    expected = share * torch.eye(6) + (1 - share) * torch.eye(6)[found["partner_targets"]]
    torch.testing.assert_close(found["inputs"], expected)


def test_shares_follow_the_beta_distribution() -> None:
    torch.manual_seed(2)
    batch = {"inputs": torch.zeros(1, 1), "targets": torch.zeros(1)}
    shares = torch.stack([mixed(batch, 0.5)["share"][0] for _ in range(4000)]).numpy()
    assert kstest(shares, beta(0.5, 0.5).cdf).pvalue > 1e-3
