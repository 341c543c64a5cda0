"""Rows that are kept by columns are what an array of objects is, and known by what earlier versions knew them by."""

from pathlib import Path

import numpy as np
import pytest

from ganglion.data.catalogue import read
from ganglion.data.dataset import Dataset
from ganglion.data.digests import digests, table_fingerprint
from ganglion.data.fields import Field
from ganglion.data.mixed_rows import MixedRows
from ganglion.data.preprocessing.rows import TabularPreprocessing
from ganglion.data.settings import DataSettings
from ganglion.data.splits import split

COLUMNS = [np.array([1.5, np.nan, -0.0]), np.array(["red", None, "blue"], dtype=object)]
WRITTEN = np.array([[1.5, "red"], [np.nan, None], [-0.0, "blue"]], dtype=object)
PETS = "".join(
    f"{n % 7 + 0.5},{['red', 'green', ''][n % 3]},{'' if n % 11 == 0 else n * 0.25},{['cat', 'dog'][n % 2]}\n"
    for n in range(40)
)
NUMBERS = "".join(f"{n % 7 + 0.1},{n * 0.3 + 0.01},{n * 1.7 + 0.001}\n" for n in range(40))


def test_they_are_what_an_array_of_objects_is() -> None:
    rows = MixedRows(COLUMNS)
    assert repr(np.asarray(rows).tolist()) == repr(WRITTEN.tolist()) == repr(rows.tolist())
    assert [row.tolist() for row in rows][2] == rows[2].tolist() == rows[-1].tolist() == [-0.0, "blue"]
    assert rows[:, 1].tolist() == ["red", None, "blue"] and rows[1:].tolist()[1] == [-0.0, "blue"]
    assert digests(rows, 3).tolist() == digests(WRITTEN, 3).tolist()
    assert Field(kind="rows", values=rows).take(np.array([2])).values.tolist() == [[-0.0, "blue"]]
    fitted = TabularPreprocessing.fit(rows)
    assert fitted == TabularPreprocessing.fit(WRITTEN)
    assert fitted(rows).equal(fitted(WRITTEN))


def test_they_are_divided_as_an_array_of_objects() -> None:
    random = np.random.default_rng(0)
    rows = MixedRows([random.normal(size=200), np.array(["a", "b"] * 100, dtype=object)])
    targets = np.arange(200) % 2
    one, other = (
        split(Dataset.of(name="", kind="tabular", inputs=values, targets=targets), DataSettings(), 0)
        for values in (rows, np.asarray(rows))
    )
    assert [part.index.tolist() for part in one.values()] == [part.index.tolist() for part in other.values()]


@pytest.mark.parametrize(
    ("content", "known"),
    [
        ("size,colour,weight,kind\n" + PETS, "45ae86bea70292058f480e1935488a6a579b945f8954a4d31c1a2453a6934bc0"),
        ("a,b,y\n" + NUMBERS, "9d2ce92317d0f38c393d861c82e0cc073d7ebaf09001a8a7551d94bbc86d68b9"),
    ],
)
def test_runs_of_earlier_versions_know_their_table_again(content: str, known: str, tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text(content)
    dataset = read(str(path), DataSettings())
    assert (
        dataset.fingerprint != known and dataset.has_fingerprint(known) and dataset.has_fingerprint(dataset.fingerprint)
    )
    path.write_text(content.replace("0.5,", "0.75,").replace("0.1,", "0.2,"))
    changed = read(str(path), DataSettings())
    assert not changed.has_fingerprint(known) and not changed.has_fingerprint(dataset.fingerprint)


def test_a_fingerprint_tells_every_cell_apart() -> None:
    known = table_fingerprint(MixedRows(COLUMNS), np.array([0, 1, 1]))
    others = [
        table_fingerprint(MixedRows(COLUMNS), np.array([0, 1, 0])),
        table_fingerprint(MixedRows([COLUMNS[0], np.array(["red", "", "blue"], dtype=object)]), np.array([0, 1, 1])),
        table_fingerprint(MixedRows([COLUMNS[0], np.array(["rod", None, "blue"], dtype=object)]), np.array([0, 1, 1])),
        table_fingerprint(MixedRows([COLUMNS[0] + 1e-9, COLUMNS[1]]), np.array([0, 1, 1])),
        table_fingerprint(MixedRows(COLUMNS[::-1]), np.array([0, 1, 1])),
    ]
    assert len({known, *others}) == 6
