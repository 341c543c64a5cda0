"""Prioritised replay: memories that surprised are drawn more often, by a tree of sums."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor

SMALLEST = 1e-6
"""Added to every error, so that what was expected exactly is still drawn now and then."""


class SumTree:
    """Masses of `capacity` rows as the leaves of a binary tree, in which every node is the sum of its two children.

    To draw is to choose a number below the whole sum and to walk down to the leaf where it falls: log2(capacity) steps.

    >>> tree = SumTree(3)
    >>> tree.set(np.arange(3), np.array([1.0, 0.0, 3.0]))
    >>> tree.total, tree.find(np.array([0.5, 1.5, 3.9])).tolist()
    (4.0, [0, 2, 2])
    """

    def __init__(self, capacity: int) -> None:
        self.depth = max(1, capacity - 1).bit_length()
        self.first = 2**self.depth
        self.nodes = np.zeros(2 * self.first)
        """The root is node 1, the children of node i are 2i and 2i + 1; leaves begin at `first`."""

    @property
    def total(self) -> float:
        return float(self.nodes[1])

    def masses(self, rows: np.ndarray) -> np.ndarray:
        """Return the masses of rows, both (count,)."""
        return self.nodes[self.first + rows]

    def set(self, rows: np.ndarray, masses: np.ndarray) -> None:
        """Give rows (count,) their masses; of a row that is named twice the last one counts."""
        nodes = self.first + rows
        self.nodes[nodes] = masses
        for _ in range(self.depth):
            nodes = np.unique(nodes // 2)
            self.nodes[nodes] = self.nodes[2 * nodes] + self.nodes[2 * nodes + 1]

    def find(self, places: np.ndarray) -> np.ndarray:
        """Return the rows (count,) in which places between 0 and `total` fall, masses laid end to end."""
        places, nodes = places.copy(), np.ones(len(places), np.int64)
        for _ in range(self.depth):
            left = 2 * nodes
            # Rounding may put a place at the very end of a sum: never walk to where no mass is.
            right = (places >= self.nodes[left]) & (self.nodes[left + 1] > 0)
            places -= np.where(right, self.nodes[left], 0.0)
            nodes = left + right
        return nodes - self.first


class Priorities:
    """Draws rows with P(i) = p_i^α / sum_k p_k^α, p_i = |δ_i| + a little, and says how much each shall count.

    w_i = (N P(i))^-β / max_j w_j undoes the bias of drawing some more often. Rows that are new have the highest
    priority so far, so that everything is looked at once.

    Args:
        capacity: rows of the memory.
        exponent: α; 0 draws all alike.
        importance: β as a function of the environment steps taken so far; 1 undoes the bias wholly.
        errors: gives δ of the batch that was learnt from last, (batch,).

    Source: Schaul et al. 2016, Prioritized experience replay, arXiv:1511.05952, the proportional form.
    """

    def __init__(
        self, capacity: int, exponent: float, importance: Callable[[int], float], errors: Callable[[], Tensor]
    ) -> None:
        self.tree = SumTree(capacity)
        self.exponent, self.importance, self.errors = exponent, importance, errors
        self.highest = 1.0
        """Largest priority so far."""
        self.drawn = torch.empty(0, dtype=torch.int64)
        """Rows of the batch that was handed out last."""

    def add(self, rows: np.ndarray) -> None:
        """Note that rows (count,) were written."""
        self.tree.set(rows, np.full(len(rows), self.highest**self.exponent))

    def forget(self, rows: np.ndarray) -> None:
        """Note that rows (count,) cannot be drawn any more."""
        self.tree.set(rows, np.zeros(len(rows)))

    def learn(self) -> None:
        """Give the rows of the last batch the priorities that its errors say, once."""
        errors = self.errors().detach().abs().cpu().numpy().astype(np.float64)
        if len(errors) == len(self.drawn):
            priorities = errors + SMALLEST
            self.highest = max(self.highest, float(priorities.max(initial=0.0)))
            self.tree.set(self.drawn.numpy(), priorities**self.exponent)
        self.drawn = self.drawn[:0]

    def draw(self, count: int, size: int, steps: int, generator: Generator) -> tuple[Tensor, Tensor]:
        """Return rows and how much each counts, both (count,).

        The whole mass is cut into `count` equal parts, and one row is drawn from each.

        Args:
            size: rows N that hold a transition.
            steps: taken in the environments so far.
        """
        chance = torch.rand(count, generator=generator, dtype=torch.float64).numpy()
        rows = self.tree.find((np.arange(count) + chance) / count * self.tree.total)
        share = self.tree.masses(rows) / self.tree.total
        weights = (size * share) ** -self.importance(steps)
        self.drawn = torch.from_numpy(rows)
        return self.drawn, torch.from_numpy(weights / weights.max()).float()

    def state_dict(self) -> dict[str, Any]:
        leaves = self.tree.nodes[self.tree.first :]
        return {"masses": torch.from_numpy(leaves.copy()), "highest": self.highest, "drawn": self.drawn}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.tree.set(np.arange(self.tree.first), state["masses"].numpy())
        self.highest, self.drawn = state["highest"], state["drawn"]
