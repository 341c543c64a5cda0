"""Words that stand for a value that is missing."""

from collections.abc import Sequence

ERRORS = frozenset({"#n/a", "#na", "#n/a n/a", "#div/0!", "#ref!", "#value!", "#name?", "#null!", "#num!"})
"""What spreadsheets write where they cannot compute."""
MISSING = frozenset({"", "?", "-", "--", "na", "n/a", "<na>", "nan", "nat", "null", "none", "nil", "missing"}) | ERRORS
OFTEN = 5
"""Times that a word must occur among texts to be one of them instead of nothing."""
OFTEN_SHARE = 0.01


def words_for_missing(asked: Sequence[str] | None) -> frozenset[str]:
    """Return what counts as missing, in small letters: the usual words, or those that the user names."""
    return MISSING if asked is None else frozenset({"", *(word.strip().lower() for word in asked)})
