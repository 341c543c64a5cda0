"""Whose turn it is: orders written out by hand, schedules, and counters from which one goes on."""

from itertools import islice

import pytest

from ganglion.rules.adversarial.turns import LongTurns, Turns


def sequence(turns: Turns, batches: int, counters: dict[str, int] | None = None) -> list[str]:
    counters = turns.counters() if counters is None else counters
    return ["".join(player[0].upper() for player in turns.take(counters)) for _ in range(batches)]


@pytest.mark.parametrize(
    ("turns", "expected"),
    [
        (Turns(), "DG DG DG"),
        (Turns(first="generator"), "GD GD GD"),
        (Turns(discriminator_steps=3), "D D DG D D DG"),
        (Turns(discriminator_steps=3, first="generator"), "GD D D GD D D"),
        (Turns(generator_steps=3), "DG G G DG G G"),
        (Turns(generator_steps=3, first="generator"), "G G GD G G GD"),
        (Turns(discriminator_steps=lambda turn: [3, 1, 2][turn]), "D D DG DG D DG"),
        (Turns(discriminator_steps=lambda turn: [3, 1, 2][turn], first="generator"), "GD D D GD GD D"),
    ],
)
def test_orders(turns: Turns, expected: str) -> None:
    assert sequence(turns, len(expected.split())) == expected.split()


@pytest.mark.parametrize(
    "turns", [Turns(discriminator_steps=3), Turns(discriminator_steps=LongTurns(usual=2, long=4, at_first=3, every=5))]
)
def test_goes_on_from_its_counters_in_the_middle_of_a_cycle(turns: Turns) -> None:
    whole = sequence(turns, 40)
    for stop in range(40):
        counters = turns.counters()
        sequence(turns, stop, counters)
        assert sequence(turns, 40 - stop, dict(counters)) == whole[stop:]


def test_equal_turns_leave_no_trace_in_the_counters() -> None:
    """Steps that are the same every time can be recorded as a CUDA graph."""
    counters = Turns().counters()
    Turns().take(counters)
    assert counters == Turns().counters()


def test_the_published_schedule_takes_a_hundred_steps_at_first_and_now_and_then() -> None:
    turns = Turns(discriminator_steps=LongTurns())
    counters, lengths, length = turns.counters(), [], 0
    batches = iter(lambda: turns.take(counters), None)
    for players in islice(batches, 25 * 100 + 475 * 5 + 100 + 5):
        length += 1
        if "generator" in players:
            lengths.append(length)
            length = 0
    assert lengths == [100] * 25 + [5] * 475 + [100, 5] and counters["generator_turns"] == 502
