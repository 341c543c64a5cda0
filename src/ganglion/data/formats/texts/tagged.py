"""Sentences with a tag for each word, in columns as the shared tasks of the field give them."""

import re
from pathlib import Path

from ganglion.data.dataset import Dataset
from ganglion.data.digests import fingerprint
from ganglion.data.formats.text import read_text
from ganglion.data.settings import DataSettings
from ganglion.errors import DataError

UNIVERSAL = re.compile(r"\d+([-.]\d+)?(\t[^\t]*){9}")
"""A line of CoNLL-U: the number of a word and nine columns."""
COMPOSED = re.compile(r"\d+[-.]\d+\t")
"""A line of CoNLL-U for a contraction of words, or for one that was left out of the sentence."""
SLASHED = re.compile(r"\S+/[^\s/]+(\s+\S+/[^\s/]+)+")
"""A sentence of words with their tags behind a slash."""


def read_tagged(path: Path, settings: DataSettings) -> Dataset:
    """Read sentences with a tag for each word, in the form that the lines show.

    One word a line and its tag last on the line, an empty line after each sentence, as CoNLL-2003 has it, `#` begins a
    remark; the ten columns of CoNLL-U, of which the second is the word and the fourth its part of speech, or the fifth
    where the fourth is empty; or a sentence a line, of words with their tags behind a slash.
    """
    lines = read_text(path, settings.encoding).split("\n")
    told = [line for line in lines if line.strip() and not line.startswith("#")]
    if told and all(UNIVERSAL.fullmatch(line) for line in told):
        lines = _of_universal(lines, told)
    elif told and all(SLASHED.fullmatch(line.strip()) for line in told):
        lines = [
            "\t".join(token.rsplit("/", 1)) if token else ""
            for line in told
            for token in [*line.split(), ""]
        ]  # fmt: skip
    return _read_columns(lines, path)


def _of_universal(lines: list[str], told: list[str]) -> list[str]:
    """Return words and tags of CoNLL-U, without contractions and words that were left out of the sentence."""
    place = 3 if any(line.split("\t")[3] != "_" for line in told) else 4
    kept = (line.split("\t") for line in lines if not line.startswith("#") and not COMPOSED.match(line))
    return ["\t".join((cells[1], cells[place])) if len(cells) > place else "" for cells in kept]


def _read_columns(lines: list[str], path: Path) -> Dataset:
    sentences: list[tuple[tuple[str, str], ...]] = []
    sentence: list[tuple[str, str]] = []
    for number, line in enumerate([*lines, ""], start=1):
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
