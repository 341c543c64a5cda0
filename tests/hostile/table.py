# ruff: noqa: E501
"""Writes `docs/input-table.md`: python -m tests.hostile.table [broken files for each reader].

With names of kinds (`prices index`) only their rows are measured, and all others stay as they are.
"""

import shutil
import sys
import tempfile
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import ganglion
from ganglion.data.formats.images.files import MOST_PIXELS
from tests.hostile import (
    archives,
    arrays,
    captions,
    dialogues,
    drawings,
    films,
    fresh,
    images,
    seen,
    shards,
    sounds,
    systems,
    tables,
    test_run_folders,
    texts,
    tunes,
    uses,
)
from tests.hostile.bounded import MOST_BYTES, MOST_SECONDS, Outcome, attempt
from tests.hostile.case import CASES, Case
from tests.hostile.conftest import TINY
from tests.hostile.entries import read_and_judge
from tests.hostile.mutation import READERS, fuzz
from tests.hostile.payloads import files
from tests.hostile.test_fuzz import BLOCK
from tests.hostile.test_payloads import MOST_TOGETHER, doors, knock

PATH = Path(__file__).parents[2] / "docs" / "input-table.md"
KINDS = {
    "table": "Tables: CSV of all dialects, Parquet",
    "shards": "Many files: Parquet, tar archives of pictures",
    "text": "Texts",
    "image": "Folders of images",
    "labels": "Pictures with a table of labels",
    "captions": "Pictures with captions",
    "sound": "Folders of sounds",
    "films": "Films: animated pictures, videos, folders of frames",
    "dialogues": "Dialogues",
    "tunes": "Tunes in ABC",
    "archive": "Archives: tar, gzip, IDX",
    "array": "Arrays: NPY, NPZ",
    "drawing": "Drawings: arrays of moves, lines of JSON, SVG",
    "path": "Names that are no paths",
    "prices": "Prices for a trader",
    "series": "Series: tables in the order of their dates",
    "panel": "Several series in one table",
    "domains": "Unpaired pictures of two kinds",
    "pieces": "Pictures that are made larger: for an upscaler, srgan and lapgan",
    "index": "Folders that are searched, and the codes kept of them",
    "compressor": "Pictures to compress",
    "faces": "Faces in boxes, for a detector of faces",
    "roads": "Roads with directions, for steering",
    "drawn texts": "Pictures with texts to draw from, for StackGAN",
    "forgeries": "Real pictures beside generated ones",
    "masks": "Pictures with masks, for unet",
    "boxes": "Pictures with boxes, for fast-rcnn",
    "answers": "Pictures with quantities or labels, for networks that look at pictures",
    "asked": "Odd pictures that such runs are asked about",
    "weights": "Weights that training starts from",
}
REGISTERED = (
    archives,
    arrays,
    captions,
    dialogues,
    drawings,
    films,
    fresh,
    images,
    seen,
    shards,
    sounds,
    systems,
    tables,
    texts,
    tunes,
    uses,
)
assert all(REGISTERED)  # They have registered their cases.


@dataclass
class Row:
    """A line of the table."""

    kind: str
    cases: int = 0
    refused: int = 0
    read: int = 0
    seconds: float = 0.0
    bytes: int = 0

    def add(self, outcome: Outcome) -> None:
        if outcome.defect:
            raise RuntimeError(f"{self.kind}: {outcome.defect}")
        self.cases += 1
        self.refused += outcome.error is not None
        self.read += outcome.error is None
        self.measure(outcome)

    def measure(self, outcome: Outcome) -> None:
        self.seconds, self.bytes = max(self.seconds, outcome.seconds), max(self.bytes, outcome.bytes)

    def __str__(self) -> str:
        cells = (
            f"{self.cases:,}",
            f"{self.refused:,}",
            f"{self.read:,}",
            f"{1000 * self.seconds:,.{0 if self.seconds >= 0.01 else 1}f} ms",
            f"{self.bytes >> 20} MB",
        )
        return f"| {self.kind} | {' | '.join(cells)} |"


def data_rows(folder: Path, kinds: Collection[str] = KINDS) -> Iterator[Row]:
    for kind, title in KINDS.items():
        if kind not in kinds:
            continue
        row = Row(title)
        for number, case in enumerate(case for case in CASES if case.kind == kind):
            row.add(_tried(case, folder / f"{kind}-{number}"))
        yield row


def _tried(case: Case, place: Path) -> Outcome:
    place.mkdir()
    try:
        return attempt(case.through or read_and_judge, case.make(place), case.wanted)
    finally:
        shutil.rmtree(place)


def run_rows(folder: Path, run: Path) -> Iterator[Row]:
    def damaged(damage: Callable[[Path], None]) -> Outcome:
        copy = folder / "copy"
        shutil.copytree(run, copy)
        try:
            damage(copy)
            return attempt(test_run_folders.use, copy)
        finally:
            shutil.rmtree(copy)

    def with_weights(content: bytes) -> Callable[[Path], None]:
        def damage(copy: Path) -> None:
            for path in (copy / "checkpoints").glob("step-*/weights.safetensors"):
                path.write_bytes(content)
            test_run_folders.resign(copy)

        return damage

    def with_text(content: str | bytes) -> Callable[[Path], None]:
        raw = content if isinstance(content, bytes) else content.encode()
        return lambda copy: (copy / "config.json").write_bytes(raw) and None

    weights, texts_, settings = (Row(f"Run folders: {what}") for what in ("headers of tensors", "JSON", "settings"))
    for content in test_run_folders.SAFETENSORS.values():
        weights.add(damaged(with_weights(content)))
    for text in test_run_folders.BROKEN.values():
        texts_.add(damaged(with_text(text)))
    for values, _ in test_run_folders.SETTINGS.values():
        settings.add(damaged(lambda copy, values=values: test_run_folders.changed(copy, **values)))
    yield from (weights, texts_, settings)


def payload_row(folder: Path, run: Path, pictures: Path) -> Row:
    """Try every way in with every pickle. One attempt opens many files, so its time is shared among them."""
    canary, place = folder / "canary", folder / "payloads"
    place.mkdir()
    paths = files(place, canary)
    row = Row(f"Pickles, each by {len(doors(place, run, pictures))} ways in (0 executed)")
    for start in range(0, len(paths), MOST_TOGETHER):
        chunk = paths[start : start + MOST_TOGETHER]
        outcome = attempt(knock, chunk, run, pictures)
        if outcome.defect or outcome.value != "[]" or canary.exists():
            raise RuntimeError(f"{outcome.defect} {outcome.value}")
        row.cases, row.refused = row.cases + len(chunk), row.refused + len(chunk)
        row.seconds, row.bytes = max(row.seconds, outcome.seconds / len(chunk)), max(row.bytes, outcome.bytes)
    return row


def fuzz_rows(folder: Path, count: int) -> Iterator[Row]:
    """Read files that chance has broken. The time is the mean of the slowest block."""
    for reader in READERS:
        row = Row(f"Chance: {reader}", cases=count)
        for start in range(0, count, BLOCK):
            size = min(BLOCK, count - start)
            outcome = attempt(fuzz, reader, start, size, folder, patience=600)
            if outcome.defect or outcome.error:
                raise RuntimeError(f"{reader}: {outcome.defect} {outcome.error}")
            refused, read = map(int, outcome.value.strip("()").split(","))
            row.refused, row.read = row.refused + refused, row.read + read
            row.seconds, row.bytes = max(row.seconds, outcome.seconds / size), max(row.bytes, outcome.bytes)
        yield row


def rewrite(kinds: Collection[str]) -> None:
    """Measure the rows of some kinds of data anew; a new one comes behind the others of data."""
    lines = PATH.read_text(encoding="utf-8").splitlines()
    with tempfile.TemporaryDirectory() as name:
        for row in data_rows(Path(name), kinds):
            known = [place for place, line in enumerate(lines) if line.startswith(f"| {row.kind} |")]
            last = next(place for place, line in enumerate(lines) if line.startswith("| Run folders"))
            lines[known[0] if known else last : (known[0] + 1) if known else last] = [str(row)]
    PATH.write_text("\n".join(lines) + "\n", encoding="utf-8")


def write(count: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run, pictures = (ganglion.train(name, out=folder / name, **TINY[name]).folder for name in ("mlp", "lenet5"))
        rows = [*data_rows(folder), *run_rows(folder, run), payload_row(folder, run, pictures)]
        rows += fuzz_rows(folder, count)
    head = "| input | cases | refused | read | slowest | most memory |\n|---|---:|---:|---:|---:|---:|\n"
    PATH.write_text(
        "# Inputs that are refused\n\n"
        "Written by `python -m tests.hostile.table`; do not edit. Every input is read in a process of its own. A\n"
        "refusal is one error that says what is wrong and where, what was expected and found, and what to do; never a\n"
        "traceback. What is odd but harmless is read, and said so in a note. *Chance* are files of which a few bytes\n"
        "were turned, cut, doubled, moved or replaced; their time is the mean of the slowest block of files. What these\n"
        "inputs uncovered in ganglion is in [defects.md](defects.md).\n\n"
        f"Bounds: {MOST_SECONDS:g} s of one processor and {MOST_BYTES >> 20} MB beyond what the process had before. An\n"
        f"image of up to {MOST_PIXELS:,} pixels is none too large, and takes what its pixels take.\n\n"
        + head
        + "\n".join(map(str, rows))
        + "\n",
        encoding="utf-8",
    )
    print(PATH.read_text(encoding="utf-8"))


if __name__ == "__main__":
    if sys.argv[1:] and sys.argv[1] in KINDS:
        rewrite(sys.argv[1:])
    else:
        write(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
