"""The multi-layer perceptron: XOR with every activation, its heads, and its gradient against finite differences."""

from typing import Any, get_args

import pytest
import torch
from torch import nn

from ganglion.errors import ConfigurationError
from ganglion.models.feedforward.mlp import MLP, Config, build
from ganglion.nn.activations import ActivationName
from ganglion.rules.descend import Descent
from ganglion.rules.losses import accuracy
from tests.contract.rows import Row
from tests.contract.toys import labelled, share_of_right_answers

ROW = Row(
    loader=labelled("xor", batch_size=20),
    steps=300,
    measure=share_of_right_answers("xor"),
    threshold=0.9,  # No line gets further than three quarters.
    counts=(
        ({"in_features": 784, "hidden_features": (128,)}, "network", 101_770),
        ({}, "network", 266_610),  # 784-300-100-10 of LeCun et al. 1998
    ),
    data="xor",
)


INPUTS = torch.tensor([[-4.0, -4], [-4, 4], [4, -4], [4, 4]])
"""Wide enough apart that a hard sigmoid is bent between them, not only linear."""
XOR = torch.tensor([0, 1, 1, 0])


def trained(config: Config, targets: torch.Tensor, steps: int = 400) -> nn.Module:
    """Return a network after so many steps, or fewer once it tells all classes apart."""
    torch.manual_seed(0)
    rule = build(config)
    for step in range(steps):
        rule.step({"inputs": INPUTS, "targets": targets})
        if step % 25 == 24 and not targets.is_floating_point() and accuracy(rule.home(INPUTS), targets) == 1:
            break
    return rule.home.eval()


DIFFICULT = ("linear", "hard-shrink")
"""The first cannot, and the other has no slope where small weights begin."""


@pytest.mark.parametrize("name", [name for name in get_args(ActivationName) if name not in DIFFICULT])
def test_xor_with_every_activation(name: str) -> None:
    config = Config(
        in_features=2,
        num_classes=2,
        hidden_features=(8,),
        activation=name,
        initialiser="xavier-uniform",
        descent=Descent(learning_rate=0.05),
    )
    assert accuracy(trained(config, XOR)(INPUTS), XOR) == 1


def test_linear_layers_cannot_learn_xor() -> None:
    config = Config(in_features=2, num_classes=2, activation="linear", descent=Descent(learning_rate=0.05))
    assert accuracy(trained(config, XOR)(INPUTS), XOR) <= 0.75


def test_zeros_cannot_break_the_symmetry() -> None:
    config = Config(in_features=2, num_classes=2, initialiser="zeros", descent=Descent(learning_rate=0.05))
    assert accuracy(trained(config, XOR)(INPUTS), XOR) <= 0.75


@pytest.mark.parametrize("loss", ["auto", "binary-cross-entropy", "squared-error"])
def test_several_classes_with_every_loss(loss: str) -> None:
    config = Config(in_features=2, num_classes=4, hidden_features=(16,), loss=loss, descent=Descent(learning_rate=0.02))
    network = trained(config, torch.arange(4))
    assert network(INPUTS).shape == (4, 4)
    assert accuracy(network(INPUTS), torch.arange(4)) == 1


def test_values() -> None:
    values = torch.tensor([[0.0, 1], [1, 0], [1, -1], [0, 2]])
    config = Config(
        in_features=2, num_classes=None, out_features=2, hidden_features=(128, 64), descent=Descent(learning_rate=0.02)
    )
    torch.testing.assert_close(trained(config, values)(INPUTS), values, atol=0.05, rtol=0)


def test_gradient_equals_finite_differences() -> None:
    torch.manual_seed(0)
    network = MLP(Config(in_features=3, hidden_features=(5, 4), num_classes=3, activation="tanh")).double()
    parameters = dict(network.named_parameters())
    inputs = torch.randn(6, 3, dtype=torch.float64)

    def loss(*values: torch.Tensor) -> torch.Tensor:
        outputs = torch.func.functional_call(network, dict(zip(parameters, values, strict=True)), inputs)
        return nn.functional.cross_entropy(outputs, torch.tensor([0, 1, 2, 0, 2, 1]))

    assert torch.autograd.gradcheck(loss, tuple(parameters.values()))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"hidden_features": ()}, 64 * 10 + 10),
        ({"hidden_features": (30,)}, 65 * 30 + 31 * 10),
        ({"hidden_features": (30,), "num_classes": 2}, 65 * 30 + 31),
        ({"hidden_features": (30,), "activation": "maxout", "pieces": 3}, 65 * 90 + 31 * 10),
        ({"hidden_features": (30, 20), "activation": "prelu"}, 65 * 30 + 31 * 20 + 21 * 10 + 2),
        ({"hidden_features": (30,), "num_classes": None, "out_features": 3}, 65 * 30 + 31 * 3),
    ],
)
def test_parameter_counts(options: dict, expected: int) -> None:
    assert (
        sum(parameter.numel() for parameter in build(Config(in_features=64, **options)).home.parameters()) == expected
    )


def test_dropout_only_acts_in_training_and_keeps_the_mean() -> None:
    network = MLP(Config(in_features=4, hidden_features=(20_000,), num_classes=2, dropout=0.5))
    nn.init.constant_(network.layers[-1].weight, 1 / 20_000)
    inputs = torch.ones(1, 4)
    calm = network.eval()(inputs)
    assert torch.equal(calm, network(inputs))
    noisy = network.train()(inputs)
    assert not torch.equal(calm, noisy)
    torch.testing.assert_close(calm, noisy, rtol=0.1, atol=0)


@pytest.mark.parametrize("options", [{"num_classes": 1}, {"dropout": 1.0}, {"num_classes": 2, "loss": "cross-entropy"}])
def test_impossible_configurations(options: dict) -> None:
    with pytest.raises(ConfigurationError):
        Config(**options)


def test_layers_may_each_have_their_own_function_and_dropout_be_normalised_and_go_without_biases() -> None:
    config = Config(
        in_features=4, hidden_features=(6, 5), activations=("glu", "mish"), dropouts=(0.0, 0.5), batch_norm=True,
        bias=False, num_classes=3,
    )  # fmt: skip
    kinds = [type(layer).__name__ for layer in MLP(config).layers]
    normalised = ["Linear", "BatchNormalisation"]
    assert kinds == ["Flatten", *normalised, "GLU", *normalised, "Mish", "Dropout", "Linear"]
    weights = 4 * 12 + 2 * 12 + 6 * 5 + 2 * 5 + 5 * 3
    assert sum(parameter.numel() for parameter in MLP(config).parameters()) == weights
    assert MLP(config)(torch.zeros(1, 4)).shape == (1, 3), "one sample alone"


@pytest.mark.parametrize("fields", [{"activations": ("relu",)}, {"dropouts": (0.1, 0.1, 0.1)}])
def test_as_many_functions_as_layers(fields: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="differ in number"):
        MLP(Config(hidden_features=(6, 5), **fields))
