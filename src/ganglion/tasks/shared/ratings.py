"""Ratings that are known: as rows with holes, less what is said by the kindness of users and the liking of items."""

import base64
import zlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
import torch

from ganglion.data.preprocessing import Ragged, RatingPreprocessing
from ganglion.errors import CheckpointError

OF_USERS, OF_ITEMS = 5.0, 3.0
"""Ratings of 0 that a user and an item are given on top of their own, so that few of them say little."""
ROUNDS = 10
MOST_LEVELS = 21
"""Levels that networks tell apart which see levels and not numbers."""


@dataclass(frozen=True)
class Biases:
    """b_ui = m + b_u + b_i: the mean of all ratings, how kind a user is and how liked an item is.

    b_i = sum_u (r - m - b_u) / (n_i + 3) and b_u = sum_i (r - m - b_i) / (n_u + 5) in turn, so that users and items of
    few ratings are near the mean. Source: Koren, Bell and Volinsky (2009).
    """

    mean: float
    users: np.ndarray
    """b_u (users,)."""
    items: np.ndarray
    """b_i (items,)."""

    def of(self, users: np.ndarray, items: np.ndarray) -> np.ndarray:
        """Return b_ui of pairs of users and items, (pairs,) both."""
        found: np.ndarray = self.mean + self.users[users] + self.items[items]
        return found


@dataclass(frozen=True)
class Known:
    """Ratings, each of an item by a user.

    >>> known = Known(np.array([0, 0, 1]), np.array([0, 1, 1]), np.array([5.0, 3.0, 1.0]), shape=(2, 3))
    >>> places, ratings, rows = known.rows(by_items=True, values=known.values)
    >>> rows.tolist(), places[1].tolist(), ratings[1].tolist()
    ([0, 1], [1, 2], [3.0, 1.0])
    """

    users: np.ndarray
    """Numbers of users (ratings,)."""
    items: np.ndarray
    """Numbers of items (ratings,)."""
    values: np.ndarray
    """The ratings themselves (ratings,)."""
    shape: tuple[int, int]
    """How many users and items there are."""

    def __len__(self) -> int:
        return len(self.values)

    @cached_property
    def biases(self) -> Biases:
        mean = float(self.values.mean()) if len(self) else 0.0
        of_users, of_items = (np.zeros(count) for count in self.shape)
        numbers = [np.bincount(one, minlength=count) for one, count in zip(self.pair, self.shape, strict=True)]
        for _ in range(ROUNDS):
            left = np.bincount(self.items, self.values - mean - of_users[self.users], self.shape[1])
            of_items = left / (numbers[1] + OF_ITEMS)
            left = np.bincount(self.users, self.values - mean - of_items[self.items], self.shape[0])
            of_users = left / (numbers[0] + OF_USERS)
        return Biases(mean, of_users, of_items)

    @property
    def pair(self) -> tuple[np.ndarray, np.ndarray]:
        """Return users and items (ratings,)."""
        return self.users, self.items

    @cached_property
    def rated(self) -> np.ndarray:
        """Return how many ratings each item has (items,)."""
        return np.bincount(self.items, minlength=self.shape[1])

    @cached_property
    def by_user(self) -> list[np.ndarray]:
        """Return the items that each user rated."""
        order = np.argsort(self.users, kind="stable")
        ends = np.cumsum(np.bincount(self.users, minlength=self.shape[0]))[:-1]
        return np.split(self.items[order], ends)

    def take(self, chosen: np.ndarray) -> "Known":
        """Return some of the ratings, by their places (chosen,) or as a mask (ratings,)."""
        return Known(self.users[chosen], self.items[chosen], self.values[chosen], self.shape)

    def rows(self, *, by_items: bool, values: np.ndarray) -> tuple[Ragged, Ragged, np.ndarray]:
        """Return rows that have known entries: their columns from 1 on, their values, and which rows they are (rows,).

        Args:
            by_items: whether rows are items and columns users, or the other way round.
            values: what stands in the entries, (ratings,).
        """
        row, column = (self.items, self.users) if by_items else (self.users, self.items)
        order = np.lexsort((column, row))
        counts = np.bincount(row, minlength=self.shape[1 if by_items else 0])
        lengths = torch.from_numpy(counts[counts > 0])
        places = Ragged(torch.from_numpy(column[order].astype(np.int64) + 1), lengths)
        entries = Ragged(torch.from_numpy(values[order].astype(np.float32)), lengths)
        return places, entries, np.flatnonzero(counts)

    def packed(self) -> dict[str, Any]:
        """Return the ratings as JSON values of about the size of their table."""
        parts = {"users": self.users, "items": self.items, "values": self.values}
        types = {"users": "<u4", "items": "<u4", "values": "<f4"}
        return {
            "shape": list(self.shape),
            **{name: _packed(part.astype(types[name])) for name, part in parts.items()},
        }

    @classmethod
    def unpacked(cls, state: Any) -> Self:
        """Return what `packed` described. Raises `CheckpointError` where the parts do not fit together."""
        try:
            users, items = (_unpacked(state[name], "<u4").astype(np.int64) for name in ("users", "items"))
            values, (people, things) = _unpacked(state["values"], "<f4").astype(np.float64), state["shape"]
        except (KeyError, TypeError, ValueError, zlib.error) as error:
            raise _damaged(str(error)) from error
        if not len(users) == len(items) == len(values) or (users >= people).any() or (items >= things).any():
            raise _damaged("parts that do not fit together")
        return cls(users, items, values, (int(people), int(things)))


def _damaged(found: str) -> CheckpointError:
    return CheckpointError(
        "the ratings of this run are damaged",
        where="state.known of config.json",
        expected="those that training saved",
        found=found,
        remedy="put the original file back, or train again",
    )


def _packed(values: np.ndarray) -> str:
    return base64.b64encode(zlib.compress(values.tobytes())).decode("ascii")


def _unpacked(text: str, kind: str) -> np.ndarray:
    return np.frombuffer(zlib.decompress(base64.b64decode(text)), kind)


def like_the_known(answers: np.ndarray, places: np.ndarray, ratings: np.ndarray, noise: float) -> np.ndarray:
    """Return what a new user would say of every item (items,), from what the known ones would and a few ratings.

    Users are draws of one Gaussian: m the mean of the answers over users and K their covariance between items,
    answer = m + K_.S (K_SS + noise I)^-1 (r - m_S), S the items that the new user rated.

    Args:
        answers: what known users would say (users, items).
        places: S (rated,).
        ratings: r (rated,).
        noise: variance of a rating around what the network would say.

    >>> known = np.array([[5.0, 1.0], [1.0, 5.0], [4.0, 2.0], [2.0, 4.0]])
    >>> like_the_known(known, np.array([0]), np.array([5.0]), noise=0.01).round(1).tolist()
    [5.0, 1.0]
    """
    mean = answers.mean(axis=0)
    apart = answers - mean
    with_all = apart.T @ apart[:, places] / max(1, len(answers) - 1)  # (items, rated)
    within = with_all[places] + noise * np.eye(len(places))
    found: np.ndarray = mean + with_all @ np.linalg.solve(within, ratings - mean[places])
    return found


def levels_of_scale(ratings: np.ndarray, scale: RatingPreprocessing) -> int:
    """Return how many levels a scale has on which the closest two of some ratings (ratings,) are neighbours.

    >>> levels_of_scale(np.array([0.5, 3.0, 3.5, 5.0]), RatingPreprocessing(lowest=0.5, highest=5.0, mean=3.0))
    10
    """
    width = scale.highest - scale.lowest
    closest = float(np.diff(np.unique(ratings)).min(initial=width))
    return min(MOST_LEVELS, 1 + round(width / closest))


def nearest_levels(ratings: np.ndarray, scale: RatingPreprocessing, levels: int) -> np.ndarray:
    """Return the nearest of the levels 1, 2, ... of a scale to each of some ratings, (ratings,) both.

    >>> nearest_levels(np.array([0.5, 3.1, 5.0]), RatingPreprocessing(lowest=0.5, highest=5.0, mean=3.0), 10).tolist()
    [1.0, 6.0, 10.0]
    """
    places = (ratings - scale.lowest) / (scale.highest - scale.lowest)
    return np.asarray((places.clip(0, 1) * (levels - 1)).round() + 1)
