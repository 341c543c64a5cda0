"""Settings: closed, typed, and back from JSON as they were."""

import json
from dataclasses import dataclass, field, replace
from typing import Annotated, Literal

import pytest

from ganglion.errors import ConfigurationError
from ganglion.settings import (
    SHARE,
    above,
    at_least,
    at_most,
    between,
    field_documentation,
    from_dict,
    settings,
    strictly_between,
    to_dict,
)


@dataclass(frozen=True, kw_only=True)
class Inner:
    rate: float = 0.1
    """How fast."""


@dataclass(frozen=True, kw_only=True)
class Outer:
    name: str = "x"
    """What it is called."""
    widths: tuple[int, ...] = (3, 4)
    """Units of each layer,
    first to last."""
    kind: Literal["a", "b"] = "a"
    size: int | Literal["all"] = 1
    limit: int | None = None
    inner: Inner = field(default_factory=Inner)
    flag: bool = False
    table: dict[str, float] = field(default_factory=dict)


def test_round_trip_through_json() -> None:
    settings = Outer(widths=(1,), size="all", inner=Inner(rate=2.0), table={"a": 1.0})
    assert from_dict(Outer, json.loads(json.dumps(to_dict(settings)))) == settings
    assert from_dict(Outer, {}) == Outer()
    assert from_dict(Outer, {"inner": {"rate": 3}}).inner.rate == 3.0


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"widhts": [1]}, "did you mean 'widths'"),
        ({"widths": 3}, "a list of a whole number"),
        ({"widths": [1, "2"]}, "a list of a whole number|a whole number"),
        ({"kind": "c"}, "one of 'a', 'b'"),
        ({"size": "some"}, "a whole number or one of 'all'"),
        ({"limit": 1.5}, "a whole number or nothing"),
        ({"flag": 1}, "true or false"),
        ({"name": None}, "text"),
        ({"inner": {"rat": 1}}, "did you mean 'rate'"),
        ({"inner": {"rate": True}}, "a number"),
        ({"inner": []}, "Inner"),
        ({"table": {"a": "b"}}, "a number"),
    ],
)
def test_wrong_values_are_refused_in_words(values: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        from_dict(Outer, values)


def test_every_field_has_its_sentence() -> None:
    documentation = field_documentation(Outer)
    assert documentation["name"] == "What it is called."
    assert documentation["widths"] == "Units of each layer,\nfirst to last."
    assert "kind" not in documentation


@settings
class Bounded:
    """Settings with bounds of every kind."""

    count: Annotated[int, at_least(1), at_most(9)] = 1
    """How many."""
    widths: tuple[Annotated[int, at_least(1)], ...] = (3,)
    pair: tuple[int, Annotated[int, at_least(0)]] = (-1, 0)
    size: Annotated[int, at_least(1)] | Literal["all"] = "all"
    limit: Annotated[int, at_least(1)] | None = None
    rate: Annotated[float, above(0)] = 0.1
    decay: Annotated[float, strictly_between(0, 1)] = 0.5
    floor: Annotated[float, between(0, 1)] = 1.0
    dropout: Annotated[float, SHARE] = 0.0

    def __post_init__(self) -> None:
        if self.count > 5 and self.limit:
            raise ConfigurationError("no limit beside so many")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"count": 0}, "count must be at least 1\n  found: 0"),
        ({"count": 10}, "count must be at most 9"),
        ({"widths": (2, 0)}, "widths must be at least 1"),
        ({"pair": (0, -1)}, "pair must be at least 0"),
        ({"size": 0}, "size must be at least 1"),
        ({"limit": 0}, "limit must be at least 1"),
        ({"rate": 0.0}, "rate must be above 0"),
        ({"decay": 1.0}, "decay must be above 0 and below 1"),
        ({"floor": 1.1}, "floor must be between 0 and 1"),
        ({"dropout": 1.0}, "dropout must be from 0 to below 1"),
        ({"count": 6, "limit": 2}, "no limit beside so many"),
    ],
)
def test_bounds_hold_however_settings_are_made(values: dict[str, object], words: str) -> None:
    for make in (lambda: Bounded(**values), lambda: from_dict(Bounded, values), lambda: replace(Bounded(), **values)):  # type: ignore[arg-type]
        with pytest.raises(ConfigurationError) as caught:
            make()
        assert words in str(caught.value)


def test_what_keeps_within_its_bounds_is_taken() -> None:
    good = Bounded(count=9, widths=(), size="all", limit=None, floor=0, dropout=0.99)
    assert from_dict(Bounded, to_dict(good)) == good
    assert field_documentation(Bounded) == {"count": "How many."}
    with pytest.raises(ConfigurationError, match="rate must be above 0"):
        Bounded(rate=float("nan"))
    with pytest.raises(TypeError):
        Bounded(3)  # type: ignore[misc]
