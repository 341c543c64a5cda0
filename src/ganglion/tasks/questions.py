"""What the questions of tasks are made of.

A question is a class with `@settings` (`ganglion.settings`) in the file of the task that answers it, with a sentence
under each field and bounds in its types. Its fields become flags of the command line and arguments in Python. A field
of type `Given` is what is asked about, words without a flag; a field of type `Path` names a file to write beside the
answer.
"""

from collections.abc import Sequence
from typing import Annotated, Any

from ganglion.settings import Bound

Given = Annotated[Sequence[Any], Bound("at least one", lambda values: len(values) > 0)]
"""Paths, texts or arrays that a question is about."""
