"""Files of kinds that were tried once and went on in silence, or were refused without a way out."""

import gzip
import json
from pathlib import Path

import numpy as np
from PIL import Image

from tests.hostile.case import accepted, put, refused

RECORDS = [{"a": number / 7, "kind": ("cat", "dog")[number % 2]} for number in range(40)]
LINES = "".join(json.dumps(record) + "\n" for record in RECORDS)
NO_TABLES: dict[str, tuple[str, str | bytes, str]] = {
    "lines of JSON called CSV": ("t.csv", LINES, "this is JSON"),
    "JSON called CSV": ("t.csv", json.dumps(RECORDS, indent=1), "this is JSON"),
    "a web page called CSV": ("t.csv", "\n<!DOCTYPE html>\n<html><body>404, not found</body></html>\n", "web page"),
    "XML called CSV": ("t.csv", '<?xml version="1.0"?>\n<a>\n<b>1</b>\n</a>\n', "web page or XML"),
    "records in lines of JSON": ("t.jsonl", LINES, "save records as CSV"),
    "a packed table": ("t.csv.gz", gzip.compress(b"a,b\n1,2\n"), "unpack it first"),
    "ARFF": ("t.arff", "@relation t\n@data\n1,2\n", "save the table as CSV"),
    "PDF": ("t.pdf", "%PDF-1.4\n", "plain text"),
}
for name, (file, content, said) in NO_TABLES.items():
    refused("table", name, said)(lambda folder, file=file, content=content: put(folder / file, content))


@refused("table", "two currencies", "'$10'", "'€11'")
def _(folder: Path) -> Path:
    rows = "".join(f"{'$€'[n % 2]}{n % 90 + 10},{n % 3}\n" for n in range(120))
    return put(folder / "t.csv", "price,kind\n" + rows)


def dated(folder: Path, unit: str) -> Path:
    """Write a series in which one date occurs twice."""
    dates = (np.datetime64("2024-01-01") + np.arange(200).astype(f"timedelta64[{unit}]")).astype(str).tolist()
    rows = [f"{date},{number % 9}" for number, date in enumerate(dates)]
    return put(folder / "s.csv", "date,v\n" + "\n".join([*rows, rows[7]]) + "\n")


@refused("series", "a day that occurs twice", "1 dates occur more than once", wanted="series")
def _(folder: Path) -> Path:
    return dated(folder, "D")


@accepted("series", "an hour that occurs twice, as clocks are turned", "1 dates occur more than once", wanted="series")
def _(folder: Path) -> Path:
    return dated(folder, "h")


@accepted("series", "French months", "2000-01-01 to 2004-12-01", wanted="series")
def _(folder: Path) -> Path:
    months = ["janv.", "févr.", "mars", "avr.", "mai", "juin", "juil.", "août", "sept.", "oct.", "nov.", "déc."]
    rows = "".join(f"{months[n % 12]} {2000 + n // 12};{n % 7}\n" for n in range(60))
    return put(folder / "s.csv", "mois;valeur\n" + rows)


def pets(folder: Path) -> Path:
    for label in ("cat", "dog"):
        (folder / label).mkdir()
        for number in range(8):
            Image.fromarray(np.full((8, 8, 3), 20 * number, np.uint8)).save(folder / label / f"{number}.png")
    return folder


@accepted("image", "the raw form of a picture beside it")
def _(folder: Path) -> Path:
    put(pets(folder) / "cat" / "7.dng", b"the raw form of 7.png")
    return folder


@refused("image", "one icon among pictures", "99.ICO")
def _(folder: Path) -> Path:
    put(pets(folder) / "dog" / "99.ICO", b"a picture of its own")
    return folder


@accepted("text", "titles beside texts", "left out", "title", wanted="documents")
def _(folder: Path) -> Path:
    rows = "".join(f"title {n % 9},a text of some {n % 7} words,{('for', 'against')[n % 2]}\n" for n in range(40))
    return put(folder / "t.csv", "title,body,label\n" + rows)
