"""Pairs of texts from every kind of file, and what is said of those that do not fit together."""

import gzip
import zipfile
from pathlib import Path

import pytest

from ganglion.data.catalogue import read
from ganglion.data.dataset import Dataset
from ganglion.data.settings import DataSettings
from ganglion.data.sources.generators import generate
from ganglion.errors import DataError, GanglionError, UsageError

PAIRS = [
    ("Ein Hund läuft.", "A dog runs."),
    ("Zwei Katzen", "Two cats"),
    ("私は猫です", "I am a cat"),
    ("🙂", "a smile"),
]


def pairs(path: Path, **settings: object) -> Dataset:
    return read(str(path), DataSettings(**settings), "text-pairs")  # type: ignore[arg-type]


def of(dataset: Dataset) -> list[tuple[str, str]]:
    return list(zip(dataset.fields["source"].values, dataset.fields["target"].values, strict=True))


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize("name", ["pairs.tsv", "pairs.txt", "pairs.tsv.gz", "pairs.zip"])
def test_lines_with_tabs(tmp_path: Path, name: str, ending: str) -> None:
    text = ending.join("\t".join((*pair, "CC-BY")) for pair in PAIRS) + ending
    path = tmp_path / name
    if name.endswith(".gz"):
        path.write_bytes(gzip.compress(text.encode()))
    elif name.endswith(".zip"):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("fra.txt", text)
            archive.writestr("_about.txt", "who made it")
    else:
        path.write_bytes(text.encode())
    assert of(pairs(path)) == PAIRS
    assert of(pairs(path, columns=("2", "1"))) == [pair[::-1] for pair in PAIRS]


def test_tables_and_json_lines_by_the_names_of_their_columns(tmp_path: Path) -> None:
    table = tmp_path / "pairs.csv"
    table.write_text("id,en,de\n" + "".join(f'{n},"{t}","{s}"\n' for n, (s, t) in enumerate(PAIRS)))
    assert of(pairs(table, columns=("de", "en"))) == PAIRS
    lines = tmp_path / "pairs.jsonl"
    lines.write_text("".join(f'{{"translation": {{"de": "{s}", "en": "{t}"}}}}\n' for s, t in PAIRS))
    assert of(pairs(lines)) == PAIRS
    assert of(pairs(lines, target="de")) == [pair[::-1] for pair in PAIRS]
    lines.write_text("".join(f'{{"target": "{t}", "source": "{s}", "n": 3}}\n' for s, t in PAIRS))
    assert of(pairs(lines)) == PAIRS
    with pytest.raises(GanglionError, match="fr"):
        pairs(lines, columns=("source", "fr"))


def write_sides(folder: Path, part: str, rows: list[tuple[str, str]], third: bool = False) -> None:
    for side, language in enumerate(("de", "en")):
        (folder / f"{part}.{language}").write_text("\n".join(row[side] for row in rows) + "\n")
    if third:
        (folder / f"{part}.fr").write_text("\n".join("oui" for _ in rows) + "\n")


def test_two_files_and_their_parts(tmp_path: Path) -> None:
    write_sides(tmp_path, "corpus", PAIRS)
    assert of(pairs(tmp_path)) == PAIRS
    for name in ("corpus.de", "corpus.en"):
        (tmp_path / name).unlink()
    write_sides(tmp_path, "train", PAIRS, third=True)
    write_sides(tmp_path, "val", PAIRS[:2], third=True)
    write_sides(tmp_path, "test_2016", PAIRS[2:], third=True)
    with pytest.raises(UsageError, match="more than two languages"):
        pairs(tmp_path)
    found = pairs(tmp_path, columns=("en", "de"))
    assert of(found) == [pair[::-1] for pair in PAIRS + PAIRS[:2]]
    assert list(found.validation) == [4, 5] and found.test_fields["target"].values == [s for s, _ in PAIRS[2:]]


def test_sides_that_are_missing_are_left_out_and_said(tmp_path: Path) -> None:
    path = tmp_path / "pairs.tsv"
    path.write_text("a\tb\n\tc\nd\t \ne\tf\n")
    found = pairs(path)
    assert of(found) == [("a", "b"), ("e", "f")] and "2 pairs without one of their sides left out" in found.notes
    path.write_text("a\t\n\tc\n")
    with pytest.raises(DataError, match="no line has both sides"):
        pairs(path)


def test_files_of_unequal_length_name_both_counts_and_the_line(tmp_path: Path) -> None:
    rows = [(f"{'wort ' * (n % 7 + 1)}", f"{'word ' * (n % 7 + 1)}") for n in range(60)]
    write_sides(tmp_path, "train", rows)
    lines = (tmp_path / "train.de").read_text().split("\n")
    (tmp_path / "train.de").write_text("\n".join(lines[:30] + lines[31:]))
    with pytest.raises(DataError) as caught:
        pairs(tmp_path)
    assert "59 and 60 lines; from line 31 on" in str(caught.value.found)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.tsv", b"no tabs\nat all\n", "no pairs"),
        ("a.tsv", b"", "no pairs"),
        ("a.jsonl", b'{"source": "a"}\n', "two sides"),
        ("a.jsonl", b'{"source": "a", \n', "no JSON"),
        ("a.tsv.gz", b"\x1f\x8b broken", "cannot be unpacked"),
        ("a.zip", b"PK broken", "cannot be unpacked"),
    ],
)
def test_what_holds_no_pairs_is_refused(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(GanglionError, match=words):
        pairs(path)


def test_archives_that_only_fill_the_memory_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "pairs.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.txt", b"a\tb\n" * (18 << 20))
    with pytest.raises(DataError, match="far more than data compresses"):
        pairs(path)


def test_dates_say_the_same_on_both_sides() -> None:
    found = generate("dates", count=500)
    for written, iso in of(found):
        year, _, day = iso.split("-")
        assert year in written and str(int(day)) in written
    assert len(set(found.fields["source"].values)) > 490
