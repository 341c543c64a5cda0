"""Answers as files: tables, pictures and sheets of them, text, sound, drawings, films."""

import csv
import json
import math
import wave
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ganglion.errors import UsageError
from ganglion.figures.images.film import save_film
from ganglion.figures.images.pixels import GAP, SMALLEST_SIDE, sheet
from ganglion.runs.drawing_files import ENDINGS, drawn_of, save_drawing, write_drawings
from ganglion.tasks.answers import Answer, Arrays, Binaries, Binary, Film, Images, Rows, Sound, Strokes, Text

FOLDER = "/"
"""The ending of a folder that is there or ends with a slash."""
NO_ENDING = ""
"""What pictures take for a folder, and text for a file."""
LARGEST_SHEET = 3000
"""Pixels of a side of a sheet of pictures; more pictures are left out of it."""
NAMING = ("input", "row", "id")
"""What names a row of an answer, which a user's own columns do better."""
CLEAR = (".png", ".webp")
"""Endings of the formats that know transparency; in the others white is behind it."""
QUALITY = 95
"""Of pictures in formats that lose something."""


def write(answer: Answer, path: str | Path) -> str:
    """Write an answer in the first of its forms that the ending of `path` fits, and say what is worth knowing of it.

    Raises:
        UsageError: no form fits the ending, or the form's own complaint.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "marks.csv"
    ...     write(Rows([{"name": "Ada", "mark": 1}]), path), path.read_text().split()
    ('1 row', ['name,mark', 'Ada,1'])
    """
    ending, path = _ending(path), Path(path)
    fitting: list[str] = []
    for form in (answer, *answer.also):
        endings, writer = WRITERS[type(form)]
        fitting += (*endings, *_own_endings(form))
        if ending in fitting:
            path.parent.mkdir(parents=True, exist_ok=True)
            return writer(form, path)
    words = {FOLDER: "a folder", NO_ENDING: "no ending"}
    raise UsageError(
        "this answer cannot be written to such a file",
        where=str(path),
        expected=", ".join(words.get(one, one) for one in fitting if one != NO_ENDING),
        found=words.get(ending, ending),
    )


def usual_file(answer: Answer, verb: str) -> Path | None:
    """Return the file for an answer that cannot be printed, where none was named.

    >>> usual_file(Images(np.zeros((1, 2, 2, 1), np.uint8), ["a"]), "generate"), usual_file(Text("a"), "generate")
    (PosixPath('generated.png'), None)
    """
    if isinstance(answer, Rows | Text):
        return None
    if isinstance(answer, Binaries):
        return Path(f"{verb}ed")
    ending = _own_endings(answer)[0] if isinstance(answer, Binary) else WRITERS[type(answer)][0][0]
    return Path(f"{verb}{'d' if verb.endswith('e') else 'ed'}{ending}")


def _ending(path: str | Path) -> str:
    return FOLDER if str(path).endswith(("/", "\\")) or Path(path).is_dir() else Path(path).suffix.lower()


def _own_endings(answer: Answer) -> tuple[str, ...]:
    return (answer.ending,) if isinstance(answer, Binary) else ()


def _write_rows(answer: Rows, path: Path) -> str:
    if path.suffix.lower() == ".json":
        path.write_text(json.dumps(answer.value, indent=1, ensure_ascii=False, default=str), encoding="utf-8")
    else:
        write_table(_with_own_columns(answer) if answer.beside else answer.rows, path)
    return "1 row" if len(answer.rows) == 1 else f"{len(answer.rows):,} rows"


def _with_own_columns(answer: Rows) -> list[dict[str, Any]]:
    """Return the user's own columns with the answers beside them, which give way where a name is taken."""
    taken = {name for row in answer.beside for name in row}
    rows = []
    for own, row in zip(answer.beside, answer.rows, strict=True):
        said = {name: value for one in row.items() if one[0] not in NAMING for name, value in _columns(*one)}
        rows.append({**own, **{f"predicted {name}" if name in taken else name: value for name, value in said.items()}})
    return rows


def _columns(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Yield what a cell holds as columns: each number of a list has its own, and other lists stay out.

    >>> list(_columns("code", [0.5, -1.0])), list(_columns("unknown", ["zebra"]))
    ([('code 1', 0.5), ('code 2', -1.0)], [])
    """
    if not isinstance(value, list):
        yield name, value
    elif all(isinstance(one, int | float) for one in value):
        yield from ((f"{name} {place}", one) for place, one in enumerate(value, 1))


def write_table(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Write rows of mappings as CSV, or as TSV by that ending; lists become JSON."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, delimiter="\t" if path.suffix.lower() == ".tsv" else ",")
        writer.writeheader()
        writer.writerows({name: _cell(value) for name, value in row.items()} for row in rows)


def _cell(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False, default=str) if isinstance(value, list | tuple | dict) else value


def _write_images(answer: Images, path: Path) -> str:
    if _ending(path) == ".npz":
        np.savez_compressed(path, images=_stacked(answer.pixels, path), names=np.array(answer.names))
        return f"{len(answer.pixels):,} pictures"
    if _ending(path) in (FOLDER, NO_ENDING):
        pictures = list(zip(answer.pixels, answer.kept or [{}] * len(answer.pixels), strict=True))
        return _write_each(path, answer.names, ".png", pictures, _save_picture, answer.rows, answer.groups)
    if len(answer.pixels) == 1:
        _save_picture((answer.pixels[0], answer.kept[0] if answer.kept else {}), path)
        return "1 picture"
    pixels, shown = sheet_of(answer.pixels, answer.columns)
    _save_picture((pixels, {}), path)
    rest = f"; --out {path.with_suffix('')}/ writes one file each" if shown < len(answer.pixels) else ""
    return f"{shown} of {len(answer.pixels):,} pictures{rest}"


def _stacked(pictures: Sequence[np.ndarray] | np.ndarray, path: Path) -> np.ndarray:
    """Return pictures as one array `(count, height, width, channels)`; raise `UsageError` where they differ."""
    shapes = sorted({picture.shape for picture in pictures})
    if len(shapes) > 1:
        raise UsageError(
            "pictures of different sizes do not fit into one array",
            where=str(path),
            found=", ".join(" x ".join(map(str, shape)) for shape in shapes[:3]),
            remedy=f"--out {path.with_suffix('')}/ writes one file each",
        )
    return np.stack(list(pictures))


def sheet_of(pictures: Sequence[np.ndarray] | np.ndarray, columns: int | None = None) -> tuple[np.ndarray, int]:
    """Return a sheet `(height, width, 3)` of as many pictures as can be looked at together, and how many these are.

    Args:
        columns: pictures in a row, where so many fit; as many as make the sheet square if not given.
    """
    height, width = (max(picture.shape[axis] for picture in pictures) for axis in (0, 1))
    times = math.ceil(SMALLEST_SIDE / min(height, width))
    across, down = (max(1, LARGEST_SHEET // (side * times + GAP)) for side in (width, height))
    shown = [_on_paper(picture, height, width) for picture in pictures[: across * down]]
    wanted = columns or math.ceil(math.sqrt(len(shown)))
    return sheet(np.stack(shown), min(across, max(wanted, math.ceil(len(shown) / down)))), len(shown)


def _on_paper(picture: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return a picture in colour at the upper left of white paper."""
    paper = np.full((height, width, 3), 255, np.uint8)
    paper[: picture.shape[0], : picture.shape[1]] = _before_white(picture)
    return paper


def _before_white(picture: np.ndarray) -> np.ndarray:
    """Return a picture without its transparency, white behind it."""
    if picture.shape[-1] in (1, 3):
        return picture
    share = picture[..., -1:] / 255
    return (picture[..., :-1] * share + 255 * (1 - share)).round().astype(np.uint8)


def _save_picture(one: tuple[np.ndarray, Mapping[str, Any]], path: Path) -> None:
    """Save a picture `(height, width, channels)` with what its file holds beside it."""
    picture, kept = one
    pixels = picture if path.suffix.lower() in CLEAR else _before_white(picture)
    pixels = pixels[..., 0] if pixels.shape[-1] == 1 else pixels
    image = Image.fromarray(np.ascontiguousarray(pixels))
    image.save(path, quality=QUALITY, **kept)  # formats without loss leave the quality alone


def _write_each(
    folder: Path,
    names: Sequence[str],
    ending: str,
    items: Sequence[Any] | np.ndarray,
    save: Callable[[Any, Path], None],
    rows: Sequence[Mapping[str, Any]],
    groups: Sequence[str] = (),
) -> str:
    """Write one file each, in the folder of its group, and a table of what is known of each where anything is."""
    folder.mkdir(parents=True, exist_ok=True)
    files = _file_names(names)
    if groups:
        folders = dict(zip(dict.fromkeys(groups), _file_names(list(dict.fromkeys(groups))), strict=True))
        files = [f"{folders[group]}/{file}" for group, file in zip(groups, files, strict=True)]
        for one in folders.values():
            (folder / one).mkdir(exist_ok=True)
    for name, item in zip(files, items, strict=True):
        save(item, folder / f"{name}{ending}")
    if rows:
        known = zip(files, rows, strict=True)
        write_table([{"file": f"{name}{ending}", **row} for name, row in known], folder / "rows.csv")
    return "1 file" if len(names) == 1 else f"{len(names):,} files"


def _file_names(names: Sequence[str]) -> list[str]:
    """Return names that files can have, all different.

    >>> _file_names(["a/cat", "b/cat", "dog"])
    ['a-cat', 'b-cat', 'dog']
    """
    safe = ["".join(sign if sign.isalnum() or sign in "-_. " else "-" for sign in name).strip(". ") for name in names]
    return safe if len(set(safe)) == len(safe) else [f"{place:04}-{name}" for place, name in enumerate(safe)]


def _write_text(answer: Text, path: Path) -> str:
    path.write_text(answer.text, encoding="utf-8", errors="replace")
    return f"{len(answer.text):,} characters"


def _write_binary(answer: Binary, path: Path) -> str:
    path.write_bytes(answer.content)
    return f"{len(answer.content):,} bytes"


def _write_binaries(answer: Binaries, path: Path) -> str:
    return _write_each(path, answer.names, answer.ending, answer.contents, _save_binary, answer.rows)


def _save_binary(content: bytes, path: Path) -> None:
    path.write_bytes(content)


def _write_arrays(answer: Arrays, path: Path) -> str:
    arrays: dict[str, Any] = answer.value
    np.savez_compressed(path, **arrays)
    return ", ".join(f"{name} {' x '.join(map(str, array.shape))}" for name, array in answer.arrays.items())


def _write_sound(answer: Sound, path: Path) -> str:
    """Write 16 bits a sample."""
    samples = answer.samples if answer.samples.ndim == 2 else answer.samples[:, None]  # (time, channels)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(samples.shape[1])
        file.setsampwidth(2)
        file.setframerate(answer.rate)
        file.writeframes((np.clip(samples, -1, 1) * 32767).round().astype("<i2").tobytes())
    return f"{len(samples) / answer.rate:.1f} s"


def _write_film(answer: Film, path: Path) -> str:
    save_film(answer.frames, path, answer.rate)
    return f"{len(answer.frames) / answer.rate:.1f} s"


def _write_strokes(answer: Strokes, path: Path) -> str:
    if _ending(path) in (FOLDER, NO_ENDING):
        return _write_each(path, answer.names, ".svg", drawn_of(answer), save_drawing, answer.rows)
    return write_drawings(answer, path)


WRITERS: dict[type, tuple[tuple[str, ...], Callable[[Any, Path], str]]] = {
    Rows: ((".csv", ".tsv", ".json"), _write_rows),
    Images: ((".png", FOLDER, NO_ENDING, ".jpg", ".jpeg", ".webp", ".bmp", ".npz"), _write_images),
    Text: ((".txt", NO_ENDING, ".md", ".text"), _write_text),
    Sound: ((".wav",), _write_sound),
    Film: ((".gif", ".webp", ".mp4"), _write_film),
    Strokes: ((ENDINGS[0], FOLDER, NO_ENDING, *ENDINGS[1:]), _write_strokes),
    Binary: ((), _write_binary),
    Binaries: ((FOLDER, NO_ENDING), _write_binaries),
    Arrays: ((".npz",), _write_arrays),
}
"""Endings of the files that each form may become, the usual one first, and what writes them."""
