"""A finite Markov decision process as columns of transitions, checked, and the loader that hands it out whole."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import torch

from ganglion.core import Batch, Phase
from ganglion.errors import DataError

TOLERANCE = 1e-6
"""By how much probabilities may miss one."""
MOST_CELLS = 4_000_000
"""States times actions, and states squared, of the largest process: a linear solve of 2,000 states takes a second."""
SHOWN = 8
"""Names in a message."""


@final
@dataclass(frozen=True)
class Transition:
    """What may follow from an action: a state with a probability and a reward; the end of the episode, too."""

    state: str
    action: str
    next_state: str
    probability: float
    reward: float
    ends: bool = False


@final
@dataclass(frozen=True)
class Grid:
    """Where states lie on a grid, and which way actions lead there; for pictures."""

    panels: Mapping[str, tuple[tuple[int, ...], ...]]
    """Numbers of states by row and column, -1 for none, by the title of a picture."""
    directions: Mapping[int, tuple[int, int]]
    """Columns to the right and rows down, by the number of an action; others are shown by their names."""
    letters: tuple[str, ...] = ()
    """What stands in each cell, a text for each row."""


@final
@dataclass(frozen=True)
class DecisionProcess:
    """States, actions and P(r, s' | s, a), one entry of the columns for each transition.

    A state without actions ends an episode. `starts` is the probability of each state to be the first.
    """

    name: str
    states: tuple[str, ...]
    actions: tuple[str, ...]
    columns: Mapping[str, np.ndarray]
    """`states`, `actions`, `next_states`, `probabilities`, `rewards` and `ends`, (transitions,) each."""
    starts: np.ndarray
    """(states,)"""
    grid: Grid | None = None
    notes: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        name: str,
        transitions: Iterable[Transition],
        starts: Mapping[str, float] | None = None,
        states: Iterable[str] = (),
        grid: Grid | None = None,
        actions: Iterable[str] = (),
    ) -> "DecisionProcess":
        """Put transitions together and check them; the first state is the start where none is given.

        Args:
            states: all there are; found in the transitions where none are given.
            actions: likewise.

        Raises:
            DataError: there are none; probabilities that are none, or do not sum to one; a reward that is no finite
                number; a state that was not declared; a start that does not exist.

        >>> once = Transition("here", "go", "there", 0.5, 1.0)
        >>> DecisionProcess.of("trip", [once])
        Traceback (most recent call last):
        ganglion.errors.DataError: probabilities of what follows from an action do not sum to one
          where: trip, state here, action go
          expected: 1
          found: 0.5
          try: add the outcomes that are missing, or correct the probabilities
        """
        known = list(transitions)
        if not known:
            raise DataError("there are no transitions", where=name, expected="at least one", remedy="add some")
        declared = dict.fromkeys(states)
        found = dict.fromkeys([*(one.state for one in known), *(one.next_state for one in known)])
        if declared and (missing := [state for state in found if state not in declared]):
            raise DataError(
                "transitions lead from or to states that are not among the states",
                where=name,
                expected=_few(list(declared)),
                found=_few(missing),
                remedy="add them to the states, or correct their names",
            )
        names = list(declared or found)
        doing = list(dict.fromkeys([*actions, *(one.action for one in known)]))
        if len(names) * max(len(names), len(doing)) > MOST_CELLS:
            raise DataError(
                "this process is too large to be solved exactly",
                where=name,
                expected=f"at most {int(MOST_CELLS**0.5)} states",
                found=f"{len(names)} states, {len(doing)} actions",
                remedy="use fewer states, or dqn, which needs no table",
            )
        places, moves = ({one: number for number, one in enumerate(of)} for of in (names, doing))
        columns = {
            "states": np.array([places[one.state] for one in known], dtype=np.int64),
            "actions": np.array([moves[one.action] for one in known], dtype=np.int64),
            "next_states": np.array([places[one.next_state] for one in known], dtype=np.int64),
            "probabilities": np.array([one.probability for one in known], dtype=np.float64),
            "rewards": np.array([one.reward for one in known], dtype=np.float64),
            "ends": np.array([one.ends for one in known], dtype=bool),
        }
        first = _starts(name, names, starts)
        process = cls(name, tuple(names), tuple(doing), columns, first, grid)
        process._check()
        return cls(name, tuple(names), tuple(doing), columns, first, grid, process._said())

    def _check(self) -> None:
        values = self.columns
        for column, good, what in (
            ("probabilities", (values["probabilities"] >= 0) & (values["probabilities"] <= 1), "from 0 to 1"),
            ("rewards", np.isfinite(values["rewards"]), "a finite number"),
        ):
            if not good.all():
                row = int(np.flatnonzero(~good)[0])
                raise DataError(
                    f"{'a probability' if column == 'probabilities' else 'a reward'} is not what it must be",
                    where=self._place(int(values["states"][row]), int(values["actions"][row])),
                    expected=what,
                    found=str(values[column][row]),
                    remedy="correct it",
                )
        sums = np.zeros((len(self.states), len(self.actions)))
        np.add.at(sums, (values["states"], values["actions"]), values["probabilities"])
        given = np.zeros(sums.shape, dtype=bool)
        given[values["states"], values["actions"]] = True
        if wrong := np.argwhere(given & (np.abs(sums - 1) > TOLERANCE)).tolist():
            state, action = wrong[0]
            raise DataError(
                "probabilities of what follows from an action do not sum to one",
                where=self._place(state, action),
                expected="1",
                found=f"{sums[state, action]:.6g}" + (f", and {len(wrong) - 1} more such" if len(wrong) > 1 else ""),
                remedy="add the outcomes that are missing, or correct the probabilities",
            )

    def _place(self, state: int, action: int) -> str:
        return f"{self.name}, state {self.states[state]}, action {self.actions[action]}"

    def _said(self) -> tuple[str, ...]:
        """Return what the user should know: states in which episodes end, and those that are never come to."""
        values, notes = self.columns, []
        acting = np.isin(np.arange(len(self.states)), values["states"])
        if not acting.all():
            ended = [self.states[number] for number in np.flatnonzero(~acting)]
            notes.append(f"an episode ends in states without actions: {_few(ended)}")
        reached = self.reached(acting_there=False)
        if not reached.all() and self.grid is None:
            lost = [self.states[number] for number in np.flatnonzero(~reached)]
            notes.append(f"states that cannot be reached from the start: {_few(lost)}")
        return tuple(notes)

    def reached(self, *, acting_there: bool) -> np.ndarray:
        """Return which states, (states,), an episode can come to; with `acting_there` without ending at once."""
        values, reached = self.columns, self.starts > 0
        live = (values["probabilities"] > 0) & ~(values["ends"] & acting_there)
        while True:
            grown = reached.copy()
            grown[values["next_states"][live & reached[values["states"]]]] = True
            if (grown == reached).all():
                return reached
            reached = grown

    @property
    def fingerprint(self) -> str:
        """SHA-256 of states, actions, transitions and starts."""
        digest = hashlib.sha256(repr((self.states, self.actions)).encode())
        for values in (*(self.columns[name] for name in sorted(self.columns)), self.starts):
            digest.update(np.ascontiguousarray(values).tobytes())
        return digest.hexdigest()

    def batch(self) -> Batch:
        """Return the columns as tensors, and `starts`, (states,)."""
        columns = {name: torch.from_numpy(values) for name, values in self.columns.items()}
        return {**columns, "starts": torch.from_numpy(self.starts)}


def _starts(name: str, states: list[str], starts: Mapping[str, float] | None) -> np.ndarray:
    given = {states[0]: 1.0} if starts is None else dict(starts)
    if unknown := [one for one in given if one not in states]:
        raise DataError(
            "an episode cannot start in a state that does not exist",
            where=name,
            expected=_few(states),
            found=_few(unknown),
            remedy="name one of the states as the start",
        )
    chances = np.array([given.get(state, 0.0) for state in states], dtype=np.float64)
    if not (chances >= 0).all() or abs(chances.sum() - 1) > TOLERANCE:
        raise DataError(
            "probabilities of the states to start in do not sum to one",
            where=name,
            expected="1",
            found=f"{chances.sum():.6g}",
            remedy="correct them",
        )
    return chances / chances.sum()


def _few(names: list[str]) -> str:
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")


class WholeProcess:
    """Hands out a whole decision process as one batch, without end.

    >>> process = DecisionProcess.of("coin", [Transition("here", "toss", "here", 1.0, 0.5)])
    >>> next(iter(WholeProcess(process)))["rewards"].tolist()
    [0.5]
    """

    batches_per_epoch: int | None = None
    epoch = 0

    def __init__(self, process: DecisionProcess) -> None:
        self._batch = process.batch()

    def __iter__(self) -> Iterator[Batch]:
        while True:
            yield self._batch

    def begin(self, phase: Phase) -> None:
        """A process is the same in every phase."""

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """There is no place to remember."""
