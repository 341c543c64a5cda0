"""Activations against their formulas and against torch; probabilities against scikit-learn's way of writing them."""

import math
from collections.abc import Callable
from typing import get_args

import numpy as np
import pytest
import torch

from ganglion.errors import ConfigurationError, ShapeError
from ganglion.inspect import activation_curves
from ganglion.nn import Maxout, activation, probabilities
from ganglion.nn.activations import ACTIVATIONS, ActivationName
from ganglion.nn.dense import dense_layers

FORMULAS: dict[str, Callable[[float], float]] = {
    "linear": lambda a: a,
    "sigmoid": lambda a: 1 / (1 + math.exp(-a)),
    "hard-sigmoid": lambda a: min(1.0, max(0.0, a / 6 + 0.5)),
    "tanh": lambda a: (math.exp(a) - math.exp(-a)) / (math.exp(a) + math.exp(-a)),
    "relu": lambda a: a if a > 0 else 0.0,
    "leaky-relu": lambda a: a if a > 0 else 0.01 * a,
    "prelu": lambda a: a if a > 0 else 0.25 * a,  # the slope that it starts with
    "elu": lambda a: a if a > 0 else math.exp(a) - 1,
    "swish": lambda a: a / (1 + math.exp(-a)),
    "log-sigmoid": lambda a: -math.log(1 + math.exp(-a)),
    "hard-tanh": lambda a: min(1.0, max(-1.0, a)),
    "tanh-shrink": lambda a: a - math.tanh(a),
    "softsign": lambda a: a / (1 + abs(a)),
    "relu6": lambda a: min(6.0, max(0.0, a)),
    "threshold": lambda a: a if a > 1 else 0.0,
    "softplus": lambda a: math.log(1 + math.exp(a)),
    "hard-shrink": lambda a: a if abs(a) > 0.5 else 0.0,
    "soft-shrink": lambda a: math.copysign(max(0.0, abs(a) - 0.5), a),
    "celu": lambda a: a if a > 0 else math.exp(a) - 1,
    "selu": lambda a: 1.0507009873554805 * (a if a > 0 else 1.6732632423543772 * (math.exp(a) - 1)),
    "gelu": lambda a: a * (1 + math.erf(a / 2**0.5)) / 2,
    "hard-swish": lambda a: a * min(1.0, max(0.0, a / 6 + 0.5)),
    "mish": lambda a: a * math.tanh(math.log(1 + math.exp(a))),
    "rrelu": lambda a: a if a > 0 else a * (1 / 8 + 1 / 3) / 2,
}


@pytest.mark.parametrize("name", FORMULAS)
def test_activation_equals_its_formula(name: str) -> None:
    points = [-4.0, -1.0, -0.1, 0.0, 0.3, 2.0, 5.0]
    found = activation(name).eval()(torch.tensor(points)).tolist()
    assert found == pytest.approx([FORMULAS[name](point) for point in points], abs=1e-6)


@pytest.mark.parametrize("name", [name for name in get_args(ActivationName) if name not in ("relu", "leaky-relu")])
def test_derivative_equals_finite_differences(name: str) -> None:
    inputs = torch.randn(3, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    torch.autograd.gradcheck(activation(name).double().eval(), inputs)


def test_every_name_has_a_formula_here() -> None:
    assert set(get_args(ActivationName)) == {*FORMULAS, "maxout", "glu"}


def test_every_function_of_one_number_that_torch_has_is_there() -> None:
    several = {"Softmax", "Softmax2d", "LogSoftmax", "Softmin", "MultiheadAttention"}
    theirs = {name for name in torch.nn.modules.activation.__all__ if name not in several}
    assert {type(make()).__name__ for make in ACTIVATIONS.values()} - {"Identity"} == theirs


def test_a_gated_linear_unit_halves_the_width() -> None:
    inputs = torch.randn(3, 8)
    torch.testing.assert_close(activation("glu")(inputs), inputs[:, :4] * inputs[:, 4:].sigmoid())
    assert [layer.out_features for layer in dense_layers([4, 3, 2], activation_name="glu")[::2]] == [6, 2]


def test_curves_have_the_slopes_of_finite_differences() -> None:
    curves = activation_curves()
    assert len(curves) == 24
    for curve in curves:
        smooth = curve.name in ("sigmoid", "tanh", "softplus", "gelu", "swish", "mish", "log-sigmoid")
        rise = np.gradient(curve.values, curve.places)
        assert np.abs(rise - curve.slopes)[1:-1].max() < (1e-3 if smooth else 200), curve.name
    with pytest.raises(ConfigurationError, match="of one number"):
        activation_curves(["maxout"])


def test_prelu_learns_its_slope() -> None:
    layer = activation("prelu")
    layer(torch.tensor([-2.0, 3.0])).sum().backward()
    assert next(layer.parameters()).grad.tolist() == [-2.0]


def test_maxout_is_the_largest_of_every_group() -> None:
    inputs = torch.randn(5, 12)
    expected = torch.stack([inputs[:, start : start + 3].max(dim=1).values for start in range(0, 12, 3)], dim=1)
    assert torch.equal(Maxout(3)(inputs), expected)


def test_maxout_with_two_pieces_can_be_the_absolute_value() -> None:
    inputs = torch.randn(10, 1)
    assert torch.equal(Maxout(2)(torch.cat([inputs, -inputs], dim=1)), inputs.abs())


def test_maxout_refuses_features_that_do_not_divide() -> None:
    with pytest.raises(ShapeError, match="multiple of 3"):
        Maxout(3)(torch.zeros(1, 4))


def test_unknown_activation_names_the_nearest() -> None:
    with pytest.raises(ConfigurationError, match="did you mean 'relu'"):
        activation("rellu")  # type: ignore[arg-type]


def test_softmax_of_the_textbook() -> None:
    assert probabilities(torch.tensor([2.0, 1.0, 0.1])).tolist() == pytest.approx([0.7, 0.2, 0.1], abs=0.05)


def test_probabilities_survive_huge_logits() -> None:
    assert probabilities(torch.tensor([[1e4, -1e4]])).tolist() == [[1.0, 0.0]]
    assert probabilities(torch.tensor([[-1e4]])).tolist() == [[1.0, 0.0]]


def test_one_logit_gives_the_logistic_function() -> None:
    logits = torch.linspace(-5, 5, 11)[:, None]
    torch.testing.assert_close(probabilities(logits)[:, 1], logits.sigmoid()[:, 0])
