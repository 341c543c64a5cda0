"""Tar archives of pictures as WebDataset writes them, against the same pictures as files in folders."""

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganglion.data.catalogue import read
from ganglion.data.check import check, check_path
from ganglion.data.formats.images.folders import ImageFiles
from ganglion.data.loaders.streaming import StreamingLoader
from ganglion.data.settings import DataSettings
from ganglion.errors import DataError

STREAM = DataSettings(stream="yes")


def picture(number: int, size: int = 8) -> bytes:
    pixels = np.random.default_rng(number).integers(0, 256, size=(size, size, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    archive.addfile(info, io.BytesIO(content))


def write(path: Path, numbers: range, said: str = "cls", **mode: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w", **mode) as archive:  # type: ignore[call-overload]
        for number in numbers:
            add(archive, f"{number:06d}.png", picture(number))
            content = {
                "cls": str(number % 3),
                "json": f'{{"label": "{"abc"[number % 3]}", "width": 8}}',
                "txt": f"picture number {number}",
            }
            if said in content:
                add(archive, f"{number:06d}.{said}", content[said].encode())
    return path


def shards(folder: Path, count: int = 3, each: int = 40, said: str = "cls") -> Path:
    for shard in range(count):
        write(folder / f"part-{shard:06d}.tar", range(shard * each, (shard + 1) * each), said)
    return folder


@pytest.mark.parametrize("stream", ["yes", "no"])
@pytest.mark.parametrize(
    "form", list(tarfile.SUPPORTED_FORMATS) if hasattr(tarfile, "SUPPORTED_FORMATS") else [0, 1, 2]
)
def test_the_same_pictures_as_in_folders(tmp_path: Path, stream: str, form: int) -> None:
    for number in range(30):
        place = tmp_path / "files" / str(number % 3)
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{number:06d}.png").write_bytes(picture(number))
    write(tmp_path / "tar" / "a.tar", range(30), format=form)  # type: ignore[arg-type]
    files, tar = read(tmp_path / "files", STREAM), read(tmp_path / "tar", DataSettings(stream=stream))
    assert isinstance(tar.inputs, ImageFiles) == (stream == "yes")
    assert tar.kind == "image" and tar.label_names == files.label_names == ("0", "1", "2")
    order = np.argsort([int(path.stem) for path in files.inputs.paths])
    assert np.array_equal(tar.inputs[:], files.inputs.take(order)[:])
    assert np.array_equal(tar.targets, files.targets[order])


def test_json_and_captions(tmp_path: Path) -> None:
    assert read(shards(tmp_path / "json", said="json"), STREAM).label_names == ("a", "b", "c")
    told = read(shards(tmp_path / "txt", said="txt"), STREAM)
    assert told.kind == "captions" and told.fields["captions"].values[41] == "picture number 41"
    bare = read(shards(tmp_path / "bare", said="nothing"), STREAM)
    assert bare.kind == "image" and bare.targets is None
    assert read(tmp_path / "json" / "*0[01].tar", STREAM).inputs.take(np.arange(3))[:].shape == (3, 8, 8, 3)


def test_parts_by_folders(tmp_path: Path) -> None:
    shards(tmp_path / "train"), shards(tmp_path / "test", 1, 12)
    found = read(tmp_path, STREAM)
    assert len(found) == 120 and found.test_inputs is not None and len(found.test_inputs) == 12


def test_order_by_shards_and_buffer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each epoch visits every picture once, shard after shard but for the buffer, and goes on anywhere."""
    monkeypatch.setattr("ganglion.data.loaders.streaming.BUFFER", 80)
    found = read(shards(tmp_path, count=8, each=40), STREAM)
    images, targets = found.inputs, found.targets

    def loader() -> StreamingLoader:
        import torch

        return StreamingLoader(
            images, lambda raw: torch.from_numpy(np.stack(list(raw))), {"targets": torch.from_numpy(targets)}, 16, 3
        )

    one = loader()
    orders = [one.order(epoch).numpy() for epoch in (0, 1)]
    for order in orders:
        assert np.array_equal(np.sort(order), np.arange(320))
        windows = [set((order[start : start + 80] // 40).tolist()) for start in range(0, 320, 80)]
        assert all(len(window) == 2 for window in windows)
        assert np.abs(np.diff(order[:80])).mean() > 10
    assert not np.array_equal(*orders)
    batches = list(one)
    again = loader()
    again.load_state_dict({**again.state_dict(), "epoch": 0, "position": 16 * 7})
    for expected, batch in zip(batches[7:], again, strict=True):
        assert all(np.array_equal(expected[name], batch[name]) for name in expected)
        assert np.array_equal(batch["targets"], targets[batch["index"]])


def damaged(path: Path, kind: str) -> Path:
    """Write an archive with one thing wrong."""
    write(path / "a.tar", range(30))
    other = path / "b.tar"
    with tarfile.open(other, "w") as archive:
        add(archive, "1.png", picture(1))
        add(archive, "1.cls", b"1")
        info = tarfile.TarInfo({"outside": "../../etc/2.png", "absolute": "/etc/2.png"}.get(kind, "2.png"))
        if kind in ("link", "hard link", "device", "pipe"):
            types = {"link": tarfile.SYMTYPE, "hard link": tarfile.LNKTYPE, "device": tarfile.CHRTYPE}
            info.type, info.linkname = types.get(kind, tarfile.FIFOTYPE), "/etc/passwd"
            archive.addfile(info)
        elif kind == "twice":
            add(archive, "1.cls", b"2")
        else:
            info.size = len(picture(2))
            archive.addfile(info, io.BytesIO(picture(2)))
    whole = other.read_bytes()
    if kind == "cut in a member":
        other.write_bytes(whole[:700])
    elif kind == "cut behind a member":
        other.write_bytes(whole[: tarfile.BLOCKSIZE * 4])
    elif kind == "rubbish":
        other.write_bytes(b"no archive at all" * 100)
    elif kind == "compressed":
        import gzip

        other.write_bytes(gzip.compress(whole))
    elif kind == "empty":
        other.write_bytes(b"")
    return path


@pytest.mark.parametrize(
    ("kind", "said"),
    {
        "outside": "no plain file within",
        "absolute": "no plain file within",
        "link": "no plain file within",
        "hard link": "no plain file within",
        "device": "no plain file within",
        "pipe": "no plain file within",
        "twice": "key occurs twice",
        "cut in a member": "damaged|ends without",
        "cut behind a member": "ends without the mark",
        "rubbish": "archive is damaged",
        "compressed": "compressed as a whole",
        "empty": "archive is damaged",
    }.items(),
)
def test_hostile_archives(tmp_path: Path, kind: str, said: str) -> None:
    before = sorted(damaged(tmp_path / "in", kind).rglob("*"))
    with pytest.raises(DataError, match=said) as caught:
        read(tmp_path / "in", STREAM)
    assert "b.tar" in caught.value.where
    assert sorted((tmp_path / "in").rglob("*")) == before and not (tmp_path / "etc").exists()


def test_other_schema_missing_label_and_no_picture(tmp_path: Path) -> None:
    shards(tmp_path / "a"), write(tmp_path / "a" / "z.tar", range(5), "json")
    with pytest.raises(DataError, match="says other things") as caught:
        read(tmp_path / "a", STREAM)
    assert "z.tar" in caught.value.where
    with tarfile.open(shards(tmp_path / "b") / "y.tar", "w") as archive:
        add(archive, "x.png", picture(400))
        add(archive, "w.png", picture(401))
        add(archive, "w.cls", b"1")
    found = read(tmp_path / "b", STREAM)
    assert len(found) == 121
    assert [one.name for one in check(found) if one.level == "stop"] == ["pictures-without-label"]
    write(tmp_path / "c" / "a.tar", range(0))
    with pytest.raises(DataError, match="no pictures"):
        read(tmp_path / "c", STREAM)


def test_a_damaged_picture_is_named_by_the_check(tmp_path: Path) -> None:
    shards(tmp_path)
    with tarfile.open(tmp_path / "z.tar", "w") as archive:
        add(archive, "broken.png", picture(9)[:100] + bytes(30))
        add(archive, "broken.cls", b"0")
    found = check_path(tmp_path)
    assert any("z.tar/broken.png" in str(one.where) for one in found if one.level == "stop")
