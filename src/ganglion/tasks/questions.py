"""What the questions of tasks are made of.

A question is a class with `@settings` (`ganglion.settings`) in the file of the task that answers it, with a sentence
under each field and bounds in its types. Its fields become flags of the command line and arguments in Python. A field
of type `Given` is what is asked about, words without a flag; a field of type `Path` names a file to write beside the
answer. A field of type `Conversation` is talked about.
"""

from collections.abc import Iterable, Sequence
from typing import Annotated, Any

from ganglion.errors import UsageError
from ganglion.settings import Bound

Given = Annotated[Sequence[Any], Bound("at least one path, text or array", lambda values: len(values) > 0)]
"""Paths, texts or arrays that a question is about."""

TURNS = "turns"
Conversation = Annotated[tuple[str, ...], TURNS]
"""All that was said so far, by turns. A terminal asks for more of it until its input ends, unless the flag is given."""


def unable(verb: str, task: str, verbs: Iterable[str]) -> UsageError:
    """Return the error for a verb that is not among those of a kind of task."""
    return UsageError(f"this run cannot {verb}", found=f"a {task} task", expected=", ".join(verbs))
