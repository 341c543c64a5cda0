"""Words that stand for a value that is missing."""

from ganglion.data.settings import DataSettings

ERRORS = frozenset({"#n/a", "#na", "#n/a n/a", "#div/0!", "#ref!", "#value!", "#name?", "#null!", "#num!"})
"""What spreadsheets write where they cannot compute."""
MISSING = frozenset({"", "?", "-", "--", "na", "n/a", "<na>", "nan", "nat", "null", "none", "nil", "missing"}) | ERRORS
OFTEN = 5
"""Times that a word must occur among texts to be one of them instead of nothing."""
OFTEN_SHARE = 0.01


def words_for_missing(settings: DataSettings) -> frozenset[str]:
    """Return what counts as missing, in small letters: the usual words, and those that the user names."""
    return (MISSING if settings.usual_missing else frozenset({""})) | named_for_missing(settings)


def named_for_missing(settings: DataSettings) -> frozenset[str]:
    """Return the words, in small letters, that the user names as missing, which are so wherever they stand."""
    return frozenset(word.strip().lower() for word in settings.missing or ())
