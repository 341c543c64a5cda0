"""Every error a user can cause, each saying what, where, expected and found, and what to do next."""


class GanglionError(Exception):
    """An error with its remedy.

    `what` is one sentence without a full stop; `where` a file, field, layer or column; `remedy` a command or an
    action. Empty parts are left out of the message.
    """

    exit_code = 1

    def __init__(self, what: str, *, where: str = "", expected: str = "", found: str = "", remedy: str = "") -> None:
        self.what, self.where, self.expected, self.found, self.remedy = what, where, expected, found, remedy
        parts = {"where": where, "expected": expected, "found": found, "try": remedy}
        super().__init__("\n".join([what, *(f"  {name}: {text}" for name, text in parts.items() if text)]))


class UsageError(GanglionError):
    """The command or the call is wrong; nothing was started."""

    exit_code = 2


class ConfigurationError(UsageError):
    """A configuration names an unknown field, or gives one a wrong type or an impossible value."""


class MissingExtraError(UsageError):
    """A feature needs an optional dependency that is not installed."""


class DataError(GanglionError):
    """Data that cannot be read, or that would make training meaningless."""


class ShapeError(GanglionError):
    """A network was given an input of a shape that it cannot take."""


class CheckpointError(GanglionError):
    """A run folder or a checkpoint is missing, damaged, locked or from another system."""


class NonFiniteError(GanglionError):
    """A loss or a gradient stopped being a number; raised before the update is applied."""
