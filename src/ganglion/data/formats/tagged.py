"""Sentences with a tag for each word, in columns as the shared tasks of the field give them."""

from pathlib import Path

from ganglion.data.dataset import Dataset
from ganglion.data.digests import fingerprint
from ganglion.data.formats.text import read_text
from ganglion.errors import DataError


def read_tagged(path: Path) -> Dataset:
    """Read one word a line, its tag last on the line, and an empty line after each sentence; `#` begins a remark.

    That is the form of CoNLL: columns between the word and the tag are left out.
    """
    sentences: list[tuple[tuple[str, str], ...]] = []
    sentence: list[tuple[str, str]] = []
    for number, line in enumerate([*read_text(path).split("\n"), ""], start=1):
        cells = line.split("\t") if "\t" in line else line.split()
        cells = [cell.strip() for cell in cells]
        if not any(cells):
            if sentence:
                sentences.append(tuple(sentence))
            sentence = []
        elif line.startswith(("# ", "-DOCSTART-")):
            continue
        elif len(cells) < 2 or not cells[0] or not cells[-1]:
            raise DataError(
                "a line has no tag", where=f"{path}, line {number}", expected="a word, white space, its tag", found=line
            )
        else:
            sentence.append((cells[0], cells[-1]))
    if not sentences:
        raise DataError("there are no sentences in this file", where=str(path), expected="one word and its tag a line")
    return Dataset.of(
        name=path.stem, kind="tagged", inputs=sentences, source=str(path), fingerprint=fingerprint(sentences)
    )
