"""Penalties: exact on linear critics, against finite differences on others, and in the gradient of the parameters."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from ganglion.nn import Linear
from ganglion.nn.stages import Stages
from ganglion.rules.adversarial.penalties import (
    PENALTIES,
    at_generated,
    at_real,
    between,
    clip_weights,
    gradient_penalty,
    half_squared_slope,
    one_sided_gradient_penalty,
    slopes,
)

POINTS = torch.randn(5, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
BY_LENGTH: dict[str, tuple[Callable[..., Tensor], Callable[[Tensor], Tensor]]] = {
    "gradient": (gradient_penalty, lambda length: (length - 1) ** 2),
    "one-sided": (one_sided_gradient_penalty, lambda length: (length - 1).clamp(min=0) ** 2),
    "half-squared": (half_squared_slope, lambda length: length**2 / 2),
}


def linear(*weights: float) -> nn.Module:
    layer = nn.Linear(len(weights), 1).double()
    layer.weight.data[:] = torch.tensor(weights)
    return layer


def curved() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 6), nn.Tanh(), nn.Linear(6, 1), nn.Flatten(0)).double()


@pytest.mark.parametrize("name", BY_LENGTH)
@pytest.mark.parametrize("weights", [(3.0, 4.0, 0.0), (0.3, 0.0, 0.4), (0.6, -0.8, 0.0)])
def test_the_slope_of_a_linear_critic_is_the_length_of_its_weights(name: str, weights: tuple[float, ...]) -> None:
    """|df/dx| = |w| everywhere: lengths 5, one half and 1."""
    penalty, cost = BY_LENGTH[name]
    critic = linear(*weights)
    weight = critic.weight.detach().clone().requires_grad_()
    expected = cost(weight.norm())
    torch.testing.assert_close(penalty(critic, POINTS), expected)
    (gradient,) = torch.autograd.grad(penalty(critic, POINTS), critic.weight)
    torch.testing.assert_close(gradient, torch.autograd.grad(expected, weight)[0])


@pytest.mark.parametrize("name", BY_LENGTH)
def test_slopes_of_a_curved_critic_are_finite_differences(name: str) -> None:
    penalty, cost = BY_LENGTH[name]
    critic, step = curved(), 1e-5
    shifts = step * torch.eye(3, dtype=torch.float64)
    rises = torch.stack([(critic(POINTS + shift) - critic(POINTS - shift)) / (2 * step) for shift in shifts], dim=1)
    torch.testing.assert_close(slopes(critic, POINTS), rises, atol=1e-8, rtol=1e-6)
    expected = torch.stack([cost(length) for length in rises.norm(dim=1)]).mean()
    torch.testing.assert_close(penalty(critic, POINTS), expected, atol=1e-8, rtol=1e-6)


@pytest.mark.parametrize("name", BY_LENGTH)
def test_its_gradient_in_the_weights_is_a_finite_difference(name: str) -> None:
    penalty, _ = BY_LENGTH[name]
    critic = nn.Sequential(curved(), linear(3.0))  # steep enough for the one-sided one
    critic[0].pop(3)
    parameters = list(critic.parameters())[:1]
    assert torch.autograd.gradcheck(lambda *_: penalty(critic, POINTS), parameters, atol=1e-6)


def test_a_flat_critic_has_a_finite_gradient() -> None:
    critic = linear(0.0, 0.0, 0.0)
    for penalty, _ in BY_LENGTH.values():
        (gradient,) = torch.autograd.grad(penalty(critic, POINTS), critic.weight)
        assert torch.isfinite(gradient).all()
    assert gradient_penalty(critic, POINTS) == 1


def test_patches_are_added_up() -> None:
    critic = nn.Linear(3, 4).double()
    torch.testing.assert_close(slopes(critic, POINTS), critic.weight.sum(0).expand(5, 3))


@pytest.mark.parametrize("layers", ["dense", "convolutional"])
def test_layers_with_compiled_paths_have_slopes_of_slopes(layers: str) -> None:
    """The penalty's gradient through our layers equals that through torch's."""
    torch.manual_seed(0)
    ours: nn.Module
    if layers == "dense":
        ours, points = nn.Sequential(nn.Flatten(), Linear(64, 300), nn.LeakyReLU(0.2), Linear(300, 1)), (40, 1, 8, 8)
        plain: nn.Module = nn.Sequential(nn.Flatten(), nn.Linear(64, 300), nn.LeakyReLU(0.2), nn.Linear(300, 1))
    else:
        parts = nn.Conv2d(1, 8, 4, stride=2, padding=1), nn.LeakyReLU(0.2), nn.Conv2d(8, 1, 4), nn.Flatten(0)
        ours, points = Stages(*parts), (6, 1, 8, 8)
        plain = nn.Sequential(*parts)
    plain.load_state_dict(ours.state_dict())
    found = []
    for critic in (ours, plain):
        penalty = gradient_penalty(critic, torch.randn(points, generator=torch.Generator().manual_seed(1)))
        first, *_ = critic.parameters()
        found.append((penalty.detach(), torch.autograd.grad(penalty, first)[0]))
    torch.testing.assert_close(found[0], found[1], atol=1e-6, rtol=1e-4)


def test_points_lie_on_the_lines_between_real_and_generated_samples() -> None:
    real, generated = torch.zeros(2000, 2, 3), torch.ones(2000, 2, 3)
    torch.manual_seed(0)
    points = between(real, generated)
    shares = points[:, 0, 0]
    assert (points == shares[:, None, None]).all()  # one share for all values of a sample
    assert 0 <= shares.min() < 0.01 and 0.99 < shares.max() <= 1
    assert shares.mean() == pytest.approx(0.5, abs=0.02) and shares.var() == pytest.approx(1 / 12, abs=0.01)
    assert at_real(real, generated) is real and at_generated(real, generated) is generated


def test_points_between_are_of_the_precision_of_the_data() -> None:
    """A generator that computes in sixteen bits draws in sixteen bits."""
    real, generated = torch.zeros(3, 2), torch.ones(3, 2, dtype=torch.bfloat16)
    points = between(real, generated)
    assert points.dtype is torch.float32 and bool(((points >= 0) & (points <= 1)).all())


def test_every_name_but_none_has_a_penalty() -> None:
    assert set(PENALTIES) == {"gradient", "one-sided-gradient", "r1", "r2"}
    assert PENALTIES["r1"].points is at_real and PENALTIES["r2"].points is at_generated


def test_clipping_cuts_every_parameter_and_leaves_small_ones() -> None:
    network = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    network[0].weight.data = torch.tensor([[0.5, -0.5], [0.005, -0.005]])
    version = network[0].weight._version
    clip_weights(network, 0.01)
    torch.testing.assert_close(network[0].weight.data, torch.tensor([[0.01, -0.01], [0.005, -0.005]]))
    assert (network[1].weight == 0.01).all()
    assert network[0].weight._version > version  # whoever remembers something of the weights can see it
