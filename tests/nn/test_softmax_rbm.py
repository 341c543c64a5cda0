"""The machine of ratings against enumeration over all levels and all states of its hidden units."""

from itertools import product

import pytest
import torch
from torch import Tensor

from ganglion.errors import ShapeError
from ganglion.nn.energy.restricted import binary_states
from ganglion.nn.energy.softmax import SoftmaxRBM


def machine() -> SoftmaxRBM:
    """Return a machine of four columns, three levels and three hidden units that matter."""
    torch.manual_seed(1)
    made = SoftmaxRBM(4, 3, 3, deviation=0.8).double()
    with torch.no_grad():
        made.visible_bias.normal_()
        made.hidden_bias.normal_()
    return made


def by_hand(of: SoftmaxRBM, row: Tensor, hidden: Tensor) -> Tensor:
    """Return E(v, h) of one row, term by term."""
    weight, bias = of.weight.view(3, 4, 3), of.visible_bias.view(4, 3)
    energy = -(hidden * of.hidden_bias).sum()
    for column, level in enumerate(row.long().tolist()):
        if level:
            energy = energy - bias[column, level - 1] - (hidden * weight[:, column, level - 1]).sum()
    return energy


@torch.no_grad()
def test_energies_are_sums_over_known_levels_alone() -> None:
    one = machine()
    rows = torch.tensor([[3.0, 0, 1, 0], [0, 0, 0, 0], [1, 2, 3, 1]]).double()
    states = binary_states(3).double()
    expected = torch.stack([torch.stack([by_hand(one, row, state) for state in states]) for row in rows])
    ours = torch.stack([one.energy(rows, state.expand(3, -1)) for state in states], dim=1)
    torch.testing.assert_close(ours, expected)
    torch.testing.assert_close(one.free_energy(rows), -(-expected).logsumexp(1))


def test_gradients_of_the_free_energy_equal_autograd() -> None:
    one, shares = machine(), torch.randn(3).double()
    rows = torch.tensor([[3.0, 0, 1, 0], [0, 2, 0, 2], [1, 2, 3, 1]]).double()
    total, gradients = one.free_energy_gradients(rows, shares)
    expected = shares @ one.free_energy(rows)
    torch.testing.assert_close(total, expected)
    for ours, theirs in zip(gradients, torch.autograd.grad(expected, list(one.parameters())), strict=True):
        torch.testing.assert_close(ours, theirs)


@torch.no_grad()
def test_long_chains_visit_known_levels_as_often_as_enumeration_says() -> None:
    one, generator = machine(), torch.Generator().manual_seed(0)
    every = torch.tensor([[first, 0, second, 0] for first, second in product((1.0, 2.0, 3.0), repeat=2)]).double()
    expected = (-one.free_energy(every)).softmax(0)
    rows = every[:1].repeat(20_000, 1)
    for _ in range(30):
        rows = one.gibbs_step(rows, generator)
    assert not rows[:, [1, 3]].any(), "what is unknown stays unknown"
    visited = torch.bincount(((rows[:, 0] - 1) * 3 + rows[:, 2] - 1).long(), minlength=9) / len(rows)
    assert (visited - expected).abs().max() < 0.015


@torch.no_grad()
def test_answers_are_means_over_levels_with_hidden_units_at_their_means() -> None:
    one, rows = machine(), torch.tensor([[3.0, 0, 1, 0]]).double()
    hidden = one.hidden_probabilities(rows)[0]
    for column in range(4):
        heights = torch.stack(
            [-by_hand(one, torch.eye(4).double()[column] * level, hidden) for level in (1, 2, 3)]
        ).softmax(0)
        assert one(rows)[0, column].item() == pytest.approx((heights[1] / 2 + heights[2]).item())


@torch.no_grad()
def test_biases_start_at_how_often_levels_are() -> None:
    one = SoftmaxRBM(2, 3, 1, deviation=0.0).double()
    rows = torch.tensor([[3.0, 0]] * 900 + [[1, 2]] * 100).double()
    one.match_means(rows)
    shares = one.visible_bias.exp().view(2, 3)
    assert shares[0].tolist() == pytest.approx([0.1, 0.0, 0.9], abs=0.01)
    assert shares.sum(1).tolist() == pytest.approx([1.0, 1.0])


def test_rows_of_other_columns_are_refused() -> None:
    with pytest.raises(ShapeError, match="columns of the machine"):
        machine()(torch.zeros(1, 5))
