"""All data by name or path: bundled sets, generators, published sets, and the user's own files and folders."""

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from ganglion.data.dataset import Dataset, Kind
from ganglion.data.formats.tables import SUFFIXES
from ganglion.data.reading import obeyed
from ganglion.data.settings import DataSettings
from ganglion.errors import DataError, UsageError
from ganglion.files import named, regular
from ganglion.settings import unknown_name


@dataclass(frozen=True)
class Published:
    """A published set: how it is read, and where it can be fetched."""

    label_names: tuple[str, ...]
    files: tuple[tuple[str, str], ...]
    """Name and SHA-256 of each file."""
    mirrors: tuple[str, ...]


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
    Entry("shapes", "image-boxes", "generated", "120 pictures of discs, squares and triangles, with a box around each"),
    Entry("tales", "text", "generated", "6000 sentences of a small grammar, with clauses within clauses"),
    Entry("opinions", "documents", "generated", "8000 opinions on films, for or against"),
    Entry("tagged-sentences", "tagged", "generated", "1000 sentences with the part of speech of each word"),
    Entry("lift", "tagged", "generated", "600 rides of a lift: commands, and the floor that each leads to"),
    Entry("notices", "documents", "generated", "1200 short notices on eight subjects, some on two"),
    Entry("film-ratings", "ratings", "generated", "8000 ratings of 120 films, from 1 to 5, by 240 people"),
    Entry("dates", "text-pairs", "generated", "8000 dates as people write them, and as 1998-03-05"),
    Entry("mnist", "image", "published", "70000 handwritten digits of 28 x 28 pixels, grey"),
    Entry("fashion-mnist", "image", "published", "70000 pieces of clothing of 28 x 28 pixels, grey, in 10 classes"),
    Entry("cifar-10", "image", "published", "60000 photographs of 32 x 32 pixels, colour, in 10 classes"),
)

DIGITS = tuple("0123456789")
CLOTHING = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip

PUBLISHED = {
    "mnist": Published(
        DIGITS,
        (
            ("train-images-idx3-ubyte.gz", "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"),
            ("train-labels-idx1-ubyte.gz", "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"),
            ("t10k-images-idx3-ubyte.gz", "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"),
            ("t10k-labels-idx1-ubyte.gz", "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"),
        ),
        ("https://ossci-datasets.s3.amazonaws.com/mnist", "https://storage.googleapis.com/cvdf-datasets/mnist"),
    ),
    "fashion-mnist": Published(
        CLOTHING,
        (
            ("train-images-idx3-ubyte.gz", "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"),
            ("train-labels-idx1-ubyte.gz", "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"),
            ("t10k-images-idx3-ubyte.gz", "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"),
            ("t10k-labels-idx1-ubyte.gz", "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"),
        ),
        (
            "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion",
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
        ),
    ),
    "cifar-10": Published(
        (),
        (("cifar-10-binary.tar.gz", "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"),),
        (
            "https://www.cs.toronto.edu/~kriz",
            "https://storage.googleapis.com/s4tf-hosted-binaries/datasets/CIFAR10",
        ),
    ),
}


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
    dataset = _read_path(named(source), settings, kind) if entry is None else _read_entry(entry, settings)
    told = dataset.kind == "image" and bool(dataset.target_names)  # by a table beside the pictures
    is_text = entry is None and not dataset.source.lower().endswith((".npz", ".npy", ".parquet"))
    of_text = told or dataset.kind in WRITTEN_AS_TEXT
    return obeyed(dataset, settings, is_text and of_text)


def _read_entry(entry: Entry, settings: DataSettings) -> Dataset:
    if entry.origin == "bundled":
        from ganglion.data.sources.bundled import read_bundled

        return read_bundled(entry.name)
    if entry.origin == "generated":
        from ganglion.data.sources.generators import generate

        return generate(entry.name)
    return _read_published(entry.name, settings)


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
        from ganglion.data.formats.cifar import read_cifar

        dataset = read_cifar(folder)
    else:
        from ganglion.data.formats.idx import read_idx_folder

        dataset = read_idx_folder(folder, PUBLISHED[name].label_names)
    return replace(dataset.with_note(f"read from {folder}"), name=name, source=name)


def _holds(name: str, folder: Path) -> bool:
    if name == "cifar-10":
        from ganglion.data.formats.cifar import find_cifar

        return bool(find_cifar(folder))
    stems = [file.removesuffix(".gz") for file, _ in PUBLISHED[name].files]
    return all((folder / stem).is_file() or (folder / f"{stem}.gz").is_file() for stem in stems)


def _read_path(path: Path, settings: DataSettings, kind: Kind | None) -> Dataset:
    if not path.exists():
        if path.name == str(path) and not path.suffix:  # It looks like a name, not like a path.
            return _read_named(path.name, settings, kind)
        raise DataError(
            "there is no such file or folder",
            where=str(path),
            remedy="give a path that exists, or one of the names that `ganglion data list` shows",
        )
    return (_read_folder if path.is_dir() else _read_file)(path, settings, kind)


def _read_named(name: str, settings: DataSettings, kind: Kind | None) -> Dataset:
    """Read a folder below `GANGLION_DATA` that is no published set."""
    below = os.environ.get("GANGLION_DATA")
    folder = Path(below, name) if below else None
    if folder is not None and folder.is_dir():
        return replace(_read_folder(folder, settings, kind).with_note(f"read from {folder}"), name=name)
    error = unknown_name("data set", name, [entry.name for entry in ENTRIES], where="--data")
    path = "give a path" + (f", or the name of a folder in {below}" if below else "")
    error.remedy = "; ".join(filter(None, (error.remedy, path)))
    raise error


def _read_folder(folder: Path, settings: DataSettings, kind: Kind | None) -> Dataset:
    """Read a folder by what lies in it, or as what is wanted."""
    if kind == "documents":
        from ganglion.data.formats.texts.document_folders import read_document_folder

        return read_document_folder(folder, settings)
    if kind == "text-pairs":
        from ganglion.data.formats.texts.pairs import read_pair_folder

        return read_pair_folder(folder, settings)
    if kind == "text":
        from ganglion.data.formats.text import read_text_folder

        return read_text_folder(folder, settings)
    if kind == "ratings":
        from ganglion.data.formats.ratings import read_ratings

        return read_ratings(folder, settings)
    from ganglion.data.formats.cifar import find_cifar, read_cifar
    from ganglion.data.formats.folder_layout import describes
    from ganglion.data.formats.idx import find_idx, read_idx_folder
    from ganglion.data.formats.image_files import is_image

    try:
        with os.scandir(folder) as entries:
            content = {entry.name: entry.is_dir() for entry in entries}
    except OSError as error:
        raise DataError(
            "this folder cannot be read",
            where=str(folder),
            found=error.strerror or str(error),
            remedy="look at its rights, or give another folder",
        ) from error
    if find_cifar(folder):
        return read_cifar(folder)
    if find_idx(folder):
        known = PUBLISHED.get(folder.name)
        return read_idx_folder(folder, known.label_names if known else ())
    beside = any(content.values()) or any(name.lower().endswith((".xml", ".json")) for name in content)
    together = _images_together(folder, settings, kind) if beside or kind in TOGETHER else None
    if together is not None:
        return together
    has_images = any(is_folder or is_image(name) for name, is_folder in content.items())
    readable = (name for name in sorted(content) if name.lower().endswith(tuple(READERS)) and not describes(name))
    files = [folder / name for name in readable]
    if has_images and kind in (None, "image"):
        from ganglion.data.formats.labelled_pictures import find_labelled

        labelled = find_labelled(folder, settings)
        if labelled is not None:
            return labelled
    tables = {path.stem.lower(): path for path in files if path.suffix.lower() in SUFFIXES}
    if "train" in tables and "test" in tables and kind != "series":
        from ganglion.data.formats.tabular import read_tabular

        return read_tabular(tables["train"], settings, tables["test"])
    if len(files) == 1 and not has_images:
        return _read_file(files[0], settings, kind)
    if files and not has_images:
        raise UsageError(
            "this folder holds several files",
            where=str(folder),
            found=", ".join(path.name for path in files[:10]),
            remedy="give the path of one of them",
        )
    from ganglion.data.formats.image_folders import read_images

    return read_images(folder, settings)


def _images_together(folder: Path, settings: DataSettings, kind: Kind | None) -> Dataset | None:
    """Read images with their masks or boxes, pairs or two domains, where the folder or what is wanted says so."""
    from ganglion.data.formats.image_boxes import find_boxed, read_boxed
    from ganglion.data.formats.image_masks import find_masked, read_masked
    from ganglion.data.formats.image_pairs import find_pairs, read_halves, read_two_folders
    from ganglion.data.formats.outlines import read_outlined

    asked = kind in ("image-pairs", "image-domains")
    if kind in (None, "image-masks"):
        masked = find_masked(folder, settings, asked=kind == "image-masks")
        if masked is not None:
            return read_masked(folder, masked, settings)
    if kind == "image-masks" and (files := find_boxed(folder)) and files[0].suffix == ".json":
        return read_outlined(folder, files, settings)
    if kind in (None, "image-boxes") and (files := find_boxed(folder)):
        return read_boxed(folder, files, settings)
    if kind is None or asked:
        pairs = find_pairs(folder, settings, asked)
        if pairs is not None:
            return read_two_folders(folder, pairs, settings, paired=(kind == "image-pairs") if asked else None)
    return read_halves(folder, settings) if kind == "image-pairs" else None


def _read_file(path: Path, settings: DataSettings, kind: Kind | None) -> Dataset:
    """Read a file by its ending, or as what is wanted."""
    if kind in TEXTS and path.suffix.lower() not in PROGRAMS:
        return TEXTS[kind](regular(path), settings, kind)
    if ".idx" in path.name.lower() or "-idx" in path.name.lower():
        from ganglion.data.formats.idx import read_idx_folder

        return read_idx_folder(path)
    suffix = path.suffix.lower()
    regular(path)
    if suffix in PROGRAMS:
        raise DataError(
            "files of this kind can run programs when they are read, and are never opened",
            where=str(path),
            remedy="save plain arrays with numpy.savez, or a network's weights with safetensors",
        )
    if suffix not in READERS:
        is_sheet = suffix in (".xls", ".ods", ".numbers")
        raise DataError(
            "files of this kind cannot be read as a data set",
            where=str(path),
            expected=f"a folder, or a file ending in {', '.join(READERS)}",
            remedy="save the sheet as CSV or as .xlsx" if is_sheet else "for images give the folder they lie in",
        )
    return READERS[suffix](path, settings, kind)


def _table(path: Path, settings: DataSettings, kind: Kind | None) -> Dataset:
    if kind == "short-series":
        from ganglion.data.formats.short_series import as_short_series
        from ganglion.data.formats.tabular import read_tabular

        return as_short_series(read_tabular(path, settings))
    if kind == "series":
        from ganglion.data.formats.series.reading import read_series

        return read_series(path, settings)
    from ganglion.data.formats.tabular import read_tabular

    return read_tabular(path, settings)


def _arrays(path: Path, settings: DataSettings, kind: Kind | None) -> Dataset:
    from ganglion.data.formats.npz import read_arrays

    return read_arrays(path, settings, kind)


def _text(path: Path, settings: DataSettings, kind: Kind | None) -> Dataset:
    if kind in ("tabular", "series", "short-series"):
        return _table(path, settings, kind)
    from ganglion.data.formats.text import read_texts

    return read_texts(path, settings)


def _documents(path: Path, settings: DataSettings, kind: Kind | None) -> Dataset:
    from ganglion.data.formats.texts.documents import read_documents

    return read_documents(path, settings)


def _tagged(path: Path, settings: DataSettings, kind: Kind | None) -> Dataset:
    from ganglion.data.formats.texts.tagged import read_tagged

    return read_tagged(path, settings)


def _ratings(path: Path, settings: DataSettings, kind: Kind | None) -> Dataset:
    if path.suffix.lower() in (".npz", ".npy"):
        return _arrays(path, settings, kind)
    from ganglion.data.formats.ratings import read_ratings

    return read_ratings(path, settings)


def _pairs(path: Path, settings: DataSettings, kind: Kind | None) -> Dataset:
    from ganglion.data.formats.texts.pairs import read_pairs

    return read_pairs(path, settings)


TOGETHER: tuple[Kind, ...] = ("image-pairs", "image-domains", "image-masks", "image-boxes")
"""Kinds of data that are several fields of images."""
PROGRAMS = (".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".joblib", ".h5", ".keras")
"""Endings of what other libraries pickle."""
WRITTEN_AS_TEXT: tuple[Kind, ...] = (
    "tabular",
    "series",
    "short-series",
    "text",
    "documents",
    "tagged",
    "ratings",
    "text-pairs",
)
"""Kinds of data whose reader obeys what is said of how a file is written."""
Reader = Callable[[Path, DataSettings, Kind | None], Dataset]
TEXTS: dict[Kind | None, Reader] = {
    "text": _text,
    "documents": _documents,
    "tagged": _tagged,
    "ratings": _ratings,
    "text-pairs": _pairs,
}
"""How a file of any ending is read for those who want its text."""
READERS: dict[str, Reader] = {
    **dict.fromkeys(SUFFIXES, _table),
    **dict.fromkeys((".npz", ".npy"), _arrays),
    **dict.fromkeys((".txt", ".md"), _text),
}
