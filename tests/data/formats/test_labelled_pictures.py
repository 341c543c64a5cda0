"""Folders of pictures with a table of labels: each way of naming files and columns, right or refused."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganglion.data.catalogue import read
from ganglion.data.check import check
from ganglion.data.dataset import Dataset
from ganglion.data.settings import DataSettings
from ganglion.errors import DataError, GanglionError, UsageError

COUNT = 24


def picture(path: Path, number: int) -> None:
    """Save a picture that says its number, so that a test sees which one it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((2, 2), number, dtype=np.uint8)).save(path)


def folder(tmp_path: Path, name: Callable[[int], str] = "{:03d}.png".format, **tables: str) -> Path:
    for number in range(COUNT):
        picture(tmp_path / name(number), number)
    for called, text in tables.items():
        path = tmp_path / called.replace("__", "/").replace("_csv", ".csv").replace("_tsv", ".tsv")
        path.write_text(text)
    return tmp_path


def table(head: str, row: Callable[[int], str], numbers: range = range(COUNT)) -> str:
    return head + "\n" + "".join(row(number) + "\n" for number in numbers)


def reading(path: Path, **settings: object) -> Dataset:
    # Black and white are named, since numbers below 17 would be a range of their own.
    return read(path, DataSettings(pixels=(0, 255), **settings))  # type: ignore[arg-type]


def numbers_of(pictures: object) -> list[int]:
    return np.asarray(pictures)[:, 0, 0, 0].tolist()


def shown(dataset: Dataset) -> dict[int, object]:
    """Return what each picture is said to show, by its number."""
    assert dataset.targets is not None
    said = [dataset.label_names[one] if dataset.label_names else one for one in dataset.targets.tolist()]
    return dict(zip(numbers_of(dataset.inputs), said, strict=True))


KINDS = {number: "cat" if number % 2 else "dog" for number in range(COUNT)}


@pytest.mark.parametrize(
    ("name", "head", "row"),
    [
        ("{:03d}.png", "filename,label", lambda n: f"{n:03d}.png,{KINDS[n]}"),
        ("{:03d}.png", "kind,picture", lambda n: f"{KINDS[n]},{n:03d}"),
        ("img/{:03d}.png", "id;breed", lambda n: f"{n};{KINDS[n]}"),
        ("img/{:03d}.png", "path\tanimal", lambda n: f"/data/x/{n:03d}.jpg\t{KINDS[n]}"),
        ("img/part {}.PNG", "a|b", lambda n: f"img\\part {COUNT - 1 - n}.PNG|{KINDS[COUNT - 1 - n]}"),
        ("{:03d}.png", "no,weight,name,y", lambda n: f"{n},{n * 0.5},{n:03d}.png,{KINDS[n]}"),
    ],
)
def test_the_column_of_files_is_found_by_what_it_holds(
    tmp_path: Path, name: str, head: str, row: Callable[[int], str]
) -> None:
    dataset = reading(folder(tmp_path, name.format, any_csv=table(head, row)))
    assert shown(dataset) == KINDS
    assert dataset.label_names == ("cat", "dog")
    assert not dataset.findings


def test_numbers_are_quantities(tmp_path: Path) -> None:
    dataset = reading(folder(tmp_path, ages_tsv=table("img\tage", lambda n: f"{n:03d}\t{n},5")))
    assert shown(dataset) == {number: number + 0.5 for number in range(COUNT)}
    assert dataset.target_names == ("age",)
    with pytest.raises(UsageError, match="nothing that could be read so"):
        reading(folder(tmp_path), target="age", labels="folders")


def test_several_columns_of_0_and_1(tmp_path: Path) -> None:
    marks = table("f,smiles,hat,old", lambda n: f"{n:03d},{n % 2},{n // 2 % 2},{n // 3 % 2}")
    dataset = reading(folder(tmp_path, marks_csv=marks))
    assert shown(dataset)[7] == [1, 1, 0] and dataset.target_names == ("smiles", "hat", "old")
    assert any("of which any number may hold" in note for note in dataset.notes)
    assert shown(reading(tmp_path, target="hat"))[7] == "1"
    assert shown(reading(tmp_path, columns=("smiles", "old")))[7] == [1, 0]
    one = table("f,cat,dog,fox", lambda n: f"{n:03d}," + ",".join(str(int(n % 3 == k)) for k in range(3)))
    assert shown(reading(folder(tmp_path, marks_csv=one)))[7] == "dog"


@pytest.mark.parametrize(
    ("tables", "settings", "said", "flag"),
    [
        ({"m_csv": table("f,sex,site", lambda n: f"{n:03d},{'mf'[n % 2]},{'ab'[n // 2 % 2]}")},
         {"target": "sex"}, "which column says what", "--target"),
        ({"a_csv": table("f,x", lambda n: f"{n:03d},{n * 0.5}"), "b_csv": table("f,z", lambda n: f"{n:03d},{n / 4}")},
         {"labels": "b.csv"}, "several tables", "--labels a.csv"),
        ({"a_csv": table("f,x", lambda n: f"{n % 20:03d},{n}.5")}, None, "several rows", "one row of each"),
    ],
)  # fmt: skip
def test_what_is_open_is_refused_with_the_flag_that_decides(
    tmp_path: Path, tables: dict[str, str], settings: dict[str, object] | None, said: str, flag: str
) -> None:
    folder(tmp_path, **tables)
    with pytest.raises(DataError, match=said) as caught:
        reading(tmp_path)
    assert flag in caught.value.remedy
    if settings:
        assert len(reading(tmp_path, **settings)) == COUNT


def test_a_competition(tmp_path: Path) -> None:
    folder(
        tmp_path,
        lambda n: f"{'train' if n < 16 else 'test'}/{n}.png",
        train_csv=table("id,label", lambda n: f"{n},{KINDS[n]}", range(16)),
        test_csv=table("id", str, range(16, COUNT)),
        sample_submission_csv=table("id,label", lambda n: f"{n},cat", range(16, COUNT)),
    )
    dataset = reading(tmp_path)
    assert shown(dataset) == {number: KINDS[number] for number in range(16)}
    assert dataset.test_inputs is None and not dataset.findings
    assert any("question" in note for note in dataset.notes)


def test_a_table_in_each_part(tmp_path: Path) -> None:
    folder(tmp_path, lambda n: f"{'train' if n < 16 else 'test'}/{n % 16}.png")
    for part, numbers in (("train", range(16)), ("test", range(16, COUNT))):
        text = table("file_name,label", lambda n: f"{n % 16}.png,{KINDS[n]}", numbers)
        (tmp_path / part / "metadata.csv").write_text(text)
    dataset = reading(tmp_path)
    assert shown(dataset) == {number: KINDS[number] for number in range(16)}
    assert numbers_of(dataset.test_inputs) == list(range(16, COUNT))
    assert dataset.test_targets is not None and dataset.test_targets.tolist() == [1, 0] * 4  # 16 is a dog


def test_a_column_of_parts(tmp_path: Path) -> None:
    parts = ("train", "train", "val", "test")
    folder(tmp_path, t_csv=table("f,y,part", lambda n: f"{n:03d},{KINDS[n]},{parts[n % 4]}"))
    dataset = reading(tmp_path)
    assert dataset.validation is not None and dataset.test_inputs is not None
    assert [n % 4 for n in numbers_of(dataset.test_inputs)] == [3] * 6
    assert [n % 4 for n in np.array(numbers_of(dataset.inputs))[dataset.validation]] == [2] * 6


def test_what_has_no_partner_stops_a_training(tmp_path: Path) -> None:
    rows = table("f,y", lambda n: f"{n:03d},{'' if n == 3 else KINDS.get(n, 'cat')}", range(2, COUNT + 4))
    dataset = reading(folder(tmp_path, t_csv=rows))
    assert [finding.level for finding in dataset.findings] == ["stop"] * 3
    assert {finding.message.split(" ", 1)[0] for finding in dataset.findings} == {"4", "2", "1"}
    assert shown(dataset) == {number: kind for number, kind in KINDS.items() if number not in (0, 1, 3)}


def test_folders_or_a_table(tmp_path: Path) -> None:
    folder(tmp_path, lambda n: f"{KINDS[n]}/{n}.png", m_csv=table("f,light", lambda n: f"{n},{'dn'[n // 4 % 2]}"))
    with pytest.raises(DataError, match="folders or a column") as caught:
        reading(tmp_path)
    assert "--labels folders" in caught.value.remedy and "--labels m.csv" in caught.value.remedy
    assert shown(reading(tmp_path, labels="folders")) == KINDS
    assert shown(reading(tmp_path, labels="m.csv"))[5] == "n"
    assert shown(reading(tmp_path, target="light"))[5] == "n"
    (tmp_path / "m.csv").write_text(table("f,light,kind", lambda n: f"{n},{'dn'[n % 2]},{KINDS[n]}"))
    assert shown(reading(tmp_path)) == KINDS  # a column says what the folders say


@pytest.mark.parametrize("text", ["id,name\n0,apple\n1,pear\n", "a,b\n1,2\n3,4\n", "year,count\n2001,5\n"])
def test_a_table_of_something_else_changes_nothing(tmp_path: Path, text: str) -> None:
    folder(tmp_path, lambda n: f"{KINDS[n]}/{n}.png", other_csv=text)
    assert shown(reading(tmp_path)) == KINDS


def test_a_table_that_is_named_must_name_the_pictures(tmp_path: Path) -> None:
    folder(tmp_path, other_csv="a,b\nx,2\ny,4\n")
    with pytest.raises(DataError, match="no column of this table names"):
        reading(tmp_path, labels="other.csv")
    with pytest.raises(GanglionError, match="unknown table"):
        reading(tmp_path, labels="others.csv")


def test_a_table_that_cannot_be_read_is_told_of_unless_folders_say_enough(tmp_path: Path) -> None:
    ragged = "f,y\n" + "".join(f"{n:03d},cat{',more' * (n == 5)}\n" for n in range(COUNT))
    with pytest.raises(DataError, match="another number of cells"):
        reading(folder(tmp_path / "flat", t_csv=ragged))
    assert shown(reading(folder(tmp_path / "classes", lambda n: f"{KINDS[n]}/{n}.png", t_csv=ragged))) == KINDS


def test_weights_stand_in_the_table_too(tmp_path: Path) -> None:
    dataset = reading(folder(tmp_path, t_csv=table("f,y,w", lambda n: f"{n:03d},{KINDS[n]},{n + 1}")), weights="w")
    assert dataset.fields["weights"].values.tolist() == [n + 1 for n in range(COUNT)]


def test_a_damaged_picture_leaves_with_its_row(tmp_path: Path) -> None:
    folder(tmp_path, t_csv=table("f,y", lambda n: f"{n:03d},{n}.5"))
    (tmp_path / "004.png").write_bytes(b"no picture")
    dataset = reading(tmp_path, allow_problems=True)
    assert shown(dataset) == {n: n + 0.5 for n in range(COUNT) if n != 4}


def test_the_size_of_pictures_that_says_their_class_is_named(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for number in range(120):
        side = 8 + number % 2
        (tmp_path / "ab"[number % 2]).mkdir(exist_ok=True)
        pixels = random.integers(0, 256, (side, 9), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "ab"[number % 2] / f"{number}.png")
    leaks = [finding.message for finding in check(reading(tmp_path)) if finding.name == "leak"]
    assert leaks == ["the height of the pictures alone predicts the target almost perfectly"]
