"""Tables in every common dialect, arrays and texts."""

from pathlib import Path

import numpy as np
import pytest

from ganglion.data.catalogue import read
from ganglion.data.dataset import Dataset
from ganglion.data.formats import tables
from ganglion.data.formats.tables import read_table
from ganglion.data.settings import DataSettings
from ganglion.errors import ConfigurationError, DataError, MissingExtraError, UsageError

PLAIN = "height,weight,species\n1.5,2,cat\n2.5,3,dog\n3.5,5,cat\n"


def written(folder: Path, content: str | bytes, name: str = "table.csv", **settings: object) -> Dataset:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read(path, DataSettings(**settings))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "content",
    [
        PLAIN,
        PLAIN.replace(",", ";"),
        PLAIN.replace(",", "\t"),
        PLAIN.replace(",", "|"),
        PLAIN.replace(",", " "),
        PLAIN.replace(",", "  ").replace("\n", "\n "),
        PLAIN.replace(",", ", "),
        PLAIN.replace("\n", "\r\n"),
        PLAIN.replace("\n", "\n\n"),
        PLAIN.replace("\n", ",\n"),
        PLAIN.replace(",", ";").replace(".", ","),
        "\ufeff" + PLAIN,
        PLAIN.encode("utf-16"),
        'height,weight,species\n"1.5","2","cat"\n"2.5","3","dog"\n"3.5","5","cat"',
    ],
)
def test_dialects_all_read_the_same(tmp_path: Path, content: str | bytes) -> None:
    dataset = written(tmp_path, content)
    assert dataset.inputs.tolist() == [[1.5, 2], [2.5, 3], [3.5, 5]]
    assert dataset.inputs.dtype == np.float64
    assert dataset.column_names == ("height", "weight")
    assert dataset.target_names == ("species",)
    assert dataset.label_names == ("cat", "dog")
    assert dataset.targets.tolist() == [0, 1, 0]


def test_what_was_found_out_is_said(tmp_path: Path) -> None:
    notes = "\n".join(written(tmp_path, PLAIN.replace(",", ";").replace("cat", "kätzchen").encode("cp1252")).notes)
    for word in ("semicolon", "cp1252", "with a header", "'species' (by its name)", "2 classes"):
        assert word in notes


def test_windows_text_is_decoded(tmp_path: Path) -> None:
    dataset = written(tmp_path, "größe,klasse\n1,süß\n2,süß\n3,€\n".encode("cp1252"))
    assert dataset.column_names == ("größe",)
    assert dataset.label_names == ("süß", "€")


def test_without_a_header_the_last_column_is_the_target(tmp_path: Path) -> None:
    dataset = written(tmp_path, "5.1,3.5,setosa\n4.9,3.0,setosa\n6.1,2.0,other\n")
    assert dataset.column_names == ("column 1", "column 2")
    assert dataset.target_names == ("column 3",)
    assert len(dataset) == 3


def test_a_table_of_texts_alone_has_a_header_if_nothing_of_it_recurs(tmp_path: Path) -> None:
    named = written(tmp_path, "colour,shape,kind\n" + "red,round,a\nblue,square,b\n" * 5)
    bare = written(tmp_path, "red,round,a\nblue,square,b\n" * 5)
    assert (named.column_names, len(named)) == (("colour", "shape"), 10)
    assert (bare.column_names, len(bare)) == (("column 1", "column 2"), 10)


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        (["0", "1"] * 10, ("0", "1")),
        (["3", "10", "9"] * 10, ("3", "9", "10")),
        (["1.5", "2"] * 10, ()),
        ([str(number) for number in range(40)], ()),
        (["1.0", "2.0"] * 10, ("1", "2")),
    ],
)
def test_few_whole_numbers_are_classes_and_others_are_quantities(
    tmp_path: Path, values: list[str], labels: tuple[str, ...]
) -> None:
    dataset = written(tmp_path, "x,y\n" + "".join(f"{number}.5,{value}\n" for number, value in enumerate(values)))
    assert dataset.label_names == labels
    assert dataset.is_classification == bool(labels)
    if labels:
        assert [labels[number] for number in dataset.targets] == [str(int(float(value))) for value in values]
    else:
        assert dataset.targets.tolist() == [float(value) for value in values]


def test_the_target_can_be_chosen_and_can_be_none(tmp_path: Path) -> None:
    chosen = written(tmp_path, PLAIN, target="height", columns=("weight",))
    assert chosen.inputs.tolist() == [[2], [3], [5]]
    assert chosen.targets.tolist() == [1.5, 2.5, 3.5]
    unlabelled = written(tmp_path, "a,b\n1,2\n3,4\n", target="none")
    assert unlabelled.targets is None
    assert unlabelled.inputs.shape == (2, 2)
    with pytest.raises(ConfigurationError, match="did you mean 'weight'"):
        written(tmp_path, PLAIN, target="wieght")
    with pytest.raises(UsageError, match="cannot be one of"):
        written(tmp_path, PLAIN, target="height", columns=("height",))


@pytest.mark.parametrize("missing", ["", "NA", "?", "nan", "NULL", " - "])
def test_missing_numbers_and_missing_targets(tmp_path: Path, missing: str) -> None:
    dataset = written(tmp_path, f"a,b,y\n1,{missing},u\n2,4,v\n3,5,\n{missing},6,u\n")
    assert np.array_equal(dataset.inputs, np.array([[1, np.nan], [2, 4], [np.nan, 6]]), equal_nan=True)
    assert dataset.targets.tolist() == [0, 1, 0]
    assert [(one.name, one.level, one.where) for one in dataset.findings] == [
        ("rows-without-target", "stop", ("line 4",))
    ]


def test_text_columns_stay_text_and_wordy_ones_are_left_out(tmp_path: Path) -> None:
    lines = "".join(f"{n},person {n},{'red' if n % 2 else 'blue'},{n / 7},{n % 3}\n" for n in range(30))
    dataset = written(tmp_path, "id,name,colour,size,class\n" + lines)
    assert dataset.column_names == ("colour", "size")
    assert dataset.inputs.dtype == object
    assert dataset.inputs[1].tolist() == ["red", 1 / 7]
    assert any("only count or name the rows: id, name" in note for note in dataset.notes)


def test_stray_words_among_numbers_are_a_question(tmp_path: Path) -> None:
    text = "a,b,y\n" + "1,3,0\n2,5,1\n" * 20 + "?0.2,4,1\n"
    with pytest.raises(DataError, match="cells that are none") as caught:
        written(tmp_path, text)
    assert "'?0.2' in line 42" in caught.value.found
    assert np.isnan(written(tmp_path, text, missing=("?0.2",)).inputs[-1, 0])
    assert written(tmp_path, text, drop=("a",)).column_names == ("b",)
    assert written(tmp_path, text, text=("a",)).inputs[-1, 0] == "?0.2"


def test_thousands_are_grouped_by_commas(tmp_path: Path) -> None:
    assert written(tmp_path, 'a,b\n"1,234.5",1\n"12,000",2\n').inputs.tolist() == [[1234.5], [12000]]


def test_quoted_cells_may_hold_delimiters_and_lines(tmp_path: Path) -> None:
    table = written(tmp_path, 'a,y\n1,"x, y"\n2,"two\nlines"\n3,"x, y"\n4,"two\nlines"\n')
    assert table.label_names == ("two\nlines", "x, y")


def test_names_that_repeat_or_are_empty_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,a,,b\n1,2,3,4\n")
    assert read_table(tmp_path / "t.csv").names == ("a", "a (2)", "column 3", "b")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (b"\n\n", "empty"),
        (b"a,b\n", "no rows"),
        (b"a,b\n1,2\n3\n4,5\n", "line 3"),
        (b"a,b\n1,2\n3,4,5\n6,7\n", "line 3"),
        (b"\x00\x01\x02binary", "not a text file"),
        (b"a,y\n1,\n2,\n", "target column is empty"),
        (b"size,story\n" + b"".join(b"%d,once upon %d\n" % (n, n) for n in range(30)), "hardly recurs"),
    ],
)
def test_damaged_tables_are_errors(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises((DataError, ConfigurationError), match=message):
        written(tmp_path, content)


def test_a_folder_of_train_and_test_tables(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text(PLAIN)
    (tmp_path / "test.csv").write_text("species,height,weight\ndog,9,8\n")
    dataset = read(tmp_path, DataSettings())
    assert dataset.test_inputs.tolist() == [[9, 8]]
    assert dataset.test_targets.tolist() == [1]
    (tmp_path / "test.csv").write_text("species,height,weight\nemu,9,8\n")
    with pytest.raises(DataError, match="emu"):
        read(tmp_path, DataSettings())


def test_several_tables_in_a_folder_are_a_question(tmp_path: Path) -> None:
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text(PLAIN)
    with pytest.raises(UsageError, match="several files"):
        read(tmp_path, DataSettings())


def test_parquet_reads_like_csv(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    columns = {"height": [1.5, None, 3.5], "weight": [2, 3, 5], "species": ["cat", "dog", "cat"]}
    parquet.write_table(pyarrow.table(columns), tmp_path / "table.parquet")
    dataset = read(tmp_path / "table.parquet", DataSettings())
    assert np.array_equal(dataset.inputs, [[1.5, 2], [np.nan, 3], [3.5, 5]], equal_nan=True)
    assert dataset.label_names == ("cat", "dog")
    (tmp_path / "broken.parquet").write_bytes(b"PAR1")
    with pytest.raises(DataError, match="Parquet"):
        read(tmp_path / "broken.parquet", DataSettings())


def test_parquet_without_pyarrow_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (tmp_path / "table.parquet").write_bytes(b"PAR1")
    with pytest.raises(MissingExtraError, match="tables"):
        tables.read_table(tmp_path / "table.parquet")


def test_arrays_of_images_with_a_test_part(tmp_path: Path) -> None:
    images = np.arange(4 * 6 * 5, dtype=np.uint8).reshape(4, 6, 5)
    labels = np.array([[0], [2], [1], [0]])
    np.savez(tmp_path / "set.npz", x_train=images, y_train=labels, x_test=images[:2], y_test=labels[:2])
    dataset = read(tmp_path / "set.npz", DataSettings())
    assert dataset.kind == "image"
    assert np.array_equal(dataset.inputs[..., 0], images)
    assert dataset.targets.tolist() == [0, 2, 1, 0]
    assert dataset.test_targets.tolist() == [0, 2]
    assert dataset.label_names == ("0", "1", "2")


def test_arrays_of_fractions_rows_and_texts(tmp_path: Path) -> None:
    np.savez(tmp_path / "fractions.npz", images=np.array([[[[0.0, 0.5, 1.0]]]]))
    assert read(tmp_path / "fractions.npz", DataSettings()).inputs.tolist() == [[[[0, 128, 255]]]]
    np.savez(tmp_path / "rows.npz", inputs=np.eye(3), targets=np.array(["b", "a", "b"]))
    rows = read(tmp_path / "rows.npz", DataSettings())
    assert (rows.kind, rows.label_names, rows.targets.tolist()) == ("tabular", ("a", "b"), [1, 0, 1])
    np.savez(tmp_path / "values.npz", x=np.eye(3), y=np.array([0.5, 1.5, 2.5]))
    assert read(tmp_path / "values.npz", DataSettings()).targets.tolist() == [0.5, 1.5, 2.5]
    np.save(tmp_path / "series.npy", np.arange(5))
    assert read(tmp_path / "series.npy", DataSettings(), kind="series").inputs.shape == (5, 1)


def test_pickled_and_unfitting_arrays_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "pickled.npz", inputs=np.array([{}], dtype=object))
    np.savez(tmp_path / "uneven.npz", inputs=np.eye(3), targets=np.zeros(2))
    np.savez(tmp_path / "nameless.npz", one=np.eye(3), two=np.eye(3))
    np.savez(tmp_path / "wide.npz", inputs=np.zeros((2, 4, 4, 7)))
    (tmp_path / "broken.npz").write_bytes(b"PK\x03\x04")
    for name, message in {
        "pickled": "run code",
        "uneven": "differ in number",
        "nameless": "one, two",
        "wide": "no images",
        "broken": "cannot be read",
    }.items():
        with pytest.raises(DataError, match=message):
            read(tmp_path / f"{name}.npz", DataSettings())


def test_texts(tmp_path: Path) -> None:
    dataset = written(tmp_path, "To be,\r\nor not to be\n", "play.txt")
    assert dataset.kind == "text"
    assert dataset.inputs == ["To be,\nor not to be\n"]
    assert read(tmp_path, DataSettings()).inputs == dataset.inputs  # The only file of its folder.
    (tmp_path / "table.txt").write_text(PLAIN)
    assert read(tmp_path / "table.txt", DataSettings(), kind="tabular").inputs.shape == (3, 2)
