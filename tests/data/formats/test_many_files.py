"""Folders of texts in several encodings, and folders that are links to others."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganglion.data.catalogue import read
from ganglion.data.settings import DataSettings
from ganglion.errors import DataError

GOOD, BAD = "très réussi, à voir absolument, c'était déjà ça", "raté, trop long, où est la fête"


def folder(tmp_path: Path, texts: dict[str, bytes]) -> Path:
    for name, raw in texts.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(raw)
    return tmp_path


def of_all(tmp_path: Path, **settings: str) -> tuple[list[str], str]:
    data = read(tmp_path, DataSettings(**settings), "documents")  # type: ignore[arg-type]
    return list(data.inputs), "; ".join(data.notes)


def test_each_file_speaks_for_itself_and_it_is_said(tmp_path: Path) -> None:
    texts = {f"good/{n}.txt": f"{GOOD} {n}".encode("cp1252" if n % 2 else "utf-8") for n in range(4)}
    texts |= {f"bad/{n}.txt": f"{BAD} {n}".encode("utf-16" if n % 2 else "utf-8") for n in range(4)}
    found, notes = of_all(folder(tmp_path, texts))
    assert sorted(found) == sorted([f"{BAD} {n}" for n in range(4)] + [f"{GOOD} {n}" for n in range(4)])
    assert "2 of 8 files read as cp1252" in notes and "2 of 8 files read as utf-16" in notes


def test_files_in_doubt_are_read_as_the_clear_ones_of_their_folder(tmp_path: Path) -> None:
    """One letter in a file says little; beside a hundred of another language it is one of theirs."""
    clear = "Příliš žluťoučký kůň úpěl ďábelské ódy, protože děti šly večer domů přes řeku"
    texts = {f"a/{n}.txt": clear.encode("cp1250") for n in range(3)} | {f"b/{n}.txt": b"dva" for n in range(3)}
    texts["b/9.txt"] = "kůň".encode("cp1250")
    found, _ = of_all(folder(tmp_path, texts))
    assert "kůň" in found and found.count(clear) == 3


def test_files_that_cannot_be_read_are_named_together(tmp_path: Path) -> None:
    texts = {f"a/{n}.txt": b"plain words" for n in range(3)} | {f"b/{n}.txt": b"other \x00\x01\x02" for n in range(4)}
    with pytest.raises(DataError, match="4 files of this folder cannot be read") as caught:
        of_all(folder(tmp_path, texts))
    assert "0.txt, 1.txt, 2.txt, ..." in caught.value.found and "--encoding" in caught.value.remedy


def test_a_named_encoding_is_that_of_the_files_that_are_not_utf_8(tmp_path: Path) -> None:
    texts = {"a/1.txt": "naïve".encode(), "a/2.txt": b"x", "b/1.txt": "žluť".encode("cp1250")}
    found, notes = of_all(folder(tmp_path, texts), encoding="cp1250")
    assert found == ["naïve", "x", "žluť"] and "1 files are UTF-8" in notes


@pytest.mark.parametrize("kind", ["tagged", "text", "documents"])
def test_a_guessed_encoding_is_said_whoever_reads(tmp_path: Path, kind: str) -> None:
    lines = {
        "tagged": "große\tA\nBäume\tB\n",
        "text": "große Bäume\n",
        "documents": "1 große Bäume\n0 kleine Öfen\n" * 3,
    }
    path = tmp_path / "t.txt"
    path.write_bytes(lines[kind].encode("cp1252"))
    assert any("read as cp1252" in note for note in read(path, DataSettings(), kind).notes)  # type: ignore[arg-type]


def test_linked_folders_are_followed_and_none_goes_in_circles(tmp_path: Path) -> None:
    pool, pets = tmp_path / "pool", tmp_path / "pets"
    pets.mkdir()
    for number, name in enumerate(("cats", "dogs")):
        (pool / name).mkdir(parents=True)
        for place in range(3):
            Image.fromarray(np.full((8, 8), 90 * number + place, np.uint8)).save(pool / name / f"{place}.png")
        (pets / name).symlink_to(pool / name)
    (pool / "cats" / "again").symlink_to(pool / "cats")
    (pool / "dogs" / "up").symlink_to(tmp_path)
    data = read(pets, DataSettings())
    assert data.label_names == ("cats", "dogs") and len(data) == 6
    assert any("2 folders are links" in note for note in data.notes)
