"""Attention: what a query finds in a memory of several steps, as a weighted mean of them.

e_tj = score(q_t, m_j)          how well step j of the memory fits query t
a_tj = softmax over j of e_tj   0 where there is no step j
c_t = sum over j of a_tj m_j    the context
"""

from typing import Literal

import torch
from torch import Tensor, nn

from ganglion.errors import ShapeError, UsageError
from ganglion.nn.linear import Linear

Scores = Literal["additive", "multiplicative"]


class Attention(nn.Module):
    """What attention of every kind shares; the kinds say how `keys` are made of a memory and what `score` is."""

    def keys(self, memory: Tensor) -> Tensor:
        """Return the part of the scores that depends on the memory alone, from (batch, steps, features)."""
        raise UsageError("this attention has no keys", expected="AdditiveAttention or MultiplicativeAttention")

    def score(self, queries: Tensor, keys: Tensor) -> Tensor:
        """Return e `(batch, queries, steps)` of queries (batch, queries, features) and keys (batch, steps, width)."""
        raise UsageError("this attention has no score", expected="AdditiveAttention or MultiplicativeAttention")

    def forward(
        self, queries: Tensor, memory: Tensor, present: Tensor | None = None, keys: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return the contexts c `(batch, queries, features)` and the weights a `(batch, queries, steps)`.

        Args:
            queries: q (batch, queries, query features).
            memory: m (batch, steps, features).
            present: which steps there are (batch, steps), one at least of each row; all when not given.
            keys: what `keys` returned of the memory, so that it is computed once for several calls.

        Raises `ShapeError` where `present` does not fit the memory.
        """
        scores = self.score(queries, self.keys(memory) if keys is None else keys)
        if present is not None:
            if present.shape != memory.shape[:2]:
                raise ShapeError(
                    "a mask does not fit the memory that attention reads",
                    expected=f"{tuple(memory.shape[:2])}",
                    found=f"{tuple(present.shape)}",
                )
            scores = scores.masked_fill(~present[:, None], -torch.inf)
        weights = scores.softmax(2)
        return weights @ memory, weights


class AdditiveAttention(Attention):
    """Attention by a small network: score(q, m) = v . tanh(W q + U m + b).

    Args:
        query_features: width of q.
        memory_features: width of m.
        attention_features: width of v.

    Source: Bahdanau, Cho and Bengio, Neural machine translation by jointly learning to align and translate (2015).

    >>> contexts, weights = AdditiveAttention(3, 5, 8)(torch.zeros(2, 4, 3), torch.zeros(2, 7, 5))
    >>> contexts.shape, weights.shape
    (torch.Size([2, 4, 5]), torch.Size([2, 4, 7]))
    """

    def __init__(self, query_features: int, memory_features: int, attention_features: int) -> None:
        super().__init__()
        self.query = Linear(query_features, attention_features, bias=False)
        self.key = Linear(memory_features, attention_features)
        self.energy = Linear(attention_features, 1, bias=False)

    def keys(self, memory: Tensor) -> Tensor:
        keys: Tensor = self.key(memory)
        return keys

    def score(self, queries: Tensor, keys: Tensor) -> Tensor:
        both = (self.query(queries)[:, :, None] + keys[:, None]).tanh()  # (batch, queries, steps, width)
        scores: Tensor = self.energy(both)[..., 0]
        return scores


class MultiplicativeAttention(Attention):
    """Attention by a product: score(q, m) = q . (W m), `general` of the paper; with W = 1, `dot`, if not learnt.

    Args:
        query_features: width of q.
        memory_features: width of m.
        learnt: whether there is a W; without one both have the same width.

    Source: Luong, Pham and Manning, Effective approaches to attention-based neural machine translation (2015).

    >>> memory = torch.eye(3)[None]
    >>> MultiplicativeAttention(3, 3, learnt=False)(9 * memory[:, :1], memory)[1].round().tolist()
    [[[1.0, 0.0, 0.0]]]
    """

    def __init__(self, query_features: int, memory_features: int, *, learnt: bool = True) -> None:
        super().__init__()
        if not learnt and query_features != memory_features:
            raise ShapeError(
                "without weights a query is multiplied with the memory as it is",
                expected=f"queries of width {memory_features}",
                found=f"{query_features}",
            )
        self.key = Linear(memory_features, query_features, bias=False) if learnt else nn.Identity()

    def keys(self, memory: Tensor) -> Tensor:
        keys: Tensor = self.key(memory)
        return keys

    def score(self, queries: Tensor, keys: Tensor) -> Tensor:
        return queries @ keys.transpose(1, 2)


def attention(
    scores: Scores, query_features: int, memory_features: int, attention_features: int
) -> AdditiveAttention | MultiplicativeAttention:
    """Return attention of a kind; its width counts for the additive one alone.

    >>> type(attention("additive", 3, 5, 8)).__name__
    'AdditiveAttention'
    """
    if scores == "additive":
        return AdditiveAttention(query_features, memory_features, attention_features)
    return MultiplicativeAttention(query_features, memory_features)


class AttentivePooling(nn.Module):
    """Sequences as weighted means of their steps: s = sum over t of a_t h_t, a = softmax over t of v . tanh(W h_t + b).

    Args:
        in_features: width of h.
        attention_features: width of v, the question that is asked of every step.

    Source: Yang, Yang, Dyer, He, Smola and Hovy, Hierarchical attention networks for document classification (2016).

    >>> pooled, weights = AttentivePooling(5, 8)(torch.zeros(2, 7, 5), torch.ones(2, 3, 7, dtype=torch.bool))
    >>> pooled.shape, weights.shape
    (torch.Size([2, 3, 5]), torch.Size([2, 3, 7]))
    """

    def __init__(self, in_features: int, attention_features: int) -> None:
        super().__init__()
        self.hidden = Linear(in_features, attention_features)
        self.question = Linear(attention_features, 1, bias=False)

    def forward(self, steps: Tensor, groups: Tensor) -> tuple[Tensor, Tensor]:
        """Return the mean `(batch, groups, features)` of each group of steps, and the weights (batch, groups, steps).

        Args:
            steps: h (batch, steps, features).
            groups: which steps belong to each group (batch, groups, steps); one without steps is zero.
        """
        scores = self.question(self.hidden(steps).tanh()).transpose(1, 2)  # (batch, 1, steps)
        scores = scores.masked_fill(~groups, torch.finfo(scores.dtype).min)
        weights = scores.softmax(2) * groups
        return weights @ steps, weights
