"""Findings are the same thing in a sentence, as JSON and in a table, whatever their texts and numbers hold."""

import json

from ganglion import tables
from ganglion.findings import Finding, worst_first

SOUND = Finding(name="healthy", level="info", message="all is well")
FULL = Finding(
    name="collapse",
    level="stop",
    message="all pictures are alike",
    measure="diversity",
    value=float("nan"),
    threshold=0.25,
    since=1200,
    remedy="another seed",
    where=("a\x1b[31m.png", "b.png"),
)


def test_to_json_and_back() -> None:
    values = json.loads(json.dumps(FULL.to_dict(), allow_nan=False))
    assert values["value"] is None
    back = Finding.from_dict(values)
    assert (back.where, back.since, back.threshold) == (FULL.where, 1200, 0.25)
    assert Finding.from_dict(SOUND.to_dict()) == SOUND


def test_a_sentence_says_when_where_and_what_to_do() -> None:
    assert str(SOUND) == "info: all is well"
    sentence = "stop: all pictures are alike, since iteration 1200 (a\\x1b[31m.png, b.png)\n  try: another seed"
    assert str(FULL) == sentence


def test_the_worst_comes_first() -> None:
    warned = Finding(name="odd", level="warn", message="odd")
    assert [one.level for one in worst_first([SOUND, warned, FULL])] == ["stop", "warn", "info"]
    rows = tables.findings([SOUND, FULL]).rows
    assert [row[0] for row in rows] == ["stop", "info"]
    assert rows[0][3:6] == ("nan", "0.25", "1,200")
