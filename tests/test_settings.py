"""Settings: closed, typed, and back from JSON as they were."""

import json
from dataclasses import dataclass, field
from typing import Literal

import pytest

from ganglion.errors import ConfigurationError
from ganglion.settings import field_documentation, from_dict, to_dict


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
