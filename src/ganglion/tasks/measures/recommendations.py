"""How well ratings are foretold and items put in order, and what simple methods do: factors, and what is popular."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from ganglion.core import Measure
from ganglion.tasks.shared.ratings import OF_ITEMS, OF_USERS, Known

AT = 10
"""Items at the head of a list that are looked at."""
RANKS, STRENGTHS = (20,), (8.0, 14.0, 20.0)
"""Factors, and weights of their squares, that matrix factorisation is tried with."""
SWEEPS = 10

RMSE = Measure(
    name="rmse",
    higher_is_better=False,
    meaning="Root of the mean squared difference between ratings and what was foretold, in points of the scale.",
)
FACTORISATION_RMSE = Measure(
    name="matrix_factorisation_rmse",
    higher_is_better=False,
    meaning="The same of matrix factorisation with biases, its strength chosen by the validation part.",
)
NDCG = Measure(
    name="ndcg_at_10",
    higher_is_better=True,
    meaning="How near the top of a list of ten held-out items stand: 1 if they fill its head.",
)
RECALL = Measure(
    name="recall_at_10",
    higher_is_better=True,
    meaning="Share of a user's held-out items, of ten at most, that are among the ten named first.",
)

Predictor = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""From users and items, (pairs,) both, to ratings (pairs,)."""


def root_mean_square(predicted: np.ndarray, ratings: np.ndarray) -> float:
    """Return the root of the mean squared difference of ratings (ratings,) and what was foretold (ratings,)."""
    return float(np.sqrt(np.mean((predicted - ratings) ** 2)))


def ordered(scores: np.ndarray, seen: Sequence[np.ndarray], most: int = AT) -> np.ndarray:
    """Return the items of the highest scores (users, most), best first; those that each user has seen stand last.

    Args:
        scores: (users, items).
        seen: numbers of items, for each user.
    """
    left = scores.astype(np.float64)  # a copy, which may be written
    for row, items in zip(left, seen, strict=True):
        row[items] = -np.inf
    return np.argsort(-left, axis=1, kind="stable")[:, :most]


def quality_of_order(order: np.ndarray, wanted: Sequence[np.ndarray]) -> dict[str, float]:
    """Return NDCG and recall of lists (users, length), averaged over the users that have something to be found.

    NDCG = sum_k [item k is wanted] / log2(k + 1), as a share of what a list of wanted items would come to.

    >>> quality_of_order(np.array([[3, 1, 2]]), [np.array([3, 2])])["ndcg_at_10"].__round__(4)
    0.9197
    """
    worth = 1 / np.log2(np.arange(order.shape[1]) + 2)
    gains, shares = [], []
    for items, those in zip(order, wanted, strict=True):
        if len(those):
            hit, most = np.isin(items, those), min(len(those), len(items))
            gains.append(float((hit * worth).sum() / worth[:most].sum()))
            shares.append(float(hit.sum() / most))
    return {"ndcg_at_10": float(np.mean(gains)), "recall_at_10": float(np.mean(shares))} if gains else {}


def matrix_factorisation(known: Known, validation: Known, lowest: float, highest: float) -> Predictor:
    """Return r_ui = m + b_u + b_i + p_u . q_i fitted by alternating least squares, as strong as validation says best.

    Minimised is the sum over known ratings of (r - r_ui)^2 + l (|p_u|^2 + |q_i|^2 + ...), for each of `STRENGTHS` l;
    items that nobody rated are answered with m + b_u. Answers lie within the scale.
    """
    best: tuple[float, Predictor] | None = None
    for rank in RANKS:
        for strength in STRENGTHS:
            predict = _clipped(_factorised(known, rank, strength), lowest, highest)
            error = root_mean_square(predict(*validation.pair), validation.values) if len(validation) else 0.0
            if best is None or error < best[0]:
                best = error, predict
    assert best is not None
    return best[1]


def _clipped(predict: Predictor, lowest: float, highest: float) -> Predictor:
    return lambda users, items: predict(users, items).clip(lowest, highest)


def _factorised(known: Known, rank: int, strength: float) -> Predictor:
    biases, random = known.biases, np.random.default_rng(0)
    factors = [random.normal(0, 0.1, (count, rank)) for count in known.shape]
    groups = [_grouped(one, count) for one, count in zip(known.pair, known.shape, strict=True)]
    penalty = strength * np.eye(rank)
    counts = [np.bincount(one, minlength=count) for one, count in zip(known.pair, known.shape, strict=True)]
    for _ in range(SWEEPS):
        left = known.values - biases.of(*known.pair)
        for own, other in ((0, 1), (1, 0)):
            numbers = known.pair[other]
            for number, places in enumerate(groups[own]):
                if len(places):
                    sides = factors[other][numbers[places]]
                    factors[own][number] = np.linalg.solve(sides.T @ sides + penalty, sides.T @ left[places])
        product = (factors[0][known.users] * factors[1][known.items]).sum(axis=1)
        rest = known.values - product - biases.mean
        of_items = np.bincount(known.items, rest - biases.users[known.users], known.shape[1]) / (counts[1] + OF_ITEMS)
        of_users = np.bincount(known.users, rest - of_items[known.items], known.shape[0]) / (counts[0] + OF_USERS)
        biases = replace(biases, users=of_users, items=of_items)
    factors[1][counts[1] == 0] = 0

    def predict(users: np.ndarray, items: np.ndarray) -> np.ndarray:
        return biases.of(users, items) + (factors[0][users] * factors[1][items]).sum(axis=1)

    return predict


def _grouped(numbers: np.ndarray, count: int) -> list[np.ndarray]:
    """Return the places (places,) at which each number from 0 on stands, of numbers (ratings,)."""
    order = np.argsort(numbers, kind="stable")
    return np.split(order, np.cumsum(np.bincount(numbers, minlength=count))[:-1])
