"""What every kind of task can be asked, known without its code: `tasks/facts/NAME.json`, written by `make facts`.

`ganglion VERB --help` and the flags of a verb are read from these files, so that they cost no import of torch.
"""

import dataclasses
import inspect
import json
import sys
from functools import cache
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from ganglion import tasks
from ganglion.runs.facts import type_text
from ganglion.settings import Bound, field_documentation
from ganglion.tasks.questions import Conversation, Given, MaybeGiven

FOLDER = Path(tasks.__file__).parent / "facts"


def path(name: str) -> Path:
    """Return the file of a kind of task's facts."""
    return FOLDER / f"{name}.json"


@cache
def load(name: str) -> dict[str, Any]:
    """Return the facts of a kind of task as they were generated; one that never was has them worked out on the spot."""
    file = path(name)
    return dict(json.loads(file.read_text(encoding="utf-8"))) if file.exists() else make(name)


def make(name: str) -> dict[str, Any]:
    """Work out the facts of a kind of task from its code: what it takes and measures, its verbs and their questions."""
    task = tasks.find(name)
    return {
        "name": task.name,
        "summary": inspect.getdoc(task).partition("\n")[0],  # type: ignore[union-attr]
        "reads": list(task.reads),
        "takes": task.takes,
        "measures": [dataclasses.asdict(measure) for measure in task.measures],
        "verbs": {verb: question(cls) for verb, cls in task.verbs.items()},
        "next_step": task.next_step,
    }


def question(cls: type) -> dict[str, Any]:
    """Return what a question asks for: one entry a field, from which its flag is made.

    `given` fields are words without a flag, a `conversation` is asked for line by line, and `bounds` say what numbers
    must be.
    """
    plain, full = get_type_hints(cls), get_type_hints(cls, include_extras=True)
    sentences = field_documentation(cls)
    fields = []
    for field in dataclasses.fields(cls):
        is_given = full[field.name] in (Given, MaybeGiven)
        default = None if field.default is dataclasses.MISSING else field.default
        default = list(default) if isinstance(default, tuple) else default  # as JSON gives it back
        fields.append(
            {
                "name": field.name,
                "type": "tuple[str, ...]" if is_given else type_text(plain[field.name]),
                "default": default,
                "optional": default is None,
                "given": is_given,
                "conversation": full[field.name] == Conversation,
                "bounds": [] if is_given else bounds(full[field.name]),
                "help": " ".join(sentences[field.name].split()),
            }
        )
    return {"summary": inspect.getdoc(cls), "fields": fields}


def bounds(hint: Any) -> list[str]:
    """Return what a value of a type must be beyond its type.

    >>> from typing import Annotated
    >>> from ganglion.settings import at_least
    >>> bounds(Annotated[int, at_least(1)] | None)
    ['at least 1']
    """
    inner = [bound for option in get_args(hint) for bound in bounds(option)] if get_origin(hint) else []
    return [*inner, *(extra.words for extra in getattr(hint, "__metadata__", ()) if isinstance(extra, Bound))]


def text(name: str) -> str:
    """Return the contents that the file of a kind of task's facts should have."""
    return json.dumps(make(name), indent=1, ensure_ascii=False) + "\n"


def main(names: list[str]) -> None:
    """Write the facts of the kinds of task of these names, of all where none is given."""
    FOLDER.mkdir(exist_ok=True)
    for name in names or tasks.names():
        path(name).write_text(text(name), encoding="utf-8")
        print(f"wrote {path(name)}")


if __name__ == "__main__":
    main(sys.argv[1:])
