"""Plain text files."""

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np

from ganglion.data.dataset import Dataset
from ganglion.data.digests import fingerprint
from ganglion.data.formats.folder_layout import PART_NAMES, describes, uses
from ganglion.data.formats.texts.encodings import Encoding, decode_text
from ganglion.data.settings import DataSettings
from ganglion.errors import DataError

MOST_BYTES = 128 << 20
"""Largest text: it is held in memory whole."""
DAMAGED = [chr(code) for code in range(0x80, 0xA0) if code != 0x85] + ["\N{REPLACEMENT CHARACTER}"]
"""What bytes that are no text, or text of an unknown encoding, are decoded to. 0x85 ends a line."""
NO_TEXT = (".gz", ".zip", ".npz", ".npy", ".parquet", ".png", ".jpg", ".jpeg", ".csv", ".xlsx", ".pdf", ".bin", ".wav")
"""Endings of files that are no text, or a table of texts."""
SEPARATED = re.compile(r"[-._ ]+")
"""What stands between the parts of a name."""
MOST_DAMAGED = 0.01
"""Share of a text's characters that may be such."""


def read_text(path: Path, encoding: str | None = None) -> str:
    """Return the text of a file, with line ends as they are in Unix; its encoding is found out where none is named."""
    return unix_lines(decode_text(path, MOST_BYTES, encoding)[0])


def unix_lines(text: str) -> str:
    """Return a text with line ends as they are in Unix."""
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def read_texts(path: Path, settings: DataSettings) -> Dataset:
    """Read a text file as one long text."""
    text, encoding = _sound(path, settings)
    return _dataset(path, text, [encoding.said], [*filter(None, [encoding.reason])])


def read_text_folder(folder: Path, settings: DataSettings) -> Dataset:
    """Read the text files of a folder as one long text, one after the other in the order of their names.

    They are those of the commonest ending; files called README, LICENSE and the like are not read. Where one of them
    has train in its name, as ptb.train.txt, and others valid or test, they are the parts of a set. Raises `DataError`
    where there are none.
    """
    files = [path for path in sorted(folder.iterdir()) if path.is_file() and not describes(path.name)]
    endings = Counter(path.suffix.lower() for path in files if path.suffix.lower() not in NO_TEXT)
    if not endings:
        raise DataError(
            "there is no text in this folder",
            where=str(folder),
            expected="files of plain text",
            found=", ".join(path.name for path in files[:5]) or "no files",
        )
    (ending, count), *others = endings.most_common()
    chosen = [path for path in files if path.suffix.lower() == ending]
    if by_part := _by_part(chosen):
        return _in_parts(folder, by_part, settings)
    parts = [_sound(path, settings) for path in chosen]
    notes = [f"{count} files{f' ending in {ending}' if ending else ''}, one after the other"] if count > 1 else []
    notes += [f"left out: files ending in {', '.join(other for other, _ in others)}"] if others else []
    text = "\n".join(text.removesuffix("\n") for text, _ in parts) + "\n"
    return _dataset(folder, text, sorted({encoding.said for _, encoding in parts}), notes)


def _by_part(files: list[Path]) -> dict[str, Path]:
    """Return the file of each part, where every file has the name of another part in its own; else nothing.

    >>> list(_by_part([Path("ptb.test.txt"), Path("ptb.train.txt")]))
    ['test', 'train']
    """
    words = {path: set(SEPARATED.split(path.stem.lower())) for path in files}
    found = {
        part: path for path in files for part, names in PART_NAMES.items() if len(words[path].intersection(names)) == 1
    }
    return found if "train" in found and len(found) == len(files) > 1 else {}


def _in_parts(folder: Path, files: dict[str, Path], settings: DataSettings) -> Dataset:
    """Read the parts of a set from a file each."""
    notes = [f"parts: {', '.join(f'{path.name} ({part})' for part, path in files.items())}"]
    used = uses(files, notes, "the validation file")
    texts = {used[part]: _sound(path, settings) for part, path in files.items()}
    learnt = [texts[part][0] for part in ("train", "validation") if part in texts]
    if settings.validation == 0:
        learnt = ["".join(learnt)]
    dataset = _dataset(folder, texts["train"][0], sorted({encoding.said for _, encoding in texts.values()}), notes)
    fields = {"inputs": replace(dataset.main, values=learnt)}
    test = {"inputs": replace(dataset.main, values=[texts["test"][0]])} if "test" in texts else {}
    return replace(
        dataset,
        fields=fields,
        test_fields=test,
        validation=np.array([1]) if len(learnt) > 1 else None,
        fingerprint=fingerprint([text for text, _ in texts.values()]),
    )


def _sound(path: Path, settings: DataSettings) -> tuple[str, Encoding]:
    raw, encoding = decode_text(path, MOST_BYTES, settings.encoding)
    text = unix_lines(raw)
    if not text.strip():
        raise DataError("this text is empty", where=str(path), expected="words")
    _refuse_damaged(text, encoding.said, path)
    return text, encoding


def _dataset(path: Path, text: str, encodings: list[str], notes: list[str]) -> Dataset:
    note = f"{', '.join(encodings)} text of {len(text)} characters, {len(set(text))} of them distinct"
    return Dataset.of(
        name=path.stem,
        kind="text",
        inputs=[text],
        source=str(path),
        fingerprint=fingerprint([text]),
        notes=(note, *notes),
    )


def _refuse_damaged(text: str, encoding: str, path: Path) -> None:
    share = sum(map(text.count, DAMAGED)) / len(text)
    if share > MOST_DAMAGED:
        raise DataError(
            "this is not a text",
            where=str(path),
            expected=f"at most {MOST_DAMAGED:.0%} of control or replacement characters",
            found=f"{share:.0%} of them, read as {encoding}",
            remedy="give a file of plain text, saved as UTF-8",
        )
