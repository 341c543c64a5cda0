"""Sets of labelled texts of many kinds: long and short, few and many, many classes, uneven ones, other scripts.

Real ones are read from the folder named by GANGLION_DATA; others are made of them, or generated.
"""

import csv
import os
import re
import tarfile
import unicodedata
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import yaml

from ganglion.data.dataset import Dataset
from ganglion.data.preprocessing import words
from ganglion.data.sources.generators import generate

Pairs = list[tuple[str, str]]
"""Texts, each with its class."""


def folder() -> Path:
    """Return where the real sets lie."""
    return Path(os.environ["GANGLION_DATA"])


def lines(*parts: str, encoding: str = "utf-8") -> list[str]:
    """Return the lines of a file of the folder."""
    return folder().joinpath(*parts).read_text(encoding=encoding).splitlines()


def some(pairs: Iterable[tuple[str, str]], most: int) -> Pairs:
    """Return at most so many pairs, drawn without repetition in an order that is always the same."""
    every = list(pairs)
    return [every[place] for place in np.random.default_rng(0).permutation(len(every))[:most]]


def news() -> Pairs:
    with (folder() / "ag-news" / "test.csv").open(encoding="utf-8", newline="") as file:
        return [(f"{title} {text}", name) for name, title, text in csv.reader(file)]


def posts() -> Pairs:
    with tarfile.open(folder() / "mini-newsgroups" / "mini_newsgroups.tar.gz") as archive:
        files = [(one.name.split("/")[-2], archive.extractfile(one)) for one in archive if one.isfile()]
        return [(file.read().decode("latin-1"), group) for group, file in files if file is not None]


def posts_without_headers() -> Pairs:
    return [(text.partition("\n\n")[2].strip() or text, group) for text, group in posts()]


def films() -> Pairs:
    names = {"pos": "for", "neg": "against"}
    return [(line, name) for end, name in names.items() for line in lines("rt-polarity", f"rt-polarity.{end}")]


def few_films() -> Pairs:
    return some(films(), 400)


def sentences(name: str) -> Pairs:
    """Return sentences of the Stanford Sentiment Treebank, `fine` or `binary`, its training part."""
    rows = (line.split(" ", 1) for line in lines("sst", f"stsa.{name}.train", encoding="latin-1"))
    return [(text, label) for label, text in rows]


def utterances(code: str, most: int = 6000) -> Pairs:
    """Return what is said in everyday dialogues, with its `act` or `emotion`."""
    with zipfile.ZipFile(folder() / "dailydialog" / "validation.zip") as archive:
        said = archive.read("validation/dialogues_validation.txt").decode().splitlines()
        codes = archive.read(f"validation/dialogues_{code}_validation.txt").decode().splitlines()
    pairs = []
    for dialogue, numbers in zip(said, codes, strict=True):
        pairs += list(zip(dialogue.split("__eou__"), numbers.split(), strict=False))
    return some(((text.strip(), number) for text, number in pairs if text.strip()), most)


ASKED = ("pourquoi", "comment", "combien", "où", "quand", "qui", "quel", "est-ce que")
"""What French questions ask by, looked for in this order."""


def questions() -> Pairs:
    """Return English questions, with the word that their French translation asks by: short, uneven, order counts."""
    text = zipfile.ZipFile(folder() / "tatoeba-eng-fra" / "fra-eng.zip").read("fra.txt").decode("utf-8")
    pairs = {}
    for line in text.splitlines():
        english, french, *_ = line.split("\t")
        if english.endswith("?") and english not in pairs and len(english.split()) >= 5:
            said = re.sub(r"[’']", " ", french.lower())
            pairs[english] = next((word for word in ASKED if re.search(rf"\b{word}", said)), "other")
    plain = some(((text, word) for text, word in pairs.items() if word == "other"), 1000)
    return some([pair for pair in pairs.items() if pair[1] != "other"] + plain, 5500)


def talk() -> Pairs:
    """Return lines of talk with their topic, of some thirty lines and more each."""
    pairs = []
    for path in sorted((folder() / "chatterbot-corpus").glob("*.yml")):
        if path.stem == "trivia":  # which is no YAML
            continue
        talks = yaml.safe_load(path.read_text(encoding="utf-8"))["conversations"]
        pairs += [(str(line), path.stem) for turns in talks for line in turns if str(line).strip()]
    unique = dict(pairs)
    common = Counter(unique.values())
    return [(text, name) for text, name in unique.items() if common[name] >= 30]


def speeches() -> Pairs:
    """Return speeches of the twelve who speak most in Shakespeare's plays."""
    text = folder().joinpath("tinyshakespeare", "input.txt").read_text(encoding="utf-8")
    pairs = [(said, name) for name, _, said in (part.partition(":\n") for part in text.split("\n\n")) if said.strip()]
    most = {name for name, _ in Counter(name for _, name in pairs).most_common(12)}
    return [(said, name) for said, name in pairs if name in most]


def signs() -> Pairs:
    """Return opinions on films with two Chinese signs for each word and no space between them."""

    def written(text: str) -> str:
        numbers = (zlib.crc32(word.encode()) for word in words(text))
        return "".join(chr(0x4E00 + number % 900) + chr(0x4E00 + number // 900 % 900) for number in numbers)

    return [(written(text), name) for text, name in films()]


def letters() -> Pairs:
    """Return news in Cyrillic letters, without those accents that they cannot have."""
    cyrillic = str.maketrans("abcdefghijklmnopqrstuvwxyz", "абцдефгхийклмнопярстувщхыз")
    plain = (unicodedata.normalize("NFKD", text.lower()) for text, _ in news())
    pairs = zip((text.translate(cyrillic) for text in plain), (name for _, name in news()), strict=True)
    return some(pairs, 2000)


def generated(name: str) -> Dataset:
    return generate(name)


def named(pairs: Pairs, name: str) -> Dataset:
    """Return a data set of texts with their classes."""
    labels = tuple(sorted({label for _, label in pairs}))
    numbers = {label: number for number, label in enumerate(labels)}
    targets = np.array([numbers[label] for _, label in pairs], dtype=np.int64)
    texts: Sequence[str] = [text for text, _ in pairs]
    return Dataset.of(name=name, kind="documents", inputs=texts, targets=targets, label_names=labels)


SETS: dict[str, Callable[[], Pairs | Dataset]] = {
    "questions": questions,
    "ag-news": news,
    "mini-newsgroups": posts,
    "mini-newsgroups without headers": posts_without_headers,
    "rt-polarity": films,
    "400 of rt-polarity": few_films,
    "rt-polarity in Chinese signs": signs,
    "2000 of ag-news in Cyrillic": letters,
    "sst binary": lambda: sentences("binary"),
    "sst fine": lambda: sentences("fine"),
    "dailydialog acts": lambda: utterances("act"),
    "dailydialog emotions": lambda: utterances("emotion"),
    "chatterbot topics": talk,
    "speakers of tinyshakespeare": speeches,
    "opinions": lambda: generated("opinions"),
    "notices": lambda: generated("notices"),
}
"""What each set is called, and what reads it."""


def read(name: str) -> Dataset:
    """Return one of `SETS`."""
    found = SETS[name]()
    return found if isinstance(found, Dataset) else named(found, name)
