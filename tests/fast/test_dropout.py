"""Dropout by sixteen bits against its definition."""

import pytest
import torch

from ganglion.fast.dropout import dropout


@pytest.mark.parametrize("share", [0.1, 0.4, 0.5, 0.9])
@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
def test_share_and_mean_are_right(share, kind):
    torch.manual_seed(0)
    dropped = dropout(torch.ones(1001, 999, dtype=kind), share)
    zeros = float((dropped == 0).double().mean())
    assert abs(zeros - share) < 5 * (share * (1 - share) / 1e6) ** 0.5
    assert dropped.dtype is kind and float(dropped.double().mean()) == pytest.approx(1, abs=0.01)
    assert dropped.unique().numel() == 2


def test_decisions_are_independent_of_their_place():
    torch.manual_seed(0)
    kept = (dropout(torch.ones(250_000, 4), 0.5) > 0).double()
    assert (kept.mean(0) - 0.5).abs().max() < 0.005
    assert (torch.corrcoef(kept.T) - torch.eye(4)).abs().max() < 0.01
    assert abs(float(torch.corrcoef(torch.stack([kept[1:, 0], kept[:-1, 3]]))[0, 1])) < 0.01


def test_gradient_passes_where_inputs_do():
    inputs = torch.randn(33, 7, requires_grad=True)
    dropped = dropout(inputs, 0.3)
    dropped.sum().backward()
    torch.testing.assert_close(inputs.grad * inputs, dropped)


def test_same_seed_same_decisions_and_another_call_others():
    inputs, results = torch.ones(50, 50), []
    for _ in range(2):
        torch.manual_seed(3)
        results.append((dropout(inputs, 0.5), dropout(inputs, 0.5)))
    assert torch.equal(results[0][0], results[1][0]) and torch.equal(results[0][1], results[1][1])
    assert not torch.equal(*results[0])


def test_ends_of_the_scale():
    inputs = torch.randn(5, 3)
    assert dropout(inputs, 0.4, training=False) is inputs
    assert torch.equal(dropout(inputs, 0.0), inputs) and not dropout(inputs, 1.0).any()
    assert dropout(torch.zeros(0, 3), 0.5).shape == (0, 3)
    assert dropout(inputs.double(), 0.5).dtype is torch.float64
    shifted = torch.func.vmap(lambda x: dropout(x, 0.5), randomness="different")(inputs)
    assert shifted.shape == inputs.shape
