"""Chance against every reader: it refuses in words or reads, but never crashes, hangs or shows a traceback."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ganglion.data.check import check
from ganglion.data.digests import digests
from ganglion.data.formats.arrays import from_arrays
from ganglion.data.formats.images.files import MOST_PIXELS
from ganglion.data.formats.tables import read_table
from ganglion.data.preprocessing import ImagePreprocessing, TabularPreprocessing
from ganglion.data.settings import DataSettings
from ganglion.errors import ConfigurationError, DataError, GanglionError
from ganglion.files import parse_json
from ganglion.models import INDEX, System
from ganglion.settings import from_dict, to_dict
from ganglion.training.settings import TrainerSettings
from tests.hostile.bounded import MOST_BYTES, attempt
from tests.hostile.mutation import READERS, fuzz

BLOCK = 500
"""Files that one process reads."""


@pytest.mark.parametrize("reader", READERS)
def test_a_hundred_broken_files(reader: str, tmp_path: Path) -> None:
    broken(reader, 0, 100, tmp_path)


@pytest.mark.full
@pytest.mark.parametrize("reader", READERS)
def test_ten_thousand_broken_files(reader: str, tmp_path: Path) -> None:
    for start in range(100, 10_100, BLOCK):
        broken(reader, start, BLOCK, tmp_path)


def broken(reader: str, seed: int, count: int, folder: Path) -> None:
    outcome = attempt(fuzz, reader, seed, count, folder, patience=300)
    assert not outcome.defect, outcome.defect
    assert outcome.error is None
    assert outcome.bytes < max(MOST_BYTES, 12 * MOST_PIXELS), f"{outcome.bytes >> 20} MB"


BRIEF = settings(
    max_examples=100, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
CLASSES = [DataSettings, TrainerSettings, *(system.load().Config for system in INDEX)]


@BRIEF
@given(st.sampled_from(CLASSES), st.data())
def test_settings_of_any_value_are_built_or_refused(cls: type, data: st.DataObject) -> None:
    fields = sorted(to_dict(cls()))
    values = data.draw(st.dictionaries(st.sampled_from(fields) | st.text(max_size=8), JSON, max_size=3))
    try:
        made = from_dict(cls, values)
    except ConfigurationError as error:
        assert len(str(error).splitlines()) > 1
    else:
        assert from_dict(cls, to_dict(made)) == made


@BRIEF
@given(JSON)
def test_json_is_read_as_it_was_written_or_refused(value: Any) -> None:
    import json

    text = json.dumps(value)
    try:
        assert parse_json(text) == json.loads(text)
    except ValueError:
        assert "NaN" in text or "Infinity" in text or "\\ud" in text or max(map(len, text.split())) > 40


@BRIEF
@given(st.lists(st.lists(st.text(max_size=6), min_size=2, max_size=2), min_size=3, max_size=20))
def test_tables_of_any_text_are_read_or_refused(tmp_path: Path, rows: list[list[str]]) -> None:
    path = tmp_path / "t.csv"
    quoted = ((cell.replace('"', '""') for cell in row) for row in rows)
    path.write_bytes("\n".join(",".join(f'"{cell}"' for cell in row) for row in quoted).encode("utf-8", "replace"))
    try:
        table = read_table(path)
    except DataError as error:
        assert error.where
    else:
        assert len(set(table.names)) == len(table.names)
        assert {len(column) for column in table.columns} == {len(table)}


ANY = st.floats(width=64) | st.integers(-(2**70), 2**70) | st.booleans() | st.none() | st.text(max_size=3)


@BRIEF
@given(st.lists(st.lists(ANY, min_size=2, max_size=2), min_size=1, max_size=12))
def test_rows_of_any_cells_become_finite_numbers_or_are_refused(rows: list[list[Any]]) -> None:
    raw = np.empty((len(rows), 2), dtype=object)
    for place, row in enumerate(rows):
        raw[place] = row
    try:
        fitted = TabularPreprocessing.fit(raw)
        made = fitted(raw)
    except GanglionError as error:
        assert len(str(error).splitlines()) > 1
    else:
        assert made.isfinite().all() and made.shape == (len(rows), len(fitted.features))


@BRIEF
@given(
    st.sampled_from([np.uint8, np.int32, np.float16, np.float32, np.float64, np.bool_, "U2", object, "M8[s]", complex]),
    st.lists(st.integers(0, 4), max_size=5),
    st.sampled_from([0, 1, -1, 255, 256, math.nan, math.inf]),
)
def test_arrays_of_any_shape_are_data_or_refused(kind: Any, shape: list[int], value: Any) -> None:
    with np.errstate(all="ignore"):
        try:
            array = np.full(shape, value).astype(kind)
        except (ValueError, OverflowError, TypeError, RuntimeWarning):
            return
    try:
        dataset = from_arrays(array)
        findings = check(dataset)
        assert len(digests(dataset.inputs)) == len(dataset)
        if dataset.kind == "image" and len(dataset):
            assert ImagePreprocessing.fit(dataset.inputs)(dataset.inputs).isfinite().all()
    except GanglionError as error:
        assert len(str(error).splitlines()) > 1
    else:
        assert all(finding.message for finding in findings)


@pytest.mark.parametrize("system", INDEX, ids=lambda system: system.name)
def test_configurations_survive_json(system: System) -> None:
    config = system.load().TINY
    assert from_dict(type(config), to_dict(config)) == config
