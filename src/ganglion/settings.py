"""Configurations as data: frozen dataclasses to and from JSON, closed, typed, with a sentence for every field.

A configuration read from a file can only hold numbers, text and lists for fields that its class declares. Nothing in
it can name code. What a value must satisfy beyond its type is declared in the type and checked whenever one is made:

>>> @settings
... class Net:
...     widths: tuple[Annotated[int, at_least(1)], ...] = (8, 8)
...     dropout: Annotated[float, SHARE] = 0.0
>>> Net(widths=(3, 0))
Traceback (most recent call last):
ganglion.errors.ConfigurationError: widths must be at least 1
  found: 0
"""

import ast
import dataclasses
import difflib
import functools
import inspect
import math
import textwrap
import types
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import (
    Annotated,
    Any,
    Literal,
    ParamSpec,
    TypeVar,
    Union,
    dataclass_transform,
    get_args,
    get_origin,
    get_type_hints,
)

from ganglion.errors import ConfigurationError

LARGEST_INTEGER = 2**63 - 1
"""What tensors, sizes and seeds can hold."""
COMPARED = 200
"""Names, and characters of a name, among which a misspelt one is looked for: that takes the square of both."""

Settings = TypeVar("Settings")
Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


@dataclasses.dataclass(frozen=True)
class Bound:
    """What a value must satisfy, put beside its type: `Annotated[int, at_least(1)]`."""

    words: str
    """What is true of a good value, to be read after "must be"."""
    holds: Callable[[Any], bool]


def at_least(least: float) -> Bound:
    return Bound(f"at least {least}", lambda value: value >= least)


def at_most(most: float) -> Bound:
    return Bound(f"at most {most}", lambda value: value <= most)


def above(limit: float) -> Bound:
    return Bound(f"above {limit}", lambda value: value > limit)


def between(least: float, most: float) -> Bound:
    """Both ends are allowed."""
    return Bound(f"between {least} and {most}", lambda value: least <= value <= most)


def strictly_between(low: float, high: float) -> Bound:
    """Neither end is allowed."""
    return Bound(f"above {low} and below {high}", lambda value: low < value < high)


SHARE = Bound("from 0 to below 1", lambda value: 0 <= value < 1)
"""For a part of something of which a rest must stay, such as dropout."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Search:
    """Where `ganglion tune` looks for good values of a field, put beside its type like a bound.

    Numbers are looked for from `low` to `high`, or from a part of what training starts from to a multiple of it; widths
    of layers likewise, with so many layers from `layers`.
    """

    low: float | None = None
    high: float | None = None
    around: float | None = None
    """Factor between what training starts from and either end."""
    layers: tuple[int, int] | None = None
    """Fewest and most entries of a list of widths, which are then all alike."""
    choices: tuple[Any, ...] = ()
    usual: bool = False
    """It is looked for where the user names no fields."""

    def to_dict(self) -> dict[str, Any]:
        """Return what was declared as JSON values."""
        return {
            name: _plain(value)
            for name, value in vars(self).items()
            if value is not None and value != () and value is not False
        }


Count = Annotated[int, at_least(1)]
Share = Annotated[float, SHARE, Search(low=0.0, high=0.5)]
Dropout = Annotated[float, SHARE, Search(low=0.0, high=0.5, usual=True)]
Units = Annotated[Count, Search(around=4, usual=True)]
"""Neurons or channels of a layer."""
Layers = Annotated[Count, Search(low=1, high=3, usual=True)]
Widths = Annotated[tuple[Count, ...], Search(around=4, layers=(1, 3), usual=True)]
"""Neurons of each hidden layer."""


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(dataclasses.field,))
def settings(cls: type[Settings]) -> type[Settings]:
    """Make a class a frozen, keyword-only dataclass whose values satisfy the bounds in its types.

    What concerns several fields at once is for the class's own `__post_init__`, which comes after. Raises
    `ConfigurationError` naming the field, what it must be and what it is.
    """
    several = vars(cls).get("__post_init__", lambda self: None)

    def check(self: Any) -> None:
        for name, hint in _hints(self.__class__).items():
            _check_bounds(hint, getattr(self, name), name)
        several(self)

    cls.__post_init__ = check  # type: ignore[attr-defined]
    return dataclasses.dataclass(frozen=True, kw_only=True)(cls)


def bounded(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Check the bounds in the types of a function's arguments whenever it is called, as `settings` does of fields.

    >>> @bounded
    ... def walk(steps: Annotated[int, at_least(1)]) -> str:
    ...     return "step " * steps
    >>> walk(0)
    Traceback (most recent call last):
    ganglion.errors.ConfigurationError: steps must be at least 1
      found: 0
    """
    hints, signature = get_type_hints(function, include_extras=True), inspect.signature(function)

    @functools.wraps(function)
    def checked(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        for name, value in signature.bind(*args, **kwargs).arguments.items():
            _check_bounds(hints[name], value, name)
        return function(*args, **kwargs)

    return checked


@cache
def _hints(cls: type) -> dict[str, Any]:
    """Return the type of every field, with the bounds that stand beside it."""
    hints = get_type_hints(cls, include_extras=True)
    return {field.name: hints[field.name] for field in dataclasses.fields(cls)}


def _check_bounds(hint: Any, value: Any, name: str) -> None:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        _check_bounds(arguments[0], value, name)
        for bound in arguments[1:]:
            if isinstance(bound, Bound) and value is not None and not bound.holds(value):
                raise ConfigurationError(f"{name} must be {bound.words}", found=_text(value))
    elif origin in (Union, types.UnionType):
        words = [word for option in arguments if get_origin(option) is Literal for word in get_args(option)]
        if value is not None and value not in words:
            for option in arguments:
                _check_bounds(option, value, name)
    elif origin in (tuple, Sequence) and isinstance(value, tuple | list):  # and not another option of a union
        kinds = (arguments[0],) * len(value) if origin is Sequence or arguments[-1] is Ellipsis else arguments
        for kind, item in zip(kinds, value, strict=True):
            _check_bounds(kind, item, name)


def _text(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def to_dict(settings: Any) -> dict[str, Any]:
    """Return the fields as JSON values; nested settings become nested objects and tuples become lists."""
    return {field.name: _plain(getattr(settings, field.name)) for field in dataclasses.fields(settings)}


def from_dict(cls: type[Settings], values: dict[str, Any], *, where: str = "configuration") -> Settings:
    """Build `cls` from JSON values, refusing unknown names and wrong types.

    Missing fields keep their defaults. Raises `ConfigurationError` naming the field, what it takes and what it got.
    """
    if not isinstance(values, dict):
        raise ConfigurationError(
            "these are no settings", where=where, expected="names with values", found=_shown(values)
        )
    hints = get_type_hints(cls)
    fields = {field.name: field for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
    for name in values:
        if name not in fields:
            raise unknown_name("field", name, list(fields), where=f"{where} of {cls.__module__}")
    missing = [name for name, field in fields.items() if name not in values and _is_required(field)]
    if missing:
        raise ConfigurationError("settings are missing", where=where, expected=", ".join(missing))
    return cls(**{name: _typed(hints[name], value, f"{where}.{name}") for name, value in values.items()})


def unknown_name(kind: str, name: str, known: list[str], *, where: str = "") -> ConfigurationError:
    """Return the error for a name that does not exist, with the nearest one that does."""
    comparable = [other for other in known[:COMPARED] if len(other) <= COMPARED]
    near = difflib.get_close_matches(name[:COMPARED], comparable, n=1, cutoff=0.5)
    return ConfigurationError(
        f"unknown {kind} {name[:COMPARED]!r}",
        where=where,
        expected=f"one of {', '.join(known)}",
        remedy=f"did you mean {near[0]!r}?" if near else "",
    )


@cache
def searched(cls: type) -> dict[str, Search]:
    """Return what is declared beside the types of fields of where good values of them are looked for.

    >>> @settings
    ... class Net:
    ...     width: Annotated[int, Search(low=8, high=64)] = 32
    >>> searched(Net)["width"].to_dict()
    {'low': 8, 'high': 64}
    """
    found = {name: getattr(hint, "__metadata__", ()) for name, hint in _hints(cls).items()}
    return {name: one for name, beside in found.items() for one in reversed(beside) if isinstance(one, Search)}


@cache
def field_documentation(cls: type) -> dict[str, str]:
    """Return the sentence that stands under each field of a dataclass in its source."""
    sentences: dict[str, str] = {}
    for base in reversed(cls.__mro__[:-1]):
        body = ast.parse(textwrap.dedent(inspect.getsource(base))).body[0]
        assert isinstance(body, ast.ClassDef)
        for field, text in zip(body.body, body.body[1:], strict=False):
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(text, ast.Expr):
                sentences[field.target.id] = inspect.cleandoc(str(ast.literal_eval(text.value)))
    return sentences


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return to_dict(value)
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value


def _typed(hint: Any, value: Any, where: str) -> Any:
    """Return `value` as `hint` asks for, or raise with the field's path."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        for option in arguments:
            try:
                return _typed(option, value, where)
            except ConfigurationError:
                continue
    elif origin is Literal:
        if any(value == option and type(value) is type(option) for option in arguments):
            return value
    elif origin is tuple:
        if isinstance(value, list | tuple):
            kinds = (arguments[0],) * len(value) if arguments[-1] is Ellipsis else arguments
            if len(kinds) == len(value):
                return tuple(_typed(kind, item, where) for kind, item in zip(kinds, value, strict=True))
    elif origin is dict:
        if isinstance(value, dict) and all(isinstance(key, str) for key in value):
            return {key: _typed(arguments[1], item, f"{where}.{key}") for key, item in value.items()}
    elif dataclasses.is_dataclass(hint):
        if isinstance(value, hint):  # type: ignore[arg-type]
            return value
        if isinstance(value, dict):
            return from_dict(hint, value, where=where)  # type: ignore[arg-type]
    elif origin is Sequence:  # of anything, as it is
        if not isinstance(value, str):
            return value
    elif hint is Path:
        if isinstance(value, str | Path):
            return Path(value)
    elif hint is float:
        if isinstance(value, int | float) and not isinstance(value, bool) and _is_finite(value):
            return float(value)
    elif hint is int:
        if type(value) is int and abs(value) <= LARGEST_INTEGER:
            return value
    elif hint is Any or type(value) is hint or (hint is str and isinstance(value, str)):
        return value
    raise ConfigurationError(
        f"{where} has a value of the wrong kind", expected=describe_type(hint), found=_shown(value)
    )


def _is_required(field: Any) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # A whole number beyond what floating point can hold.
        return False


def _shown(value: Any) -> str:
    """Return a value and its kind, however long or deep it is."""
    try:
        return f"{value!r:.80} ({type(value).__name__})"
    except (RecursionError, ValueError):  # Python refuses to print numbers of thousands of digits.
        return type(value).__name__


def describe_type(hint: Any) -> str:
    """Return a type in words a user can act on: `one of 'relu', 'tanh'`, `whole number`, `numbers`."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Literal:
        return "one of " + ", ".join(repr(option) for option in arguments)
    if origin in (Union, types.UnionType):
        return " or ".join(describe_type(option) for option in arguments)
    if origin is tuple:
        return f"a list of {describe_type(arguments[0])}"
    words = {int: "a whole number", float: "a number", bool: "true or false", str: "text", type(None): "nothing"}
    return (words | {Path: "a path"}).get(hint, getattr(hint, "__name__", str(hint)))
