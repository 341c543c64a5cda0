"""How far written words are from those that were said: the shares of letters and of words that are wrong."""

from collections.abc import Sequence

from ganglion.core import Measure

CHARACTER_ERRORS = Measure(
    name="character_error_rate",
    higher_is_better=False,
    meaning="Letters to be changed, added and removed, as a share of those that were said.",
)
WORD_ERRORS = Measure(
    name="word_error_rate",
    higher_is_better=False,
    meaning="Words to be changed, added and removed, as a share of those that were said.",
)


def edit_distance(first: Sequence, second: Sequence) -> int:
    """Return how many items must be changed, added or removed to make one sequence the other.

    d_ij = min(d_{i-1, j} + 1, d_{i, j-1} + 1, d_{i-1, j-1} + [a_i != b_j]).

    Source: Levenshtein, Binary codes capable of correcting deletions, insertions and reversals (1966).

    >>> edit_distance("kitten", "sitting")
    3
    """
    row = list(range(len(second) + 1))
    for place, item in enumerate(first, 1):
        before, row[0] = row[0], place
        for column, other in enumerate(second, 1):
            before, row[column] = row[column], min(row[column] + 1, row[column - 1] + 1, before + (item != other))
    return row[-1]


def error_rate(answers: Sequence[Sequence], wanted: Sequence[Sequence]) -> float:
    """Return the sum of the distances of all answers from what was wanted, by the items that were wanted.

    >>> error_rate(["kina", "lu"], ["tina", "lumi"])
    0.375
    """
    total = sum(edit_distance(answer, want) for answer, want in zip(answers, wanted, strict=True))
    return total / max(1, sum(map(len, wanted)))


def error_rates(answers: Sequence[str], wanted: Sequence[str]) -> dict[str, float]:
    """Return the shares of letters and of words that are wrong.

    >>> error_rates(["a dog"], ["the dog"])
    {'character_error_rate': 0.42857142857142855, 'word_error_rate': 0.5}
    """
    words = [[text.split() for text in texts] for texts in (answers, wanted)]
    return {"character_error_rate": error_rate(answers, wanted), "word_error_rate": error_rate(*words)}
