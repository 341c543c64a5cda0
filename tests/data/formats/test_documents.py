"""Labelled texts from every form that they come in, and sentences with tags; what is wrong is said."""

from pathlib import Path

import pytest

from ganglion.data.catalogue import read
from ganglion.data.check import check
from ganglion.data.dataset import Dataset
from ganglion.data.formats.texts.documents import read_texts_of
from ganglion.data.settings import DataSettings
from ganglion.errors import ConfigurationError, DataError, GanglionError, UsageError

ROWS = [("good, very good", "pos"), ("bad film", "neg"), ("so so", "neg"), ("a joy", "pos")]


def documents(path: Path, **settings: object) -> Dataset:
    return read(str(path), DataSettings(**settings), kind="documents")  # type: ignore[arg-type]


def pairs(dataset: Dataset) -> list[tuple[str, str]]:
    assert dataset.targets is not None
    names = [dataset.label_names[target] for target in dataset.targets]
    return list(zip(dataset.inputs, names, strict=True))


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_a_table_with_named_columns(tmp_path: Path) -> None:
    lines = [f'{number},"{text}",{label}' for number, (text, label) in enumerate(ROWS)]
    dataset = documents(write(tmp_path / "films.csv", "\n".join(["id,review,sentiment", *lines])))
    assert pairs(dataset) == ROWS
    assert dataset.column_names == ("review",)
    assert "'review'" in dataset.notes[0] and "'sentiment'" in dataset.notes[0]


def test_a_table_without_names(tmp_path: Path) -> None:
    lines = [f'{number % 2},"{text} and more words","{text}"' for number, (text, _) in enumerate(ROWS * 3)]
    dataset = documents(write(tmp_path / "news.csv", "\n".join(lines)))
    assert pairs(dataset)[0] == ("good, very good and more words", "0")


def test_columns_that_are_asked_for(tmp_path: Path) -> None:
    lines = [f"{text}\t{label}\t{len(text)}" for text, label in ROWS * 4]
    path = write(tmp_path / "films.tsv", "\n".join(["text\tlabel\tsize", *lines]))
    assert documents(path, columns=("label",), target="size").inputs[0] == "pos"
    with pytest.raises(ConfigurationError, match="unknown column 'labels'"):
        documents(path, target="labels")


def test_json_lines(tmp_path: Path) -> None:
    lines = [f'{{"label": {int(label == "pos")}, "text": "{text}"}}' for text, label in ROWS]
    dataset = documents(write(tmp_path / "films.jsonl", "\n".join([*lines, "", '{"text": "no label"}'])))
    assert dataset.label_names == ("0", "1") and dataset.inputs == [text for text, _ in ROWS]
    assert [(one.level, one.where) for one in dataset.findings] == [("stop", (f"row {len(ROWS) + 1}",))]


@pytest.mark.parametrize("line", ["{", "[1]", '{"text": "a", "text": "b"}'])
def test_broken_json_lines_are_named(tmp_path: Path, line: str) -> None:
    with pytest.raises(DataError) as error:
        documents(write(tmp_path / "films.jsonl", f'{{"text": "a", "label": 1}}\n{line}'))
    assert "line 2" in error.value.where


def test_a_folder_for_each_class_and_part(tmp_path: Path) -> None:
    for part in ("train", "test"):
        for number, (text, label) in enumerate(ROWS):
            write(tmp_path / part / label / f"{number}.txt", f"{text} ({part})\n")
    dataset = documents(tmp_path)
    assert sorted(pairs(dataset)) == sorted((f"{text} (train)", label) for text, label in ROWS)
    assert dataset.test_inputs is not None and len(dataset.test_inputs) == 4
    assert dataset.label_names == ("neg", "pos")


@pytest.mark.parametrize("name", ["rt-polarity.{}", "{}.txt"])
def test_a_file_for_each_class(tmp_path: Path, name: str) -> None:
    for label in ("pos", "neg"):
        texts = [text for text, own in ROWS if own == label]
        write(tmp_path / name.format(label), "\r\n".join(texts) + "\n\n")
    assert sorted(pairs(documents(tmp_path))) == sorted(ROWS)


def test_latin_letters_of_old_files_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.pos").write_bytes("un film très léger\n".encode("latin-1"))
    (tmp_path / "a.neg").write_bytes(b"no\n")
    assert "un film très léger" in documents(tmp_path).inputs


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"a.pos": "good"}, "two classes"),
        ({"a.pos": "", "a.neg": "\n"}, "two classes"),
        ({"pos/1.txt": "good"}, "two classes"),
        ({"train/a/1.txt": "x", "train/b/1.txt": "y", "test/c/1.txt": "z", "test/a/1.txt": "z"}, "lacks"),
        ({}, "two classes"),
    ],
)
def test_refuses_folders_without_classes(tmp_path: Path, files: dict[str, str], words: str) -> None:
    for name, text in files.items():
        write(tmp_path / name, text)
    with pytest.raises(DataError, match=words):
        documents(tmp_path)


@pytest.mark.parametrize("text", ["", "text,label\n", "text\none\ntwo\n", "{}"])
@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.txt"])
def test_refuses_files_without_texts_and_labels(tmp_path: Path, name: str, text: str) -> None:
    with pytest.raises(GanglionError):
        documents(write(tmp_path / name, text))


def test_labels_that_do_not_recur_are_no_classes(tmp_path: Path) -> None:
    lines = [f"some text,label {number}" for number in range(60)]
    with pytest.raises(DataError, match="no class"):
        documents(write(tmp_path / "a.csv", "\n".join(["text,label", *lines])))


def test_one_class_is_a_stop_of_the_data_check(tmp_path: Path) -> None:
    dataset = documents(write(tmp_path / "a.csv", "\n".join(["text,label", *["words,pos"] * 30])))
    assert any("one class" in finding.message for finding in check(dataset))


def test_texts_to_answer_for(tmp_path: Path) -> None:
    assert read_texts_of(write(tmp_path / "a.txt", "one\n\n two \n"), "", DataSettings()) == [(1, "one"), (3, "two")]
    table = write(tmp_path / "a.csv", "id,review\n1,good one\n2,bad one\n")
    assert read_texts_of(table, "review", DataSettings()) == [(1, "good one"), (2, "bad one")]
    with pytest.raises(ConfigurationError, match="unknown column"):
        read_texts_of(table, "text", DataSettings())
    with pytest.raises(DataError, match="no texts"):
        read_texts_of(write(tmp_path / "b.txt", "\n"), "", DataSettings())


def test_words_with_tags(tmp_path: Path) -> None:
    text = "# a remark\nThe DT B-NP\ncat NN I-NP\n\n\nIt\tPRP\tB-NP\n"
    dataset = read(str(write(tmp_path / "a.conll", text)), DataSettings(), kind="tagged")
    assert dataset.inputs == [(("The", "B-NP"), ("cat", "I-NP")), (("It", "B-NP"),)]


@pytest.mark.parametrize(("text", "words"), [("", "no sentences"), ("\n\n", "no sentences"), ("a A\nb\n", "no tag")])
def test_refuses_words_without_tags(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(DataError, match=words):
        read(str(write(tmp_path / "a.conll", text)), DataSettings(), kind="tagged")


def test_a_text_is_read_from_a_file_of_any_ending(tmp_path: Path) -> None:
    for name in ("a.py", "b.csv", "c"):
        assert read(str(write(tmp_path / name, "x = 1\n")), DataSettings(), kind="text").inputs == ["x = 1\n"]
    with pytest.raises(DataError, match="run programs"):
        read(str(write(tmp_path / "a.pkl", "x")), DataSettings(), kind="text")
    with pytest.raises(DataError, match="empty"):
        read(str(write(tmp_path / "empty.txt", "")), DataSettings(), kind="text")


@pytest.mark.parametrize(
    "content", [bytes(range(128, 256)) * 40, "a \ufffd ".encode() * 9, b"\x89PNG\r\n\x1a\n" + bytes(99)]
)
def test_what_is_no_text_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(content)
    with pytest.raises(DataError, match="this is not a text"):
        read(path, DataSettings(), kind="text")


def test_rare_signs_are_text(tmp_path: Path) -> None:
    said = "caf\u00e9 \u222e \U0001f600 \U0001d54f \u200b\u0301 \u65e5\u672c\f\t\n" * 50 + "\ufffd"
    path = tmp_path / "a.txt"
    path.write_text(said, encoding="utf-8")
    assert read(path, DataSettings(), kind="text").inputs == [said]


def test_folders_of_own_data_have_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "poems").mkdir()
    (tmp_path / "poems" / "input.txt").write_text("roses are red\n")
    monkeypatch.delenv("GANGLION_DATA", raising=False)
    with pytest.raises(ConfigurationError, match="unknown data set 'poems'") as error:
        read("poems", DataSettings(), kind="text")
    assert "give a path" in error.value.remedy
    monkeypatch.setenv("GANGLION_DATA", str(tmp_path))
    dataset = read("poems", DataSettings(), kind="text")
    assert (dataset.name, dataset.inputs) == ("poems", ["roses are red\n"])
    with pytest.raises(ConfigurationError, match="unknown data set") as error:
        read("verse", DataSettings(), kind="text")
    assert str(tmp_path) in error.value.remedy


def test_files_for_each_part_whose_lines_begin_with_labels(tmp_path: Path) -> None:
    for part, count in (("train", 12), ("dev", 4), ("test", 6)):
        write(tmp_path / f"films.{part}", "".join(f"{n % 2} a film of {part} {n}\n" for n in range(count)))
    write(tmp_path / "README.txt", "what this is")
    dataset = documents(tmp_path)
    assert len(dataset) == 16 and dataset.label_names == ("0", "1")
    assert dataset.test_inputs is not None and len(dataset.test_inputs) == 6
    assert dataset.validation is not None and {dataset.inputs[n].split()[3] for n in dataset.validation} == {"dev"}
    assert pairs(documents(tmp_path / "films.train"))[1] == ("a film of train 1", "1")
    write(tmp_path / "books.train", "0 a book\n")
    with pytest.raises(UsageError, match="several sets") as caught:
        documents(tmp_path)
    assert "books.train" in caught.value.found


def test_what_tells_about_data_and_other_files_are_no_classes(tmp_path: Path) -> None:
    table = "".join(f"a text of {n},{'ab'[n % 2]}\n" for n in range(20))
    write(tmp_path / "test.csv", "text,label\n" + table)
    write(tmp_path / "classes.txt", "a\nb\n")
    write(tmp_path / "readme.txt", "words")
    assert len(documents(tmp_path)) == 20


def test_labels_of_fasttext_lose_their_mark(tmp_path: Path) -> None:
    lines = "".join(f"__label__{'ab'[n % 2]} words {n}\n" for n in range(8))
    assert documents(write(tmp_path / "a.txt", lines)).label_names == ("a", "b")


def test_the_texts_of_a_folder_follow_each_other(tmp_path: Path) -> None:
    for name, text in {"b.abc": "two\n", "a.abc": "one", "LICENSE.md": "no", "notes.txt": "no"}.items():
        write(tmp_path / name, text)
    dataset = read(tmp_path, DataSettings(), kind="text")
    assert list(dataset.fields["inputs"].values) == ["one\ntwo\n"]
    assert any("2 files ending in .abc" in note for note in dataset.notes)
    assert any("left out" in note for note in dataset.notes)
