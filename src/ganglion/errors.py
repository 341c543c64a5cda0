"""Every error a user can cause, each saying what, where, expected and found, and what to do next."""

LONGEST_PART = 1200
"""Characters of a part of a message, which may quote a hostile file."""


class GanglionError(Exception):
    """An error with its remedy.

    `what` is one sentence without a full stop; `where` a file, field, layer or column; `remedy` a command or an
    action. Empty parts are left out of the message.

    >>> print(DataError("this file is empty", where="marks.csv", remedy="save it again"))
    this file is empty
      where: marks.csv
      try: save it again
    """

    exit_code = 1

    def __init__(self, what: str, *, where: str = "", expected: str = "", found: str = "", remedy: str = "") -> None:
        super().__init__(what)
        self.what, self.where, self.expected = _line(what), _line(where), _line(expected)
        self.found, self.remedy = _line(found), _line(remedy)

    def __str__(self) -> str:
        parts = {"where": self.where, "expected": self.expected, "found": self.found, "try": self.remedy}
        return "\n".join([self.what, *(f"  {name}: {text}" for name, text in parts.items() if text)])


def _line(text: str) -> str:
    """Return a text as one line that any terminal can show: control characters spelt out, the middle of much left out.

    >>> _line("names\\x1b[31m\\nof\\0files")
    'names\\\\x1b[31m; of\\\\x00files'
    """
    if len(text) > LONGEST_PART:
        text = f"{text[: LONGEST_PART // 2]} ... {text[-LONGEST_PART // 2 :]}"
    return printable("; ".join(filter(None, map(str.strip, text.splitlines()))))


def printable(text: str) -> str:
    r"""Return a text that does nothing to a terminal but show: control characters and the like are spelt out.

    >>> print(printable("a\x1b[31mb"))
    a\x1b[31mb
    """
    return text if text.isprintable() else "".join(map(_spelt, text))


def _spelt(character: str) -> str:
    return character if character.isprintable() else character.encode("unicode_escape").decode("ascii")


class UsageError(GanglionError):
    """The command or the call is wrong; nothing was started."""

    exit_code = 2


class ConfigurationError(UsageError):
    """A configuration names an unknown field, or gives one a wrong type or an impossible value."""


class MissingExtraError(UsageError):
    """A feature needs an optional dependency that is not installed."""


class BegunError(UsageError):
    """A run was begun before, by processes that are no more; `where` says in which folder."""


class RequestError(UsageError):
    """A request over HTTP that is refused."""

    status = 400
    """What HTTP calls it."""
    headers: dict[str, str] = {}  # noqa: RUF012  replaced, never changed


class DataError(GanglionError):
    """Data that cannot be read, or that would make training meaningless."""


class ShapeError(GanglionError):
    """A network was given an input of a shape that it cannot take."""


class CheckpointError(GanglionError):
    """A run folder or a checkpoint is missing, damaged, locked or from another system."""


class NonFiniteError(GanglionError):
    """A loss or a gradient stopped being a number; raised before the update is applied."""


class CollapseError(GanglionError):
    """A generator draws nearly the same thing again and again."""


class PrunedError(GanglionError):
    """A trial of a study is not worth going on with."""


class ExportError(GanglionError):
    """A file that was exported does not answer as its network does."""


class ResourceError(GanglionError):
    """Memory ran out, or something that was waited for did not come in time."""


class ProcessError(GanglionError):
    """Another of the processes that learn one model together has ended, or cannot be reached."""
