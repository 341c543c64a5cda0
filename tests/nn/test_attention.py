"""Attention against the equations written out step by step, against torch, and what a mask hides."""

import math

import pytest
import torch
from torch.nn.functional import scaled_dot_product_attention

from ganglion.errors import ShapeError
from ganglion.nn.language.attention import (
    AdditiveAttention,
    Attention,
    AttentivePooling,
    MultiplicativeAttention,
    attention,
)

QUERIES, MEMORY = torch.randn(2, 3, 4, dtype=torch.float64), torch.randn(2, 5, 4, dtype=torch.float64)
PRESENT = torch.tensor([[True, True, True, False, False], [True] * 5])


def test_additive_scores_are_the_papers() -> None:
    net = AdditiveAttention(4, 4, 6).double()
    contexts, weights = net(QUERIES, MEMORY, PRESENT)
    for row in range(2):
        steps = int(PRESENT[row].sum())
        for query in range(3):
            energies = [
                (
                    net.energy.weight[0]
                    @ torch.tanh(
                        net.query.weight @ QUERIES[row, query] + net.key.weight @ MEMORY[row, j] + net.key.bias
                    )
                ).item()
                for j in range(steps)
            ]
            shares = [math.exp(one) for one in energies]
            shares = [share / sum(shares) for share in shares]
            torch.testing.assert_close(weights[row, query, :steps].tolist(), shares)
            expected = sum(share * MEMORY[row, j] for j, share in enumerate(shares))
            torch.testing.assert_close(contexts[row, query], expected)


def test_multiplicative_scores_are_those_of_torch() -> None:
    net = MultiplicativeAttention(4, 4, learnt=False)
    contexts, _ = net(QUERIES, MEMORY, PRESENT)
    expected = scaled_dot_product_attention(QUERIES, MEMORY, MEMORY, attn_mask=PRESENT[:, None], scale=1.0)
    torch.testing.assert_close(contexts, expected)
    general = MultiplicativeAttention(4, 4).double()
    scores = torch.einsum("bqi,ij,bsj->bqs", QUERIES, general.key.weight, MEMORY)
    torch.testing.assert_close(general.score(QUERIES, general.keys(MEMORY)), scores)


@pytest.mark.parametrize("net", [attention("additive", 4, 4, 6), attention("multiplicative", 4, 4, 6)])
def test_what_is_masked_changes_nothing(net: Attention) -> None:
    net.double()
    contexts, weights = net(QUERIES, MEMORY, PRESENT)
    other = MEMORY.masked_fill(~PRESENT[..., None], 1e3)
    torch.testing.assert_close(net(QUERIES, other, PRESENT)[0], contexts)
    assert not weights[~PRESENT[:, None].expand_as(weights)].any()
    torch.testing.assert_close(net(QUERIES[:, 1:2], MEMORY, PRESENT, net.keys(MEMORY))[0], contexts[:, 1:2])


def test_masks_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ShapeError, match="mask"):
        attention("multiplicative", 4, 4, 6).double()(QUERIES, MEMORY, PRESENT[:, :3])
    with pytest.raises(ShapeError, match="width"):
        MultiplicativeAttention(4, 5, learnt=False)


def test_pooling_weighs_the_steps_of_each_group() -> None:
    net = AttentivePooling(4, 6).double()
    groups = torch.tensor([[[True, True, False, False, False], [False] * 5, [False, False, True, True, True]]] * 2)
    pooled, weights = net(MEMORY, groups)
    scores = torch.tanh(MEMORY @ net.hidden.weight.T + net.hidden.bias) @ net.question.weight[0]
    for row in range(2):
        torch.testing.assert_close(pooled[row, 0], scores[row, :2].softmax(0) @ MEMORY[row, :2])
        torch.testing.assert_close(weights[row, 2, 2:], scores[row, 2:].softmax(0))
    assert not pooled[:, 1].any()
