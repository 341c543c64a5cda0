"""Dialogues in every form in which they are given."""

import json
import zipfile
from pathlib import Path

import pytest

from ganglion.data.catalogue import read
from ganglion.data.dataset import Dataset
from ganglion.data.settings import DataSettings
from ganglion.errors import DataError

TALKS = [["Hello.", "Hi, Ann!"], ["What is it?", "It's a cat.", "Oh."], ["Yes?", "No."]]
SPEAKERS = "\n\n".join("\n".join(f"{'AB'[n % 2]}: {turn}" for n, turn in enumerate(talk)) for talk in TALKS)
YAML = """categories:
- talk
conversations:
- - Hello.
  - 'Hi, Ann!'
- - What is it?
  - |
    It's a
    cat.
  - "Oh."
- - Yes?
  - No.
"""
FILES = {
    "lines.jsonl": "\n".join(json.dumps({"dialogue": talk}) for talk in TALKS),
    "messages.jsonl": "\n".join(json.dumps({"messages": [{"role": "x", "content": one} for one in t]}) for t in TALKS),
    "shared.json": json.dumps([{"conversations": [{"from": "x", "value": one} for one in talk]} for talk in TALKS]),
    "eou.txt": "\n".join("".join(f"{turn} __eou__ " for turn in talk) for talk in TALKS),
    "plain.txt": "\n\n".join("\n".join(talk) for talk in TALKS) + "\n",
    "spoken.txt": SPEAKERS,
    "windows.txt": SPEAKERS.replace("\n", "\r\n"),
    "tabs.tsv": "\n".join("\t".join(talk) for talk in TALKS),
    "talk.yml": YAML,
}


def reading(path: Path) -> Dataset:
    return read(path, DataSettings(), "dialogues")


def said(dataset: Dataset) -> list[list[str]]:
    return [text.split("\n") for text in dataset.fields["dialogues"].values]


@pytest.mark.parametrize("name", FILES)
def test_every_form_says_the_same(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(FILES[name].encode())
    dataset = reading(tmp_path / name)
    assert dataset.kind == "dialogues" and said(dataset) == TALKS and not dataset.findings


def test_parts_in_archives_as_dailydialog_has_them(tmp_path: Path) -> None:
    for part in ("train", "validation", "test"):
        with zipfile.ZipFile(tmp_path / f"{part}.zip", "w") as archive:
            archive.writestr(f"{part}/dialogues_{part}.txt", f"I am {part} . __eou__ Don ’ t ! __eou__\n" * 3)
            archive.writestr(f"{part}/dialogues_act_{part}.txt", "1 2\n" * 3)
    dataset = reading(tmp_path)
    assert said(dataset) == [["I am train.", "Don't!"]] * 3 + [["I am validation.", "Don't!"]] * 3
    assert dataset.validation is not None and dataset.validation.tolist() == [3, 4, 5]
    assert dataset.test_fields["dialogues"].values[0] == "I am test.\nDon't!"


def test_a_folder_of_files_is_one_set(tmp_path: Path) -> None:
    for number in (1, 2):
        (tmp_path / f"{number}.yml").write_text(YAML)
    (tmp_path / "license.md").write_text("Free.")
    assert said(reading(tmp_path)) == TALKS * 2


def test_yaml_that_is_none_of_these_lists_names_its_line(tmp_path: Path) -> None:
    for text, line in ((YAML + " odd: [1]\n", "line 13"), (YAML.replace('"Oh."', '"Oh.'), "line 10")):
        (tmp_path / "talk.yml").write_text(text)
        with pytest.raises(DataError, match=line):
            reading(tmp_path / "talk.yml")
