"""IDX, CIFAR-10, the catalogue and fetching, all on files made here."""

import gzip
import hashlib
import io
import socket
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganglion.data.catalogue import ENTRIES, describe, read
from ganglion.data.formats.images import cifar
from ganglion.data.formats.images.idx import read_idx
from ganglion.data.published import PUBLISHED, Published
from ganglion.data.settings import DataSettings
from ganglion.data.sources.download import RemoteFile, fetch
from ganglion.errors import ConfigurationError, DataError

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.integers(0, 256, (12, 4, 5), dtype=np.uint8)
LABELS = np.arange(12, dtype=np.uint8) % 3


def idx(array: np.ndarray, code: int = 0x08) -> bytes:
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return bytes([0, 0, code, array.ndim]) + sizes + array.tobytes()


MNIST = {
    "train-images-idx3-ubyte.gz": gzip.compress(idx(IMAGES)),
    "train-labels-idx1-ubyte.gz": gzip.compress(idx(LABELS)),
    "t10k-images-idx3-ubyte.gz": gzip.compress(idx(IMAGES[:3])),
    "t10k-labels-idx1-ubyte.gz": gzip.compress(idx(LABELS[:3])),
}


def put(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


@pytest.mark.parametrize(
    ("code", "kind"), [(0x08, ">u1"), (0x09, ">i1"), (0x0B, ">i2"), (0x0C, ">i4"), (0x0D, ">f4"), (0x0E, ">f8")]
)
def test_idx_of_every_type(tmp_path: Path, code: int, kind: str) -> None:
    array = np.arange(24).reshape(2, 3, 4).astype(kind)
    put(tmp_path, {"plain.idx": idx(array, code), "packed.idx": gzip.compress(idx(array, code))})
    for name in ("plain.idx", "packed.idx"):
        assert np.array_equal(read_idx(tmp_path / name), array)


@pytest.mark.parametrize("packed", [True, False])
def test_idx_folders_find_their_pairs_by_name(tmp_path: Path, packed: bool) -> None:
    files = MNIST if packed else {name.removesuffix(".gz"): gzip.decompress(data) for name, data in MNIST.items()}
    folder = put(tmp_path, files)
    for source in (folder, folder / next(iter(files))):
        dataset = read(source, DataSettings())
        assert np.array_equal(dataset.inputs[..., 0], IMAGES)
        assert np.array_equal(dataset.targets, LABELS)
        assert np.array_equal(dataset.test_targets, LABELS[:3])
        assert dataset.label_names == ("0", "1", "2")


def test_damaged_idx_files_are_refused(tmp_path: Path) -> None:
    whole = idx(IMAGES)
    for content, message in {
        b"\0\0\x08\x03": "not an IDX",
        b"hello world": "not an IDX",
        whole[:-1]: "cut off",
        whole + b"\0": "too long",
        gzip.compress(whole)[:-20]: "cannot be read",
    }.items():
        with pytest.raises(DataError, match=message):
            read_idx(put(tmp_path, {"a.idx": content}) / "a.idx")
    wrong = {**MNIST, "train-labels-idx1-ubyte.gz": gzip.compress(idx(LABELS[:5]))}
    with pytest.raises(DataError, match="differ in number"):
        read(put(tmp_path / "wrong", wrong), DataSettings())


def cifar_batches(count: int = 4) -> tuple[dict[str, bytes], np.ndarray, np.ndarray]:
    """Return six batches, and the training images and labels in them."""
    images = RANDOM.integers(0, 256, (6 * count, 32, 32, 3), dtype=np.uint8)
    labels = RANDOM.integers(0, 10, 6 * count).astype(np.uint8)
    records = np.hstack([labels[:, None], images.transpose(0, 3, 1, 2).reshape(6 * count, -1)])
    names = [f"data_batch_{number}.bin" for number in range(1, 6)] + ["test_batch.bin"]
    parts = {name: part.tobytes() for name, part in zip(names, np.split(records, 6), strict=True)}
    return parts, images[: 5 * count], labels[: 5 * count]


def archive(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as opened:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            opened.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


@pytest.mark.parametrize("form", ["files", "folder", "archive"])
def test_cifar_in_the_binary_version(tmp_path: Path, form: str) -> None:
    batches, images, labels = cifar_batches()
    inner = {f"cifar-10-batches-bin/{name}": content for name, content in batches.items()}
    put(tmp_path, {"files": batches, "folder": inner, "archive": {cifar.ARCHIVE: archive(inner)}}[form])
    dataset = read(tmp_path, DataSettings())
    assert np.array_equal(dataset.inputs, images)
    assert np.array_equal(dataset.targets, labels)
    assert len(dataset.test_inputs) == 4
    assert dataset.label_names[3] == "cat"


def test_incomplete_cifar_is_refused(tmp_path: Path) -> None:
    batches, _, _ = cifar_batches()
    put(tmp_path, {name: content for name, content in batches.items() if "_3" not in name})
    with pytest.raises(DataError, match="not complete"):
        read(tmp_path, DataSettings())
    put(tmp_path, {**batches, "data_batch_3.bin": b"short"})
    with pytest.raises(DataError, match="cut off"):
        read(tmp_path, DataSettings())


def test_cifar_as_jpeg_archives(tmp_path: Path) -> None:
    def jpeg(level: int) -> bytes:
        buffer = io.BytesIO()
        Image.fromarray(np.full((32, 32, 3), level, np.uint8)).save(buffer, "JPEG")
        return buffer.getvalue()

    train = {"train/truck/0001.jpg": jpeg(90), "train/cat/0000.jpg": jpeg(10), "train/truck/0000.jpg": jpeg(80)}
    put(tmp_path, {"jpeg/train.tar.gz": archive(train), "jpeg/test.tar.gz": archive({"test/dog/0.jpg": jpeg(50)})})
    dataset = read(tmp_path, DataSettings())
    assert dataset.targets.tolist() == [3, 9, 9]
    assert dataset.inputs[:, 0, 0, 0].tolist() == [10, 80, 90]
    assert dataset.test_targets.tolist() == [5]


def test_the_catalogue_says_what_is_true() -> None:
    assert describe() == ENTRIES
    made_of_another = {"moving-mnist"}
    assert {entry.name for entry in ENTRIES if entry.origin == "published"} == set(PUBLISHED) | made_of_another


@pytest.mark.full
def test_what_is_bundled_or_generated_is_as_the_catalogue_says() -> None:
    for entry in ENTRIES:
        if entry.origin != "published":
            dataset = read(entry.name, DataSettings())
            assert (dataset.kind, dataset.name, dataset.source) == (entry.kind, entry.name, entry.name)
            judged = dataset.test_fields["inputs"].values if dataset.test_fields else ()
            assert str(len(dataset) + len(judged)) in entry.summary or entry.kind == "text"
            assert len(dataset.fingerprint) == 64
            assert dataset.targets is None or len(dataset.targets) == len(dataset)


def test_an_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(ConfigurationError, match="did you mean 'digits'"):
        read("digts", DataSettings())
    with pytest.raises(DataError, match="no such file"):
        read("nowhere/table.csv", DataSettings())


class Served(BaseHTTPRequestHandler):
    """Serves files from a dictionary, with ranges, and keeps account."""

    files: dict[str, bytes]
    requests: list[tuple[str, str | None]]
    cut: int | None = None
    ranges = True

    def do_GET(self) -> None:
        name, wanted = self.path.rsplit("/", 1)[-1], self.headers.get("Range")
        self.requests.append((self.path, wanted))
        content = self.files.get(name)
        if content is None:
            self.send_error(404)
            return
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted and self.ranges else 0
        if start >= len(content):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        self.wfile.write(content[start:][: self.cut])

    def log_message(self, *arguments: object) -> None:
        """Keep quiet."""


@pytest.fixture
def server() -> Iterator[tuple[str, type[Served]]]:
    handler = type("Handler", (Served,), {"files": {}, "requests": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_address[1]}", handler
        running.shutdown()
        thread.join()


def remote(name: str, content: bytes) -> RemoteFile:
    return RemoteFile(name, hashlib.sha256(content).hexdigest())


CONTENT = RANDOM.bytes(50_000)


def test_fetching_goes_on_where_it_stopped(tmp_path: Path, server: tuple[str, type[Served]]) -> None:
    address, handler = server
    handler.files["a.bin"] = CONTENT
    handler.cut = 20_000
    with pytest.raises(DataError, match=r"broke after 20000 of 50000"):
        fetch([remote("a.bin", CONTENT)], [address], tmp_path)
    assert not (tmp_path / "a.bin").exists()
    handler.cut = None
    fetch([remote("a.bin", CONTENT)], [address], tmp_path)
    assert (tmp_path / "a.bin").read_bytes() == CONTENT
    assert [wanted for _, wanted in handler.requests] == [None, "bytes=20000-"]
    fetch([remote("a.bin", CONTENT)], [address], tmp_path)
    assert len(handler.requests) == 2  # What is here is not fetched again.


def test_a_server_without_ranges_and_a_finished_part(tmp_path: Path, server: tuple[str, type[Served]]) -> None:
    address, handler = server
    handler.files["a.bin"] = CONTENT
    handler.ranges = False
    (tmp_path / "a.bin.part").write_bytes(CONTENT[:100])
    fetch([remote("a.bin", CONTENT)], [address], tmp_path)
    assert (tmp_path / "a.bin").read_bytes() == CONTENT
    handler.ranges = True
    (tmp_path / "a.bin").rename(tmp_path / "a.bin.part")
    fetch([remote("a.bin", CONTENT)], [address], tmp_path)
    assert (tmp_path / "a.bin").read_bytes() == CONTENT


def test_wrong_bytes_are_thrown_away_and_the_next_mirror_is_asked(
    tmp_path: Path, server: tuple[str, type[Served]]
) -> None:
    address, handler = server
    handler.files["a.bin"] = b"something else"
    with pytest.raises(DataError, match="SHA-256") as caught:
        fetch([remote("a.bin", CONTENT)], [f"{address}/one", f"{address}/two"], tmp_path)
    assert "/one/a.bin" in caught.value.where
    assert "/two/a.bin" in caught.value.where
    assert [path.name for path in tmp_path.iterdir() if path.name != ".lock"] == []
    with pytest.raises(DataError, match="404"):
        fetch([remote("b.bin", CONTENT)], [address], tmp_path)


def test_a_silent_server_is_given_up(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(DataError, match="timed out"):
            fetch([remote("a.bin", CONTENT)], [address], tmp_path, timeout=0.2)


def test_a_published_set_is_found_or_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: tuple[str, type[Served]]
) -> None:
    address, handler = server
    handler.files.update(MNIST)
    files = tuple((name, hashlib.sha256(content).hexdigest()) for name, content in MNIST.items())
    monkeypatch.setitem(PUBLISHED, "mnist", Published(tuple("0123456789"), files, (address,)))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("GANGLION_DATA", str(tmp_path / "shared"))
    with pytest.raises(DataError, match="--download") as caught:
        read("mnist", DataSettings())
    assert str(tmp_path / "shared" / "mnist") in caught.value.where
    assert str(tmp_path / "cache" / "ganglion" / "data" / "mnist") in caught.value.where
    assert not handler.requests
    fetched = read("mnist", DataSettings(download=True))
    assert np.array_equal(fetched.inputs[..., 0], IMAGES)
    assert len(fetched.label_names) == 10
    assert (fetched.name, fetched.source) == ("mnist", "mnist")
    assert read("mnist", DataSettings()).fingerprint == fetched.fingerprint
    put(tmp_path / "shared" / "mnist", MNIST)
    assert any(str(tmp_path / "shared") in note for note in read("mnist", DataSettings()).notes)
