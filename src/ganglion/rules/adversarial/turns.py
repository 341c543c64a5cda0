"""Whose turn it is: order and number of steps of each player, kept in counters so that a run goes on where it was."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, final

Player = Literal["discriminator", "generator"]
Schedule = Callable[[int], int]
"""From the turns that the generator has had to the discriminator's steps until its next one."""


@final
@dataclass(frozen=True, kw_only=True)
class Turns:
    """Cycles of batches: one player learns from each of them, the other once a cycle.

    The other's turn comes in the last batch of a cycle after the first player's, or, if it is the one to begin, in the
    first batch before the first player's. At least one of the players takes a single step a cycle.

    >>> turns = Turns(discriminator_steps=3)
    >>> counters = turns.counters()
    >>> [turns.take(counters) for _ in range(4)]
    [('discriminator',), ('discriminator',), ('discriminator', 'generator'), ('discriminator',)]
    """

    discriminator_steps: int | Schedule = 1
    """Batches that the discriminator learns from for each turn of the generator."""
    generator_steps: int = 1
    """Batches that the generator learns from for each turn of the discriminator."""
    first: Player = "discriminator"
    """Who learns first from a batch that both learn from."""

    def counters(self) -> dict[str, int]:
        """Return the counters of a run that begins."""
        return {self._place: 0} | ({"generator_turns": 0} if callable(self.discriminator_steps) else {})

    def take(self, counters: dict[str, int]) -> tuple[Player, ...]:
        """Return who learns from the next batch, in order, and move the counters on."""
        steps = self.discriminator_steps
        length = steps(counters["generator_turns"]) if callable(steps) else max(steps, self.generator_steps)
        place = counters[self._place]
        is_last = place + 1 >= length
        counters[self._place] = 0 if is_last else place + 1
        if is_last and callable(steps):
            counters["generator_turns"] += 1
        if is_last if self.first == self._frequent else place == 0:
            return (self._frequent, self._rare) if self.first == self._frequent else (self._rare, self._frequent)
        return (self._frequent,)

    @property
    def _frequent(self) -> Player:
        return "generator" if self.generator_steps > 1 else "discriminator"

    @property
    def _rare(self) -> Player:
        return "discriminator" if self.generator_steps > 1 else "generator"

    @property
    def _place(self) -> str:
        """The counter of batches since the cycle began."""
        return f"batches_since_{self._rare}"


@final
@dataclass(frozen=True, kw_only=True)
class LongTurns:
    """A schedule of the discriminator's steps: `long` ones at first and now and then, `usual` ones otherwise.

    So the critic of a Wasserstein game is trained well before the generator first listens to it. The defaults are those
    of the authors' code, https://github.com/martinarjovsky/WassersteinGAN.

    >>> schedule = LongTurns()
    >>> [schedule(turn) for turn in (0, 24, 25, 499, 500, 501)]
    [100, 100, 5, 5, 100, 5]
    """

    usual: int = 5
    long: int = 100
    at_first: int = 25
    """Turns of the generator before which they are long."""
    every: int = 500
    """Of the generator's turns, this and each of its multiples are long."""

    def __call__(self, turn: int) -> int:
        return self.long if turn < self.at_first or turn % self.every == 0 else self.usual
