"""All data by name or path: bundled sets, generators, published sets, and the user's own files and folders."""

import os
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ganglion.data.dataset import Dataset, Kind
from ganglion.data.digests import fingerprint
from ganglion.data.formats.shards.layout import ending_of, is_pattern
from ganglion.data.formats.texts.encodings import guesses
from ganglion.data.paths import WRITTEN_AS_TEXT, read_file, read_folder, read_pattern
from ganglion.data.published import PUBLISHED
from ganglion.data.reading import obeyed
from ganglion.data.settings import DataSettings
from ganglion.data.sources.functions import is_formula
from ganglion.errors import ConfigurationError, DataError
from ganglion.files import named
from ganglion.settings import unknown_name


@dataclass(frozen=True)
class Entry:
    """A line of the catalogue."""

    name: str
    kind: Kind
    origin: str
    """bundled, generated or published."""
    summary: str


ENTRIES = (
    Entry("exam-marks", "tabular", "bundled", "30 candidates, three marks each, who passed or failed"),
    Entry("digits", "image", "bundled", "1797 handwritten digits of 8 x 8 pixels, grey"),
    Entry("photographs", "image", "bundled", "120 pieces of 64 x 64 pixels of two photographs, colour"),
    Entry("iris", "tabular", "bundled", "150 flowers of 3 species by 4 measures"),
    Entry("wine", "tabular", "bundled", "178 wines of 3 growers by 13 chemical measures"),
    Entry("breast-cancer", "tabular", "bundled", "569 tumours, malignant or benign, by 30 measures"),
    Entry("diabetes", "tabular", "bundled", "442 patients by 10 measures; the disease's progression is a quantity"),
    Entry("two-moons", "tabular", "generated", "1000 points of two interleaved half circles"),
    Entry("spirals", "tabular", "generated", "1000 points of two spirals, one inside the other"),
    Entry("xor", "tabular", "generated", "400 points at the corners of a square, opposite ones alike"),
    Entry("circles", "tabular", "generated", "1000 points of a circle inside another"),
    Entry("8-gaussians", "tabular", "generated", "4000 points in eight narrow clouds on a circle"),
    Entry("25-gaussians", "tabular", "generated", "5000 points in narrow clouds on a grid of five by five"),
    Entry("sine", "series", "generated", "1000 steps of a sine of period 25 with a little noise"),
    Entry("mackey-glass", "series", "generated", "2000 steps of a chaotic equation with delay 17"),
    Entry("geometric-brownian-motion", "series", "generated", "2520 days of a share price that cannot be foreseen"),
    Entry("waves", "short-series", "generated", "800 series of 64 steps: sines, squares, saws and noise"),
    Entry("heartbeats", "series", "generated", "6000 steps of a heart's voltage, and whether each is odd"),
    Entry("biscuits", "image", "generated", "1200 biscuits of 32 x 32 pixels, colour, most of them whole"),
    Entry("encoder-4-2-4", "tabular", "generated", "400 rows: one of four units is on, and its twin of four others"),
    Entry("encoder-8-3-8", "tabular", "generated", "800 rows: one of eight units is on, and its twin of eight others"),
    Entry("shifter", "tabular", "generated", "960 rows of four units, the row moved by one place or not, and which"),
    Entry("steps", "tabular", "generated", "1000 points of a function of stairs"),
    Entry("sawtooth", "tabular", "generated", "1000 points of a function of three teeth"),
    Entry("sine-wave", "tabular", "generated", "1000 points of two periods of a sine"),
    Entry("mexican-hat", "tabular", "generated", "1000 points of a bump in a ditch"),
    Entry("bars-and-stripes", "image", "generated", "all 30 images of 4 x 4 pixels of bars or of stripes"),
    Entry("faces", "image", "generated", "624 drawn faces of 30 x 32 pixels that look left, right, straight or up"),
    Entry(
        "cells", "image-masks", "generated", "160 drawn pictures of cells, 64 x 64 pixels, grey, with a mask for each"
    ),
    Entry(
        "drawn-facades",
        "image-pairs",
        "generated",
        "200 maps of houses of 64 x 64 pixels, and their fronts",
    ),
    Entry(
        "redrawn-photographs",
        "image",
        "generated",
        "1500 pieces of 32 x 32 pixels of two photographs, as they are and as four decoders draw them",
    ),
    Entry("shapes", "image-boxes", "generated", "120 pictures of discs, squares and triangles, with a box around each"),
    Entry(
        "pasted-faces", "image-boxes", "generated", "150 pieces of two photographs with drawn faces, a box around each"
    ),
    Entry("scenes", "captions", "generated", "10000 drawn scenes of 48 x 48 pixels, and what is seen in each"),
    Entry("unseen-pairs", "captions", "generated", "6000 such scenes, with things in the test part that only it shows"),
    Entry("road-scenes", "image", "generated", "6000 views of bright roads, 30 x 32 pixels, and where to steer"),
    Entry("mixed-road-scenes", "image", "generated", "6000 views of bright and dark roads, and where to steer"),
    Entry("driven-road-scenes", "image", "generated", "6000 views of bright roads by a driver who does not err"),
    Entry("tales", "text", "generated", "6000 sentences of a small grammar, with clauses within clauses"),
    Entry("opinions", "documents", "generated", "8000 opinions on films, for or against"),
    Entry("tagged-sentences", "tagged", "generated", "1000 sentences with the part of speech of each word"),
    Entry("lift", "tagged", "generated", "600 rides of a lift: commands, and the floor that each leads to"),
    Entry("notices", "documents", "generated", "1200 short notices on eight subjects, some on two"),
    Entry("film-ratings", "ratings", "generated", "8000 ratings of 120 films, from 1 to 5, by 240 people"),
    Entry("small-talk", "dialogues", "generated", "1500 dialogues about names, tables, trains, sums and pets"),
    Entry("dates", "text-pairs", "generated", "8000 dates as people write them, and as 1998-03-05"),
    Entry("voices", "sounds", "generated", "1000 made-up words, each one of ten, spoken by eight synthetic voices"),
    Entry("syllables", "transcripts", "generated", "1200 strings of syllables in the same voices, and their spelling"),
    Entry("sketches", "drawings", "generated", "2400 drawings of faces, fish, flowers and houses, line by line"),
    Entry("tunes", "tunes", "generated", "500 jigs, reels, waltzes and polkas in ABC, with chords"),
    Entry("moving-digits", "films", "generated", "2000 films of a digit that goes one of eight ways"),
    Entry("passing-digits", "films", "generated", "3500 films of a digit that passes behind a slit: which one"),
    Entry("turning-digits", "films", "generated", "1500 films of a digit that turns, with its way at every frame"),
    Entry("bouncing-digits", "films", "generated", "1500 films of a digit that bounces off the edges, to be continued"),
    Entry("mnist", "image", "published", "70000 handwritten digits of 28 x 28 pixels, grey"),
    Entry("fashion-mnist", "image", "published", "70000 pieces of clothing of 28 x 28 pixels, grey, in 10 classes"),
    Entry("cifar-10", "image", "published", "60000 photographs of 32 x 32 pixels, colour, in 10 classes"),
    Entry("moving-mnist", "films", "published", "2500 films of two bouncing digits of MNIST, 64 x 64 pixels"),
)


MOST_GUESSES = 3
"""Guesses of encodings that are said, of those of many files."""


def describe() -> tuple[Entry, ...]:
    """Return the names that `read` knows, with their kinds and a line on each.

    >>> describe()[0].name
    'exam-marks'
    """
    return ENTRIES


def read(source: str | Path, settings: DataSettings, kind: Kind | None = None) -> Dataset:
    """Read a data set by name or path.

    A published set is looked for in the folder `GANGLION_DATA/NAME` and in the cache, and is fetched only if
    `settings.download` says so. Any other folder in `GANGLION_DATA` has a name, too. A path is read by what lies
    there: IDX files, CIFAR-10, images, a table, arrays, text.

    Args:
        kind: what the data is wanted as, where a file could be several things: `series` reads a table in the order of
            its dates, `tabular` reads a `.txt` file as a table.

    Raises:
        DataError: nothing is there, or it cannot be read. The message says where was looked.

    >>> read("digits", DataSettings()).inputs.shape
    (1797, 8, 8, 1)
    """
    entry = next((entry for entry in ENTRIES if entry.name == str(source)), None)
    if isinstance(source, str) and is_formula(source):
        entry = Entry(source, "tabular", "generated", "points of a formula")
    with guesses() as guessed:
        dataset = _read_path(named(source), settings, kind) if entry is None else _read_entry(entry, settings)
    unsaid = [reason for reason in dict.fromkeys(guessed) if reason not in dataset.notes]
    dataset = replace(dataset, notes=(*dataset.notes, *unsaid[:MOST_GUESSES]))
    told = dataset.kind == "image" and bool(dataset.target_names)  # by a table beside the pictures
    is_text = entry is None and not dataset.source.lower().endswith((".npz", ".npy"))
    is_text = is_text and (entry is not None or ending_of(Path(dataset.source)) is None)
    of_text = told or dataset.kind in WRITTEN_AS_TEXT
    return obeyed(dataset, settings, is_text and of_text)


def _read_entry(entry: Entry, settings: DataSettings) -> Dataset:
    if entry.origin == "bundled":
        from ganglion.data.sources.bundled import read_bundled

        return read_bundled(entry.name)
    if entry.origin == "generated":
        from ganglion.data.sources.generators import generate

        return generate(entry.name)
    if entry.name == "moving-mnist":
        return _moving_mnist(_read_published("mnist", settings))
    return _read_published(entry.name, settings)


def _moving_mnist(mnist: Dataset) -> Dataset:
    from ganglion.data.sources.moving_digits import moving_mnist

    made = moving_mnist(np.asarray(mnist.inputs), np.asarray(mnist.test_inputs))
    digest = fingerprint(*(np.asarray(one["inputs"].values) for one in (made.fields, made.test_fields)))
    return replace(made, name="moving-mnist", source="moving-mnist", fingerprint=digest, notes=mnist.notes)


def cache_folder() -> Path:
    """Return where fetched sets are kept."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "ganglion" / "data"


def _read_published(name: str, settings: DataSettings) -> Dataset:
    """Read a published set from the first place that has all of it, or fetch it."""
    places = [Path(os.environ["GANGLION_DATA"]) / name] if os.environ.get("GANGLION_DATA") else []
    places.append(cache_folder() / name)
    folder = next((place for place in places if _holds(name, place)), None)
    if folder is None and settings.download:
        from ganglion.data.sources.download import RemoteFile, fetch

        folder = places[-1]
        fetch([RemoteFile(*file) for file in PUBLISHED[name].files], PUBLISHED[name].mirrors, folder)
    if folder is None:
        raise DataError(
            f"{name} is not on this machine",
            where=", ".join(map(str, places)) + ("" if len(places) > 1 else " (GANGLION_DATA is not set)"),
            remedy="fetch it with --download, or give its folder with --data PATH",
        )
    if name == "cifar-10":
        from ganglion.data.formats.images.cifar import read_cifar

        dataset = read_cifar(folder)
    else:
        from ganglion.data.formats.images.idx import read_idx_folder

        dataset = read_idx_folder(folder, PUBLISHED[name].label_names)
    return replace(dataset.with_note(f"read from {folder}"), name=name, source=name)


def _holds(name: str, folder: Path) -> bool:
    if name == "cifar-10":
        from ganglion.data.formats.images.cifar import find_cifar

        return bool(find_cifar(folder))
    stems = [file.removesuffix(".gz") for file, _ in PUBLISHED[name].files]
    return all((folder / stem).is_file() or (folder / f"{stem}.gz").is_file() for stem in stems)


def _read_path(path: Path, settings: DataSettings, kind: Kind | None) -> Dataset:
    if is_pattern(path):
        return read_pattern(path, settings, kind)
    if not path.exists():
        if path.name == str(path) and not path.suffix:  # It looks like a name, not like a path.
            return _read_named(path.name, settings, kind)
        raise DataError(
            "there is no such file or folder",
            where=str(path),
            remedy="give a path that exists, or one of the names that `ganglion data list` shows",
        )
    return (read_folder if path.is_dir() else read_file)(path, settings, kind)


def _read_named(name: str, settings: DataSettings, kind: Kind | None) -> Dataset:
    """Read a folder below `GANGLION_DATA` that is no published set."""
    below = os.environ.get("GANGLION_DATA")
    folder = Path(below, name) if below else None
    if folder is not None and folder.is_dir():
        return replace(read_folder(folder, settings, kind).with_note(f"read from {folder}"), name=name)
    raise _no_such_set(name, below)


def _no_such_set(name: str, below: str | None) -> ConfigurationError:
    error = unknown_name("data set", name, [entry.name for entry in ENTRIES], where="--data")
    path = "give a path" + (f", or the name of a folder in {below}" if below else "")
    error.remedy = "; ".join(filter(None, (error.remedy, path)))
    return error
