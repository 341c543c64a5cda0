"""Files and folders of the user's own: which reader they get, by what lies there and by what is wanted."""

import os
from collections.abc import Callable
from itertools import islice
from pathlib import Path

from ganglion.data.dataset import Dataset, Kind
from ganglion.data.formats.shards.layout import PARQUET, TAR, ending_of
from ganglion.data.formats.tables import SUFFIXES
from ganglion.data.published import PUBLISHED
from ganglion.data.settings import DataSettings
from ganglion.errors import DataError, UsageError
from ganglion.files import regular, walked


def read_folder(folder: Path, settings: DataSettings, kind: Kind | None) -> Dataset:
    """Read a folder as what is wanted, or by what lies in it."""
    if (folder / "config.json").is_file() and (folder / "checkpoints").is_dir():
        raise DataError(
            "this is the folder of a run, and no data",
            where=str(folder),
            remedy="give the data; what a run is asked comes after its name: ganglion predict RUN INPUT",
        )
    if kind is None and _holds_sounds(folder):
        kind = "sounds"
    return FOLDERS.get(kind, _by_content)(folder, settings, kind)


def _by_content(folder: Path, settings: DataSettings, kind: Kind | None) -> Dataset:
    """Read a folder by what lies in it: a published set, images, tables, or one file."""
    from ganglion.data.formats.folder_layout import describes
    from ganglion.data.formats.images.cifar import find_cifar, read_cifar
    from ganglion.data.formats.images.files import is_image
    from ganglion.data.formats.images.idx import find_idx, read_idx_folder

    content = _content(folder)
    if find_cifar(folder):
        return read_cifar(folder)
    if find_idx(folder):
        known = PUBLISHED.get(folder.name)
        return read_idx_folder(folder, known.label_names if known else ())
    shards = ending_of(folder)
    if kind in (None, *OF_TABLES) and shards == PARQUET:
        return _table(folder, settings, kind)
    if kind in (None, "image") and shards == TAR:
        return _archives(folder, settings, kind)
    beside = any(content.values()) or any(name.lower().endswith((".xml", ".json")) for name in content)
    together = _images_together(folder, settings, kind) if beside or kind in TOGETHER else None
    if together is not None:
        return together
    has_images = any(is_folder or is_image(name) for name, is_folder in content.items())
    readable = (name for name in sorted(content) if name.lower().endswith(tuple(READERS)) and not describes(name))
    files = [folder / name for name in readable]
    if has_images and kind in (None, "image"):
        from ganglion.data.formats.images.labelled import find_labelled

        labelled = find_labelled(folder, settings)
        if labelled is not None:
            return labelled
    if kind is None and files and all(path.suffix.lower() == ".abc" for path in files):
        return _tunes(folder, settings, "tunes")
    tables = {path.stem.lower(): path for path in files if path.suffix.lower() in SUFFIXES}
    if "train" in tables and "test" in tables and kind != "series":
        from ganglion.data.formats.tabular import read_tabular

        return read_tabular(tables["train"], settings, tables["test"])
    if len(files) == 1 and not has_images:
        return read_file(files[0], settings, kind)
    if files and not has_images:
        raise UsageError(
            "this folder holds several files",
            where=str(folder),
            found=", ".join(path.name for path in files[:10]),
            remedy="give the path of one of them",
        )
    from ganglion.data.formats.images.folders import read_images

    return read_images(folder, settings)


def _content(folder: Path) -> dict[str, bool]:
    """Return the names of what lies in a folder, and whether each is a folder itself."""
    try:
        with os.scandir(folder) as entries:
            return {entry.name: entry.is_dir() for entry in entries}
    except OSError as error:
        raise DataError(
            "this folder cannot be read",
            where=str(folder),
            found=error.strerror or str(error),
            remedy="look at its rights, or give another folder",
        ) from error


def _holds_sounds(folder: Path) -> bool:
    """Whether the first picture or sound in a folder, or in one of the first below it, is a sound."""
    from ganglion.data.formats.images.files import is_image
    from ganglion.data.formats.sounds.files import is_sound

    for _, names in islice(walked(folder), FIRST_FOLDERS):
        for name in names:
            if is_image(name) or is_sound(name):
                return is_sound(name)
    return False


def _images_together(folder: Path, settings: DataSettings, kind: Kind | None) -> Dataset | None:
    """Read images with their masks or boxes, pairs or two domains, where the folder or what is wanted says so."""
    from ganglion.data.formats.images.boxes import find_boxed, read_boxed
    from ganglion.data.formats.images.masks import find_masked, read_masked
    from ganglion.data.formats.images.outlines import read_outlined
    from ganglion.data.formats.images.pairs import find_pairs, read_halves, read_two_folders
    from ganglion.data.formats.images.pasted import find_pasted, read_pasted

    asked = kind in ("image-pairs", "image-domains")
    if kind in (None, "image-masks"):
        masked = find_masked(folder, settings, asked=kind == "image-masks")
        if masked is not None:
            return read_masked(folder, masked, settings)
    if kind == "image-masks" and (files := find_boxed(folder)) and files[0].suffix == ".json":
        return read_outlined(folder, files, settings)
    if kind in (None, "image-boxes") and (files := find_boxed(folder)):
        return read_boxed(folder, files, settings)
    if kind == "image-boxes" and find_pasted(folder):
        return read_pasted(folder, settings)
    if kind is None or asked:
        pairs = find_pairs(folder, settings, asked)
        if pairs is not None:
            return read_two_folders(folder, pairs, settings, paired=(kind == "image-pairs") if asked else None)
    return read_halves(folder, settings) if kind == "image-pairs" else None


def read_pattern(path: Path, settings: DataSettings, kind: Kind | None) -> Dataset:
    """Read the shards whose names fit a pattern, such as `parts/*.parquet`."""
    ending = ending_of(path)
    if ending is not None:
        return (_table if ending == PARQUET else _archives)(path, settings, kind)
    raise DataError(
        "there is no such file, and as a pattern it fits no shards of one kind",
        where=str(path),
        expected=f"a file that exists, or a pattern of names that end in {PARQUET} or {TAR}",
        remedy="look at the name; put a pattern in quotes",
    )


def read_file(path: Path, settings: DataSettings, kind: Kind | None) -> Dataset:
    """Read a file by its ending, or as what is wanted."""
    if kind in TEXTS and path.suffix.lower() not in PROGRAMS:
        return TEXTS[kind](regular(path), settings, kind)
    if ".idx" in path.name.lower() or "-idx" in path.name.lower():
        from ganglion.data.formats.images.idx import read_idx_folder

        return read_idx_folder(path)
    suffix = path.suffix.lower()
    regular(path)
    if kind in (None, "films") and (suffix in VIDEOS or (suffix in MOVING and kind == "films")):
        return _films(path, settings, kind)
    if suffix in PROGRAMS:
        raise DataError(
            "files of this kind can run programs when they are read, and are never opened",
            where=str(path),
            remedy="save plain arrays with numpy.savez, or a network's weights with safetensors",
        )
    is_sheet = suffix in (".xls", ".ods", ".numbers")
    if suffix not in READERS and kind in OF_TABLES and not is_sheet:
        return _table(path, settings, kind)
    if suffix not in READERS:
        raise DataError(
            "files of this kind cannot be read as a data set",
            where=str(path),
            expected=f"a folder, or a file ending in {', '.join(READERS)}",
            remedy=_way_out(suffix),
        )
    return READERS[suffix](path, settings, kind)


def _way_out(suffix: str) -> str:
    """Return what to do with a file of a kind that is not read."""
    if suffix in (".xls", ".ods", ".numbers"):
        return "save the sheet as CSV or as .xlsx"
    if suffix in (".gz", ".bz2", ".xz", ".zip", ".7z", ".rar", ".zst"):
        return "unpack it first"
    if suffix in (".json", ".jsonl", ".ndjson"):
        return "save records as CSV; texts with labels and dialogues are read with --as documents and --as dialogues"
    if suffix in (
        ".arff",
        ".feather",
        ".h5",
        ".hdf5",
        ".mat",
        ".sav",
        ".dta",
        ".rdata",
        ".rds",
        ".orc",
        ".avro",
        ".db",
    ):
        return "save the table as CSV or Parquet"
    if suffix in (".pdf", ".doc", ".docx", ".odt", ".rtf", ".epub"):
        return "save it as plain text"
    return "for images give the folder they lie in"


def _table(path: Path, settings: DataSettings, kind: Kind | None) -> Dataset:
    if kind == "short-series":
        from ganglion.data.formats.short_series import as_short_series
        from ganglion.data.formats.tabular import read_tabular

        return as_short_series(read_tabular(path, settings))
    if kind == "series":
        from ganglion.data.formats.series.reading import read_series

        return read_series(path, settings)
    if kind == "panel" or (kind is None and (settings.key or settings.known)):
        from ganglion.data.formats.series.panel import read_panel

        return read_panel(path, settings)
    if ending_of(path) == PARQUET:
        from ganglion.data.formats.shards.tables import read_parquet_set

        return read_parquet_set(path, settings)
    from ganglion.data.formats.tabular import read_tabular

    return read_tabular(path, settings)


def _archives(path: Path, settings: DataSettings, kind: Kind | None) -> Dataset:
    from ganglion.data.formats.shards.pictures import read_tar_set

    return read_tar_set(path, settings, kind)


def _arrays(path: Path, settings: DataSettings, kind: Kind | None) -> Dataset:
    from ganglion.data.formats.npz import read_arrays

    return read_arrays(path, settings, kind)


def _text(path: Path, settings: DataSettings, kind: Kind | None) -> Dataset:
    if kind in OF_TABLES:
        return _table(path, settings, kind)
    from ganglion.data.formats.text import read_text_folder, read_texts

    return read_text_folder(path, settings) if path.is_dir() else read_texts(path, settings)


def _documents(path: Path, settings: DataSettings, kind: Kind | None) -> Dataset:
    if path.is_dir():
        from ganglion.data.formats.texts.document_folders import read_document_folder

        return read_document_folder(path, settings)
    from ganglion.data.formats.texts.documents import read_documents

    return read_documents(path, settings)


def _tagged(path: Path, settings: DataSettings, kind: Kind | None) -> Dataset:
    from ganglion.data.formats.texts.tagged import read_tagged

    return read_tagged(path, settings)


def _ratings(path: Path, settings: DataSettings, kind: Kind | None) -> Dataset:
    if path.suffix.lower() in (".npz", ".npy") and not path.is_dir():
        return _arrays(path, settings, kind)
    from ganglion.data.formats.ratings import read_ratings

    return read_ratings(path, settings)


def _pairs(path: Path, settings: DataSettings, kind: Kind | None) -> Dataset:
    from ganglion.data.formats.texts.pairs import read_pair_folder, read_pairs

    return read_pair_folder(path, settings) if path.is_dir() else read_pairs(path, settings)


def _captions(path: Path, settings: DataSettings, kind: Kind | None) -> Dataset:
    from ganglion.data.formats.images.captions import read_captions
    from ganglion.data.formats.images.emoji import find_emoji, read_emoji

    if ending_of(path) == TAR:
        return _archives(path, settings, "captions")
    if path.is_dir() and (sheets := find_emoji(path)):
        return read_emoji(path, sheets)
    return read_captions(path, settings)


def _drawings(path: Path, settings: DataSettings, kind: Kind | None) -> Dataset:
    from ganglion.data.formats.strokes.reading import read_drawing_folder, read_drawings

    return read_drawing_folder(path, settings) if path.is_dir() else read_drawings(path, settings)


def _dialogues(path: Path, settings: DataSettings, kind: Kind | None) -> Dataset:
    from ganglion.data.formats.texts.dialogues import read_dialogues

    return read_dialogues(path, settings)


def _tunes(path: Path, settings: DataSettings, kind: Kind | None) -> Dataset:
    from ganglion.data.formats.abc.files import read_abc, read_abc_folder

    return read_abc_folder(path, settings) if path.is_dir() else read_abc(path, settings)


def _sounds(folder: Path, settings: DataSettings, kind: Kind | None) -> Dataset:
    from ganglion.data.formats.sounds.folders import read_sounds

    return read_sounds(folder, settings)


def _films(path: Path, settings: DataSettings, kind: Kind | None) -> Dataset:
    from ganglion.data.formats.films.folders import read_film, read_film_folder

    return read_film_folder(path, settings) if path.is_dir() else read_film(path)


VIDEOS = (".gif", ".mp4", ".mov", ".mkv", ".avi", ".webm", ".m4v", ".mpg", ".mpeg")
"""Endings of films, of which one file is a set of its own."""
MOVING = (".webp", ".png", ".apng")
"""Endings of pictures that are films where these are wanted."""
TOGETHER: tuple[Kind, ...] = ("image-pairs", "image-domains", "image-masks", "image-boxes")
"""Kinds of data that are several fields of images."""
OF_TABLES: tuple[Kind | None, ...] = ("tabular", "series", "short-series", "panel")
"""Kinds of data that a table can be."""
FIRST_FOLDERS = 20
PROGRAMS = (".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".joblib", ".h5", ".keras")
"""Endings of what other libraries pickle."""
WRITTEN_AS_TEXT: tuple[Kind, ...] = (
    "tabular",
    "series",
    "short-series",
    "panel",
    "text",
    "documents",
    "tagged",
    "ratings",
    "text-pairs",
    "captions",
    "dialogues",
    "tunes",
)
"""Kinds of data whose reader obeys what is said of how a file is written."""
Reader = Callable[[Path, DataSettings, Kind | None], Dataset]
WANTED: dict[Kind | None, Reader] = {
    "captions": _captions,
    "dialogues": _dialogues,
    "text": _text,
    "documents": _documents,
    "ratings": _ratings,
    "text-pairs": _pairs,
    "drawings": _drawings,
    "tunes": _tunes,
}
"""How a folder, and a file of any ending, is read for those who want this."""
FOLDERS: dict[Kind | None, Reader] = {**WANTED, **dict.fromkeys(("sounds", "transcripts"), _sounds), "films": _films}
"""How a folder is read for those who want this, whatever lies in it."""
TEXTS: dict[Kind | None, Reader] = {**WANTED, "tagged": _tagged}
"""How a file of any ending is read for those who want its text or its drawings."""
READERS: dict[str, Reader] = {
    **dict.fromkeys(SUFFIXES, _table),
    **dict.fromkeys((".npz", ".npy"), _arrays),
    **dict.fromkeys((".txt", ".md"), _text),
    **dict.fromkeys((".ndjson", ".svg"), _drawings),
    ".abc": _tunes,
    TAR: _archives,
}
