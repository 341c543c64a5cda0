"""What the questions of tasks are made of.

A question is a class with `@settings` (`ganglion.settings`) in the file of the task that answers it, with a sentence
under each field and bounds in its types. Its fields become flags of the command line and arguments in Python. A field
of type `Given` is what is asked about, words without a flag (`MaybeGiven` where there may be none); a field of type
`Path` names a file to write beside the answer, one of type `FileName` a file or folder to read. A field of type
`Conversation` is talked about.
"""

from collections.abc import Iterable, Sequence
from typing import Annotated, Any, final

from ganglion.errors import UsageError
from ganglion.settings import Bound

Given = Annotated[Sequence[Any], Bound("at least one path, text or array", lambda values: len(values) > 0)]
"""Paths, texts or arrays that a question is about."""
MaybeGiven = Annotated[Sequence[Any], "none, or paths or arrays"]
"""The same for a question that can do without; `()` is its default."""

FILE = "file"
FileName = Annotated[str, FILE]
"""A file or folder of this machine; a stranger cannot name one."""

TURNS = "turns"
Conversation = Annotated[tuple[str, ...], TURNS]
"""All that was said so far, by turns. A terminal asks for more of it until its input ends, unless the flag is given."""


@final
class Said(str):
    """A text that means itself even where a file is called so: whoever sends it may not read files of this machine."""

    __slots__ = ()


def unable(verb: str, task: str, verbs: Iterable[str]) -> UsageError:
    """Return the error for a verb that is not among those of a kind of task."""
    return UsageError(f"this run cannot {verb}", found=f"a {task} task", expected=", ".join(verbs))
