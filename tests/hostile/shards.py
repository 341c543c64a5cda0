"""Data in many files: folders of Parquet and of tar archives that are damaged, mixed or made to harm."""

import io
import tarfile
from pathlib import Path

import pyarrow
from pyarrow import parquet

from tests.hostile.case import accepted, refused


def columns(folder: Path, **more: list) -> Path:
    for number in range(2):
        rows = {"a": [float(n) for n in range(40)], "b": [n % 2 for n in range(40)]} | (more if number else {})
        parquet.write_table(pyarrow.table(rows), folder / f"part-{number}.parquet")
    return folder


def archive(folder: Path, *members: tuple[str, bytes], kind: bytes = tarfile.REGTYPE) -> Path:
    with tarfile.open(folder / "a.tar", "w") as file:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size, info.type = len(content), kind
            file.addfile(info, io.BytesIO(content))
    return folder


@accepted("shards", "marks of an engine", "read from 2 Parquet files")
def _(folder: Path) -> Path:
    (folder / "_SUCCESS").touch()
    (folder / ".part-0.parquet.crc").write_bytes(b"crc")
    return columns(folder)


@refused("shards", "a column more", "other columns than the first", "part-1.parquet")
def _(folder: Path) -> Path:
    return columns(folder, c=[1.0] * 40)


@refused("shards", "a column of another type", "other columns than the first", "as text, not as number")
def _(folder: Path) -> Path:
    return columns(folder, a=["x"] * 40)


@refused("shards", "one that was cut off", "cannot be read", "part-1.parquet")
def _(folder: Path) -> Path:
    path = columns(folder) / "part-1.parquet"
    path.write_bytes(path.read_bytes()[:200])
    return folder


@refused("shards", "a name that leads out", "no plain file within it")
def _(folder: Path) -> Path:
    return archive(folder, ("../../x.png", b"x"))


@refused("shards", "a link", "no plain file within it", "a link")
def _(folder: Path) -> Path:
    return archive(folder, ("x.png", b""), kind=tarfile.SYMTYPE)


@refused("shards", "a device", "no plain file within it", "a device")
def _(folder: Path) -> Path:
    return archive(folder, ("x.png", b""), kind=tarfile.BLKTYPE)


@refused("shards", "a key twice", "a key occurs twice")
def _(folder: Path) -> Path:
    return archive(folder, ("x.cls", b"1"), ("x.cls", b"2"))


@refused("shards", "no picture", "no pictures in these archives")
def _(folder: Path) -> Path:
    return archive(folder, ("x.npy", b"1"))


@refused("shards", "an archive that was cut off", "ends without the mark of its end")
def _(folder: Path) -> Path:
    path = archive(folder, ("x.cls", b"1")) / "a.tar"
    path.write_bytes(path.read_bytes()[:1024])
    return folder
