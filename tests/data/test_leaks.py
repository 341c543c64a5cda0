"""Columns that say the target are named, those that are only useful are not; what was read is said in plain words."""

from pathlib import Path

import numpy as np
import pytest

from ganglion.data.card import card, card_notes
from ganglion.data.catalogue import describe, read
from ganglion.data.check import check
from ganglion.data.formats.arrays import from_arrays
from ganglion.data.settings import DataSettings

RANDOM = np.random.default_rng(3)
CLASSES = RANDOM.integers(0, 3, 300)


def leaks(rows: object, targets: np.ndarray) -> list[str]:
    return [one.message for one in check(from_arrays(rows, targets)) if one.name == "leak"]


def test_a_column_that_says_the_class_is_named() -> None:
    noise = RANDOM.normal(size=(300, 2))
    assert leaks(noise, CLASSES) == []
    assert leaks(np.column_stack([noise, CLASSES * 7.5]), CLASSES) == [
        "column 'column 2' alone predicts the target almost perfectly"
    ]
    useful = CLASSES + RANDOM.normal(scale=0.4, size=300)
    assert leaks(np.column_stack([noise, useful]), CLASSES) == []


def test_a_column_that_says_the_quantity_is_named() -> None:
    values = RANDOM.normal(size=300)
    rows = np.column_stack([RANDOM.normal(size=300), -3 * values + 1])
    assert len(leaks(rows, values)) == 1
    assert leaks(np.column_stack([rows[:, 0], values + RANDOM.normal(size=300)]), values) == []
    assert leaks(rows[:90], values[:90]) == []  # too few rows to tell


def test_texts_and_the_order_of_rows_are_looked_at(tmp_path: Path) -> None:
    lines = [f"{n / 7:.3f},{'abc'[n // 50]}{n % 4},{'xyz'[n // 50]}" for n in RANDOM.permutation(150)]
    (tmp_path / "t.csv").write_text("size,code,kind\n" + "\n".join(lines))
    found = [one.message for one in check(read(tmp_path / "t.csv", DataSettings())) if one.name == "leak"]
    assert "column 'code' alone predicts the target almost perfectly" in found
    assert not any("order" in message for message in found)
    (tmp_path / "t.csv").write_text("size,code,kind\n" + "\n".join(sorted(lines, key=lambda line: line[-1])))
    found = [one.message for one in check(read(tmp_path / "t.csv", DataSettings())) if one.name == "leak"]
    assert any("order of the rows" in message for message in found)


@pytest.mark.parametrize("name", [one.name for one in describe() if one.kind == "tabular"])
def test_no_bundled_table_leaks(name: str) -> None:
    assert not any(one.name == "leak" for one in check(read(name, DataSettings())))


def test_the_card_says_what_was_read(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(
        "age,colour,y\n" + "".join(f"{n % 9},{['red', ''][n % 2]},{n % 2}\n" for n in range(40))
    )
    data = read(tmp_path / "t.csv", DataSettings())
    assert [list(row.values()) for row in card(data)] == [
        ["age", "numbers", "0 to 8", "", "0, 1, 2"],
        ["colour", "texts", "1 different", "20", "red"],
        ["y", "classes to predict", "2 different", "", "0 (20), 1 (20)"],
    ]
    assert "colour: texts, 1 different, 20 missing, such as red" in card_notes(data)
