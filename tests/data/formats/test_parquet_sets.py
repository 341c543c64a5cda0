"""Folders of Parquet as engines write them, in memory and read group by group, against one table of the same rows."""

from pathlib import Path

import numpy as np
import pandas
import pyarrow
import pytest
from pyarrow import dataset as arrow_dataset
from pyarrow import parquet

from ganglion.data.catalogue import read
from ganglion.data.check import check, check_path
from ganglion.data.division import divide, row_keys
from ganglion.data.in_groups import InGroups
from ganglion.data.loaders.groups import GroupLoader
from ganglion.data.preprocessing import TabularPreprocessing, fit
from ganglion.data.settings import DataSettings
from ganglion.errors import DataError, UsageError

STREAM = DataSettings(stream="yes")
ROWS = 600


def table(rows: int = ROWS, seed: int = 0) -> pandas.DataFrame:
    draw = np.random.default_rng(seed)
    x = draw.normal(5.0, 3.0, size=(rows, 3))
    frame = pandas.DataFrame(x, columns=["a", "b", "c"])
    frame["shape"] = draw.choice(["round", "flat", "square"], rows)
    frame.loc[draw.choice(rows, 9, replace=False), "b"] = np.nan
    frame["label"] = np.where(x[:, 0] + x[:, 2] > 10, "yes", "no")
    return frame


def by_pandas(folder: Path, frame: pandas.DataFrame) -> None:
    for number, start in enumerate(range(0, len(frame), 250)):
        frame[start : start + 250].to_parquet(folder / f"{number:03d}.parquet", index=False, row_group_size=90)


def by_spark(folder: Path, frame: pandas.DataFrame) -> None:
    """As `df.write.parquet` leaves a folder."""
    for number, start in enumerate(range(0, len(frame), 200)):
        name = f"part-{number:05d}-7c51f0e2-c000.snappy.parquet"
        part = pyarrow.Table.from_pandas(frame[start : start + 200], preserve_index=False)
        parquet.write_table(part, folder / name, compression="snappy")
        (folder / f".{name}.crc").write_bytes(b"crc\0")
    (folder / "_SUCCESS").touch()
    (folder / "._SUCCESS.crc").write_bytes(b"crc\0")


def by_dask(folder: Path, frame: pandas.DataFrame) -> None:
    """As `to_parquet` of Dask leaves a folder, with what it says of all parts in files of their own."""
    collected: list = []
    for number, start in enumerate(range(0, len(frame), 200)):
        part = pyarrow.Table.from_pandas(frame[start : start + 200], preserve_index=False)
        parquet.write_table(part, folder / f"part.{number}.parquet", metadata_collector=collected)
        collected[-1].set_file_path(f"part.{number}.parquet")
    parquet.write_metadata(part.schema, folder / "_common_metadata")
    parquet.write_metadata(part.schema, folder / "_metadata", metadata_collector=collected)


def by_hive(folder: Path, frame: pandas.DataFrame) -> None:
    """As every engine divides a table by a column, whose values stand in the names of folders."""
    arrow = pyarrow.Table.from_pandas(frame, preserve_index=False)
    arrow_dataset.write_dataset(
        arrow, folder, format="parquet", partitioning=["shape"], partitioning_flavor="hive", max_rows_per_group=100
    )


WRITERS = {"pandas": by_pandas, "spark": by_spark, "dask": by_dask, "hive": by_hive}


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize("stream", ["yes", "no"])
def test_engines(tmp_path: Path, writer: str, stream: str) -> None:
    frame = table()
    WRITERS[writer](tmp_path, frame)
    found = read(tmp_path, DataSettings(stream=stream, target="label"))
    assert found.kind == "tabular" and set(found.column_names) == {"a", "b", "c", "shape"}
    assert isinstance(found.inputs, InGroups) == (stream == "yes")
    assert found.label_names == ("no", "yes")
    held = found.take(np.arange(len(found)))
    rows = dict(zip(found.column_names, held.inputs.T, strict=True))
    got = pandas.DataFrame(rows).assign(label=np.array(found.label_names)[held.targets])
    by = ["a", "c"]
    pandas.testing.assert_frame_equal(
        got.sort_values(by, ignore_index=True)[list(frame.columns)],
        frame.sort_values(by, ignore_index=True),
        check_dtype=False,
    )


def test_pattern_and_single_file(tmp_path: Path) -> None:
    by_pandas(tmp_path, table())
    some = read(tmp_path / "00[01].parquet", STREAM)
    assert len(some) == 500 and "2 Parquet files" in some.notes[0]
    assert len(read(str(tmp_path / "*.parquet"), DataSettings())) == ROWS
    assert len(read(tmp_path / "002.parquet", STREAM)) == 100


def test_measured_in_one_pass_as_at_once(tmp_path: Path) -> None:
    """The streamed preprocessing is what NumPy and the preprocessing in memory find on the same training rows."""
    by_pandas(tmp_path, table())
    found = read(tmp_path, STREAM)
    parts = divide(found, STREAM, seed=0).samples
    train = parts["train"].fields["inputs"]
    rows = train.values[:]
    streamed, whole = fit(train), TabularPreprocessing.fit(rows, train.names)
    assert isinstance(streamed, TabularPreprocessing)
    np.testing.assert_allclose(streamed.means, whole.means, rtol=1e-12)
    np.testing.assert_allclose(streamed.deviations, whole.deviations, rtol=1e-12)
    assert streamed.categories == whole.categories
    column = rows.T[0].astype(float)
    np.testing.assert_allclose(streamed.means[0], np.nanmean(column), rtol=1e-12)
    np.testing.assert_allclose(streamed.deviations[0], np.nanstd(column), rtol=1e-12)


def test_parts_follow_the_content(tmp_path: Path) -> None:
    """Other files and groups of the same rows give the same parts; equal rows never part; shares are about kept."""
    frame = pandas.concat([table(2000), table(2000)[:500]], ignore_index=True)
    (tmp_path / "a").mkdir(), (tmp_path / "b").mkdir()
    by_pandas(tmp_path / "a", frame)
    by_spark(tmp_path / "b", frame[::-1])
    sets = {}
    for name in "ab":
        found = read(tmp_path / name, STREAM)
        parts = divide(found, STREAM, seed=3).samples
        keys = {part: np.sort(row_keys(samples.fields["inputs"].values[:], 0)) for part, samples in parts.items()}
        sets[name] = keys
        index = np.concatenate([np.asarray(samples.index) for samples in parts.values()])
        assert np.array_equal(np.sort(index), np.arange(len(frame)))
        assert abs(len(parts["test"]) / len(frame) - 0.2) < 0.04
        assert abs(len(parts["validation"]) / len(frame) - 0.1) < 0.03
        assert not set(keys["train"]) & set(keys["test"]) and not set(keys["train"]) & set(keys["validation"])
    assert all(np.array_equal(sets["a"][part], sets["b"][part]) for part in sets["a"])


def test_limit_and_published_test_part(tmp_path: Path) -> None:
    for part, seed in (("train", 0), ("test", 1)):
        (tmp_path / part).mkdir()
        by_spark(tmp_path / part, table(seed=seed))
    found = read(tmp_path, STREAM)
    settings = DataSettings(stream="yes", limit=50)
    parts = divide(found, settings, seed=0).samples
    assert len(parts["test"]) == ROWS and 40 <= len(parts["train"]) <= 50
    in_memory = read(tmp_path, DataSettings())
    for column, other in zip(found.test_inputs.T, in_memory.test_inputs.T, strict=True):
        assert np.array_equal(column, other, equal_nan=column.dtype != object)
    assert np.array_equal(found.test_targets, in_memory.test_targets)


def loader(folder: Path, seed: int = 0, shuffle: bool = True) -> GroupLoader:
    found = read(folder, STREAM)
    parts = divide(found, STREAM, seed=0).samples
    train = parts["train"]
    fields = {name: (name, fit(one)) for name, one in train.fields.items()}
    return GroupLoader(train.index.chosen, fields, 32, seed, shuffle=shuffle, buffer=150)


def test_order_is_a_function_of_seed_and_epoch_and_resumes_anywhere(tmp_path: Path) -> None:
    by_pandas(tmp_path, table())
    first = loader(tmp_path)
    epochs = [list(first) for _ in range(2)]
    indices = [np.concatenate([batch["index"].numpy() for batch in epoch]) for epoch in epochs]
    assert first.epoch == 2 and [len(batch["index"]) for batch in epochs[0][:-1]] == [32] * (len(epochs[0]) - 1)
    for one in indices:
        assert len(np.unique(one)) == first.size == len(one)
    assert not np.array_equal(*indices)
    assert not np.array_equal(indices[0], np.concatenate([batch["index"].numpy() for batch in loader(tmp_path, 1)]))
    neighbours = np.abs(np.diff(indices[0])).mean()
    assert neighbours > 50  # in the order of the file it would be about 1.4
    for step in (0, 1, 4, 7, len(epochs[1]) - 1):
        again = loader(tmp_path)
        again.load_state_dict({**again.state_dict(), "epoch": 1, "position": 32 * step})
        for expected, batch in zip(epochs[1][step:], again, strict=True):
            assert all(np.array_equal(expected[name], batch[name]) for name in expected)


def test_batches_are_the_rows_of_their_index(tmp_path: Path) -> None:
    frame = table()
    by_spark(tmp_path, frame)
    one = loader(tmp_path)
    preprocessing = one.fields["inputs"][1]
    for batch in one:
        rows = frame.iloc[batch["index"].numpy()]
        expected = (rows["a"].to_numpy() - preprocessing.means[0]) / preprocessing.deviations[0]
        np.testing.assert_allclose(batch["inputs"][:, 0], expected, rtol=1e-5, atol=1e-6)
        assert np.array_equal(batch["targets"].numpy() == 1, rows["label"] == "yes")


def test_rows_without_a_target_are_a_finding_and_are_left_out(tmp_path: Path) -> None:
    frame = table()
    frame.loc[[3, 77], "label"] = None
    by_spark(tmp_path, frame)
    found = read(tmp_path, STREAM)
    assert [one.name for one in check(found) if one.level == "stop"] == ["rows-without-target"]
    parts = divide(found, STREAM, seed=0).samples
    assert not {3, 77} & set(np.concatenate([np.asarray(samples.index) for samples in parts.values()]).tolist())


def test_a_quantity_with_a_second_source(tmp_path: Path) -> None:
    frame = table().assign(label=np.linspace(0, 1, ROWS) ** 2)
    by_dask(tmp_path, frame)
    found = read(tmp_path, STREAM)
    scale = fit(divide(found, DataSettings(validation=0, test=0.1), seed=0).samples["train"].fields["targets"])
    assert found.fields["targets"].kind == "values"
    assert scale.means[0] == pytest.approx(frame["label"].mean(), rel=0.1)


@pytest.mark.parametrize(
    "settings", [{"folds": 3, "fold": 1}, {"class_weight": ("balanced",)}, {"batch_size": "all"}], ids=str
)
def test_what_needs_all_samples_is_refused(tmp_path: Path, settings: dict) -> None:
    by_spark(tmp_path, table())
    with pytest.raises(UsageError, match="needs all samples in memory"):
        divide(read(tmp_path, STREAM), DataSettings(stream="yes", **settings), seed=0)


def test_a_column_whose_texts_are_too_many_further_on(tmp_path: Path) -> None:
    """The first rows of the groups look like categories; the rest does not."""
    frame = table().assign(shape=[f"s{n % 3 if n % 200 < 40 else n}" for n in range(ROWS)])
    by_spark(tmp_path, frame)
    found = read(tmp_path, DataSettings(stream="yes", columns=("a", "shape"), target="label"))
    with pytest.raises(DataError, match="too many different texts") as caught:
        divide(found, STREAM, seed=0)
    assert "--drop shape" in caught.value.remedy


@pytest.mark.parametrize("stream", ["yes", "no"])
def test_dropped_columns(tmp_path: Path, stream: str) -> None:
    table().to_parquet(tmp_path / "t.parquet", index=False)
    assert read(tmp_path / "t.parquet", DataSettings(stream=stream, drop=("b",))).column_names == ("a", "c", "shape")


def test_parts_by_the_names_of_files(tmp_path: Path) -> None:
    """As the Hugging Face hub has them."""
    for part, seed in (("train", 0), ("test", 1)):
        for number in range(2):
            frame = table(300, seed + 10 * number)
            frame.to_parquet(tmp_path / f"{part}-{number:05d}-of-00002.parquet", index=False)
    found = read(tmp_path, STREAM)
    assert len(found) == 600 and found.test_inputs is not None and len(found.test_inputs) == 600


def test_a_damaged_group_is_found_by_the_check(tmp_path: Path) -> None:
    frame = table(4000)
    parquet.write_table(
        pyarrow.Table.from_pandas(frame), tmp_path / "a.parquet", compression="none", row_group_size=500
    )
    whole = (tmp_path / "a.parquet").read_bytes()
    half = len(whole) // 2
    (tmp_path / "b.parquet").write_bytes(whole[:half] + b"\xff" * 4000 + whole[half + 4000 :])
    found = [one for one in check_path(tmp_path, STREAM) if one.level == "stop"]
    assert found and "b.parquet" in str(found[0].where) + found[0].message
