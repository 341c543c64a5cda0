"""Published sets of all kinds as they are handed round: each is read with no flag, and as what it is."""

import os
from pathlib import Path

import numpy as np
import pytest

from ganglion.data.catalogue import ENTRIES, read
from ganglion.data.dataset import Kind
from ganglion.data.settings import DataSettings
from ganglion.errors import GanglionError

pytestmark = pytest.mark.data
needs_sets = pytest.mark.skipif(
    not os.environ.get("GANGLION_DATA"), reason="GANGLION_DATA names no folder with these sets"
)

TABLES = {  # samples, and classes or 0 for a quantity
    "abalone": (4177, 0),
    "banknote_authentication": (1372, 2),
    "breast-cancer-wisconsin": (699, 2),
    "glass": (214, 6),
    "ionosphere": (351, 2),
    "iris": (150, 3),
    "pima-indians-diabetes": (768, 2),
    "sonar": (208, 2),
    "wheat-seeds": (210, 3),
    "wine": (178, 3),
    "winequality-red": (1599, 6),
    "winequality-white": (4898, 7),
}
SERIES = {  # steps, the first value of the first column and the last
    "time-series/airline-passengers.csv": (144, 112, 432),
    "time-series/daily-min-temperatures.csv": (3650, 20.7, 13.0),
    "time-series/daily-total-female-births.csv": (365, 35, 50),
    "time-series/monthly-sunspots.csv": (2820, 58.0, 33.4),
    "finance/vix-daily.csv": (None, 17.24, None),
}
OTHERS: list[tuple[str, Kind, int, int]] = [  # samples, and those of a test part
    ("rt-polarity", "documents", 10662, 0),
    ("sst/stsa.binary.train", "documents", 6920, 0),
    ("ag-news", "documents", 7600, 0),
    ("isbi2012-em", "image-masks", 30, 0),
    ("facades", "image-pairs", 80, 106),
    ("kodak", "image", 24, 0),
    ("bsds500", "image", 300, 200),
]


def folder(name: str) -> Path:
    path = Path(os.environ["GANGLION_DATA"]) / name
    if not path.exists():
        pytest.skip(f"{name} is not in GANGLION_DATA")
    return path


@needs_sets
@pytest.mark.parametrize("name", TABLES)
def test_tables(name: str) -> None:
    dataset = read(folder(f"tabular/{name}.csv"), DataSettings())
    assert (len(dataset), len(dataset.fields["targets"].names)) == TABLES[name] or (
        dataset.fields["targets"].kind == "values" and TABLES[name] == (len(dataset), 0)
    )


@needs_sets
@pytest.mark.parametrize("name", SERIES)
def test_series(name: str) -> None:
    values = np.asarray(read(folder(name), DataSettings(), kind="series").fields["inputs"].values)
    steps, first, last = SERIES[name]
    assert values[0, 0] == first
    assert last is None or (len(values), values[-1, 0]) == (steps, last)


@needs_sets
@pytest.mark.parametrize(("name", "kind", "samples", "test"), OTHERS, ids=lambda value: str(value))
def test_others(name: str, kind: Kind, samples: int, test: int) -> None:
    dataset = read(folder(name), DataSettings(stream="yes"), kind=None if kind.startswith("image") else kind)
    tested = len(next(iter(dataset.test_fields.values()))) if dataset.test_fields else 0
    assert (dataset.kind, len(dataset), tested) == (kind, samples, test)


@needs_sets
@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("sst", "documents", "several sets"),
        ("finance", None, "several files"),
    ],
)
def test_what_is_not_one_set_is_refused(name: str, kind: Kind | None, words: str) -> None:
    with pytest.raises(GanglionError, match=words):
        read(folder(name), DataSettings(), kind=kind)


@needs_sets
def test_recorded_words_are_known_by_the_names_of_their_files() -> None:
    dataset = read(folder("fsdd"), DataSettings())
    assert dataset.kind == "sounds" and dataset.fields["targets"].names == tuple("0123456789")
    assert len(dataset) == 1500 and "guessed from what the names begin with" in dataset.notes[0]


@needs_sets
def test_tunes_are_tunes_and_one_text_where_that_is_wanted() -> None:
    tunes = read(folder("nottingham"), DataSettings())
    assert (tunes.kind, len(tunes)) == ("tunes", 1029) and "1,032 tunes in ABC" in tunes.notes[0]
    (text,) = read(folder("nottingham"), DataSettings(), kind="text").fields["inputs"].values
    assert text.count("X:") > 1000 and "GNU" not in text


@pytest.mark.parametrize("name", [entry.name for entry in ENTRIES if entry.origin != "published"])
def test_every_set_with_a_name_is_read(name: str) -> None:
    dataset = read(name, DataSettings())
    assert dataset.kind == next(entry.kind for entry in ENTRIES if entry.name == name) and len(dataset)
