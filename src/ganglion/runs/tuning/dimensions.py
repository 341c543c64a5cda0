"""Where good values are looked for: ranges and choices of fields, declared, derived or given; no torch here."""

import ast
import math
import types
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self, Union, get_args, get_origin

from ganglion.errors import ConfigurationError, UsageError
from ganglion.models import System
from ganglion.runs import task_facts
from ganglion.runs.facts import type_of
from ganglion.settings import LARGEST_INTEGER, unknown_name

DECADE = 10
"""Factor between the ends of a range from which on it is looked through by factors, not by differences."""
DIGITS = 3
"""Significant digits of numbers that are tried: what is printed can be typed."""
LENGTHS = {"epochs", "steps", "minutes"}
"""A run has one of them."""
USUAL = "usual"
"""Stands for all fields that are looked through where none is named."""
FOLLOWS_FROM_DATA = (
    *("in_features", "in_channels", "num_classes", "out_features", "vocabulary_size", "target_vocabulary_size"),
    *("num_actions", "num_states", "num_samples"),
)
SAME_FOR_ALL = (
    *("form", "seed", "device", "threads", "deterministic", "workers"),
    *("folds", "fold", "monitor", "test", "validation"),
)
"""Fields that decide what is compared or where, not how well it learns."""


@dataclass(frozen=True, kw_only=True)
class Axis:
    """One number or choice that is drawn."""

    name: str
    low: float = 0.0
    high: float = 0.0
    whole: bool = False
    choices: tuple[Any, ...] = ()

    @property
    def is_log(self) -> bool:
        """Whether factors count, and not differences: where the range is positive and spans a decade."""
        return not self.choices and self.low > 0 and self.high / self.low >= DECADE

    @property
    def count(self) -> float:
        """How many values there are."""
        return len(self.choices) or (self.high - self.low + 1 if self.whole else math.inf)

    def rounded(self, value: Any) -> Any:
        """Return a number with few digits, within the range."""
        if self.choices or self.whole:
            return value
        return min(self.high, max(self.low, float(f"{value:.{DIGITS}g}")))

    def inside(self, value: Any) -> Any:
        """Return the value of this axis that is nearest to one which may lie outside: what training starts from."""
        if self.choices:
            return value if value in self.choices else self.choices[0]
        nearest = min(self.high, max(self.low, self.low if value is None else value))
        return round(nearest) if self.whole else nearest


@dataclass(frozen=True, kw_only=True)
class Dimension:
    """A field, and where good values of it are looked for: a range, or choices.

    >>> learning_rate = Dimension(field="learning_rate", low=1e-4, high=1e-1)
    >>> str(learning_rate), learning_rate.axes[0].is_log
    ('0.0001 to 0.1, by factors', True)
    """

    field: str
    low: float = 0.0
    high: float = 0.0
    whole: bool = False
    layers: tuple[int, int] | None = None
    """Fewest and most entries of a list of equal widths; the range is then that of the widths."""
    choices: tuple[Any, ...] = ()
    start: Any = None
    """What training starts from."""

    @property
    def axes(self) -> tuple[Axis, ...]:
        """What is drawn for this field: a number or choice, for lists of widths how many and how wide."""
        if self.choices:
            return (Axis(name=self.field, choices=tuple(map(written, self.choices))),)
        if self.layers is None:
            return (Axis(name=self.field, low=self.low, high=self.high, whole=self.whole),)
        fewest, most = self.layers
        return (
            Axis(name=f"{self.field}: layers", low=fewest, high=most, whole=True),
            Axis(name=f"{self.field}: width", low=self.low, high=self.high, whole=True),
        )

    def value(self, drawn: Mapping[str, Any]) -> Any:
        """Return the value of the field from what was drawn for its axes."""
        if self.choices:
            return next(one for one in self.choices if written(one) == drawn[self.field])
        if self.layers is None:
            return drawn[self.field]
        layers, width = (drawn[axis.name] for axis in self.axes)
        return (width,) * layers

    def starting(self) -> dict[str, Any]:
        """Return the point of the axes that is nearest to what training starts from."""
        if self.choices:
            found: list[Any] = [written(self.start)]
        elif self.layers is None:
            found = [self.start]
        else:
            widths = self.start or (self.low,)
            found = [len(widths), math.exp(sum(map(math.log, widths)) / len(widths))]
        return {axis.name: axis.inside(value) for axis, value in zip(self.axes, found, strict=True)}

    def ends(self) -> tuple[Any, ...]:
        """Return values that a configuration must take if it takes all others."""
        if self.choices:
            return self.choices
        low, high = (int(end) if self.whole else end for end in (self.low, self.high))
        return (low, high) if self.layers is None else ((low,) * self.layers[0], (high,) * self.layers[1])

    def __str__(self) -> str:
        if self.choices:
            return ", ".join(map(written, self.choices))
        by = ", by factors" if self.axes[-1].is_log else ""
        span = f"{self.low:g} to {self.high:g}{by}"
        if self.layers is None:
            return span
        fewest, most = self.layers
        return f"{fewest if fewest == most else f'{fewest} to {most}'} layers of {span}"

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return dict(vars(self))

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Rebuild a dimension from what `to_dict` returned, after it went through JSON."""
        layers = values["layers"]
        return cls(
            **{
                **values,
                "layers": None if layers is None else (int(layers[0]), int(layers[1])),
                "choices": tuple(_unlisted(one) for one in values["choices"]),
                "start": _unlisted(values["start"]),
            }
        )


def searchable(system: System, fields: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the fields of a run, of which one that a system does not look at is not usual to look through."""
    looks = task_facts.load(system.task)["reads"] or "batch_size" in system.defaults
    return [{**field, "search": {}} if field["name"] == "batch_size" and not looks else field for field in fields]


def usual(fields: Iterable[Mapping[str, Any]], fixed: Iterable[str] = ()) -> list[Dimension]:
    """Return where good values of the usual fields lie: those that say so beside their types, and have a start.

    Args:
        fields: of a system, the trainer and the data, as facts know them, with what training starts from.
        fixed: names of fields that the user gave a value.
    """
    without = {*fixed, *(LENGTHS if not LENGTHS.isdisjoint(fixed) else ())}
    return [
        _declared(field)
        for field in fields
        if field.get("search", {}).get(USUAL) and field["name"] not in without and _has_start(field)
    ]


def parsed(texts: Sequence[str], fields: Sequence[Mapping[str, Any]], fixed: Iterable[str] = ()) -> list[Dimension]:
    """Return the dimensions that a user asks for, each once: `name`, `name=low..high` or `name=a,b,c`.

    >>> width = {"name": "width", "type": "int", "default": 64}
    >>> [str(one) for one in parsed(["width=8..32", "width=8,16,64"][:1], [width])]
    ['8 to 32']
    >>> [str(one) for one in parsed(["width"], [width])]
    ['16 to 256, by factors']
    """
    known, fixed = {field["name"]: field for field in fields}, set(fixed)
    found: dict[str, Dimension] = {}
    for text in texts:
        name, equals, values = text.partition("=")
        name = name.strip().removeprefix("--").replace("-", "_")
        if name == USUAL and not equals:
            for one in usual(fields, fixed):
                found.setdefault(one.field, one)
            continue
        _refuse(name, known, fixed)
        found[name] = _given(known[name], values.strip()) if equals else _declared(known[name])
    if not found:
        raise UsageError("nothing is searched for", remedy="leave --search out: the usual fields are then")
    return list(found.values())


def search_texts(search: Any) -> list[str]:
    """Return what a program asks for as the command line would: a dict of ranges and choices, or a list of texts.

    >>> search_texts({"learning_rate": (1e-4, 0.1), "activation": ["relu", "tanh"], "dropout": None})
    ['learning_rate=0.0001..0.1', 'activation=relu,tanh', 'dropout']
    """
    if isinstance(search, str):
        return search.split()
    if not isinstance(search, Mapping):
        return [str(one) for one in search]
    return [_text_of(str(name), where) for name, where in search.items()]


def _text_of(name: str, where: Any) -> str:
    if where is None:
        return name
    if isinstance(where, str):
        return f"{name}={where}"
    if isinstance(where, tuple) and len(where) == 2 and all(_is_number(end) for end in where):
        return f"{name}={where[0]!r}..{where[1]!r}"
    if isinstance(where, Sequence):
        return f"{name}={','.join(map(written, where))}"
    raise ConfigurationError(
        "this is no range and no list of choices", where=name, expected="(low, high), a list, or None", found=str(where)
    )


def _refuse(name: str, known: Mapping[str, Any], fixed: set[str]) -> None:
    """Raise where a field cannot be looked through."""
    if name not in known and name not in SAME_FOR_ALL:
        raise unknown_name("field", name, list(known), where="search")
    if name in FOLLOWS_FROM_DATA:
        raise UsageError("a size follows from the data", where=name, remedy="search for other fields")
    if name in SAME_FOR_ALL:
        raise UsageError("trials can only be compared where this is the same", where=name, remedy=f"fix it: --{name}")
    if name in fixed:
        raise UsageError("a field is given a value and searched for", where=name, remedy="do one or the other")


def written(value: Any) -> str:
    """Return a choice as it is typed: widths with an x between them, nothing as none.

    >>> written((64, 32)), written(None), written(True), written(0.5)
    ('64x32', 'none', 'true', '0.5')
    """
    if isinstance(value, tuple | list):
        return "x".join(map(written, value)) or "none"
    return str(value).lower() if value is None or isinstance(value, bool) else str(value)


def _declared(field: Mapping[str, Any]) -> Dimension:
    """Return where a field is looked through if nothing is said: as declared beside its type, or as that suggests."""
    name, start, declared = field["name"], _unlisted(field["default"]), field.get("search", {})
    kinds = _kinds(field)
    if choices := declared.get("choices") or _choices_of(kinds):
        return Dimension(field=name, choices=tuple(choices), start=start)
    whole, layers = int in kinds and float not in kinds, declared.get("layers")
    around = declared.get("around") or (None if "low" in declared else 4 if whole else DECADE)
    if around is None:
        low, high = declared["low"], declared["high"]
    elif layers or _is_number(start):
        middle = max(start, default=0) if layers else start
        low, high = _around(middle, around, whole)
    else:
        low, high = 0, 0
    if not low < high:
        raise UsageError(
            "where to look for this field is not known", where=name, remedy=f"say it: --search {name}=LOW..HIGH"
        )
    layers = None if layers is None else (layers[0], layers[1])
    return Dimension(field=name, low=low, high=high, whole=whole or layers is not None, layers=layers, start=start)


def _has_start(field: Mapping[str, Any]) -> bool:
    """Whether a range that is declared by a factor has something to go around."""
    declared, start = field["search"], field["default"]
    if "around" not in declared:
        return True
    return bool(start) if declared.get("layers") else _is_number(start) and start > 0


def _around(start: float, factor: float, whole: bool) -> tuple[float, float]:
    if whole:
        return max(1, round(start / factor)), round(start * factor)
    return float(f"{start / factor:.1g}"), float(f"{start * factor:.1g}")


def _given(field: Mapping[str, Any], text: str) -> Dimension:
    """Return a dimension as the user wrote it behind the name of the field."""
    name, start, kinds = field["name"], _unlisted(field["default"]), _kinds(field)
    is_list = any(get_origin(kind) is tuple for kind in kinds)
    if ".." not in text:
        choices = tuple(dict.fromkeys(_value(one.strip(), kinds, name) for one in text.split(",")))
        return Dimension(field=name, choices=choices, start=start)
    if not is_list:
        whole = int in kinds and float not in kinds
        low, high = _range(name, text, whole)
        return Dimension(field=name, low=low, high=high, whole=whole, start=start)
    count, times, widths = text.rpartition("x")
    if times:
        fewest, most = _range(name, count, True) if ".." in count else (_whole(name, count), _whole(name, count))
    else:
        fewest = most = max(1, len(start or ()))
    low, high = _range(name, widths, True)
    return Dimension(field=name, low=low, high=high, whole=True, layers=(int(fewest), int(most)), start=start)


def _range(name: str, text: str, whole: bool) -> tuple[float, float]:
    first, _, last = text.partition("..")
    low, high = _number(first), _number(last)
    if low is None or high is None or not low < high or (whole and not (low.is_integer() and high.is_integer())):
        raise ConfigurationError(
            "this is no range",
            where=f"search {name}",
            expected=f"{'whole ' * whole}numbers, the lower first, such as {'8..64' if whole else '0.01..0.1'}",
            found=text,
        )
    return (int(low), int(high)) if whole else (low, high)


def _whole(name: str, text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) <= LARGEST_INTEGER:
        raise ConfigurationError(
            "this is no number of layers", where=f"search {name}", expected="such as 1..3x16..256", found=text
        )
    return int(text)


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and abs(value) <= LARGEST_INTEGER else None


def _value(text: str, kinds: Sequence[Any], name: str) -> Any:
    """Return what a choice is that was typed, by the types that the field may have."""
    words = {"none": None, "true": True, "false": False}
    if not text:
        raise ConfigurationError(
            "a choice is empty", where=f"search {name}", expected="values with commas between them"
        )
    if any(get_origin(kind) is tuple for kind in kinds):
        return () if text == "none" else tuple(_literal(one) for one in text.split("x"))
    if text in words and (type(words[text]) in kinds):
        return words[text]
    return _literal(text) if {int, float} & set(kinds) else _option(text, kinds)


def _option(text: str, kinds: Sequence[Any]) -> Any:
    """Return the value of a field that takes certain words or numbers; others are refused later."""
    return next((one for kind in kinds for one in get_args(kind) if str(one) == text), text)


def _literal(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text


def _kinds(field: Mapping[str, Any]) -> list[Any]:
    """Return the types that a field may have."""
    kind = type_of(field["type"])
    return list(get_args(kind)) if get_origin(kind) in (Union, types.UnionType) else [kind]


def _choices_of(kinds: Sequence[Any]) -> tuple[Any, ...]:
    """Return all values of a field that has few: truth values and words."""
    if kinds == [bool]:
        return (False, True)
    return get_args(kinds[0]) if len(kinds) == 1 and get_origin(kinds[0]) is Literal else ()


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _unlisted(value: Any) -> Any:
    """Return lists as the tuples that they were before they went through JSON."""
    return tuple(map(_unlisted, value)) if isinstance(value, list | tuple) else value
