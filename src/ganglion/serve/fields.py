"""The fields of a question as others may set them: typed, bounded, and none that names a file of this machine."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, Self, final, get_args, get_origin, get_type_hints

from ganglion.errors import ConfigurationError, UsageError
from ganglion.files import parse_json
from ganglion.serve.limits import Limits
from ganglion.settings import field_documentation, unknown_name
from ganglion.tasks.questions import FILE, Given, MaybeGiven, Said

SEED = "seed"


@final
@dataclasses.dataclass(frozen=True)
class Field:
    """A field of a question that may be set over HTTP."""

    name: str
    kind: Any
    """Its type without bounds."""
    help: str
    default: Any
    most: int | None = None
    """Largest whole number that it may be."""

    @property
    def public(self) -> str:
        """Its name in a request; one that is a word of Python has no stroke behind it."""
        return self.name.removesuffix("_")

    @property
    def options(self) -> tuple[Any, ...]:
        """The types that its value may have, without None."""
        several = get_args(self.kind) if get_origin(self.kind) not in (None, tuple, Literal) else (self.kind,)
        return tuple(one for one in several if one is not type(None))

    def value(self, value: Any) -> Any:
        """Return a value of JSON as the task takes it; raise `ConfigurationError` for a number that is too large."""
        if self.most is not None and isinstance(value, int) and value > self.most:
            raise ConfigurationError(f"{self.public} must be at most {self.most}", where=self.public, found=str(value))
        if isinstance(value, str) and str in self.options:
            return Said(value)
        if isinstance(value, list) and all(isinstance(one, str) for one in value):
            return [Said(one) for one in value]
        return value

    def of_text(self, texts: Sequence[str]) -> Any:
        """Return the value that words of an address mean."""
        if any(get_origin(option) is tuple for option in self.options):
            return self.value(list(texts))
        (text, *_) = texts
        if str in self.options or any(get_origin(option) is Literal for option in self.options):
            try:
                return self.value(parse_json(text)) if str not in self.options else self.value(text)
            except ValueError:
                return self.value(text)
        try:
            return self.value(parse_json(text))
        except ValueError as error:
            raise UsageError(
                "this is no value", where=self.public, found=text, expected="a number, true or false"
            ) from error


@final
@dataclasses.dataclass(frozen=True)
class Options:
    """All fields of a question."""

    fields: dict[str, Field]
    """By their public names."""
    about: str | None
    """The field that holds what is asked about."""
    required: bool
    """Whether nothing can be asked without it."""

    @classmethod
    def of(cls, question: type, limits: Limits) -> Self:
        """Return the fields of a class of questions, without those that name files."""
        plain, full = get_type_hints(question), get_type_hints(question, include_extras=True)
        sentences = field_documentation(question)
        fields: dict[str, Field] = {}
        about, required = None, False
        for field in dataclasses.fields(question):
            if full[field.name] in (Given, MaybeGiven):
                about, required = field.name, full[field.name] == Given
            elif not names_file(full[field.name]):
                default = field.default
                most = max(limits.largest_number, default if isinstance(default, int) else 0)
                whole = int in (plain[field.name], *get_args(plain[field.name])) and field.name != SEED
                help = " ".join(sentences[field.name].split())
                known = Field(field.name, plain[field.name], help, default, most if whole else None)
                fields[known.public] = known
        return cls(fields, about, required)

    def of_json(self, values: dict[str, Any]) -> dict[str, Any]:
        """Return the fields that an object sets, by their names in the question."""
        return {self._known(name).name: self._known(name).value(value) for name, value in values.items()}

    def of_query(self, pairs: Sequence[tuple[str, str]], others: Sequence[str] = ()) -> dict[str, Any]:
        """Return the fields that an address sets; `others` are texts that no question has."""
        by_name: dict[str, list[str]] = {}
        for name, text in pairs:
            by_name.setdefault(name, []).append(text)
        options: dict[str, Any] = {}
        for name, texts in by_name.items():
            if name in others and name not in self.fields:
                options[name] = texts[0]
            else:
                options[self._known(name).name] = self._known(name).of_text(texts)
        return options

    def _known(self, name: str) -> Field:
        if name not in self.fields:
            raise unknown_name("field", name, [*([self.about] if self.about else []), *self.fields])
        return self.fields[name]


def names_file(hint: Any) -> bool:
    """Return whether a value of a type names a file of this machine, to read or to write.

    >>> from ganglion.tasks.questions import FileName
    >>> names_file(Path | None), names_file(FileName | None), names_file(str)
    (True, True, False)
    """
    return hint is Path or FILE in getattr(hint, "__metadata__", ()) or any(map(names_file, get_args(hint)))
