"""Archives of published sets: CIFAR-10 in tar, MNIST in gzip, with everything that such formats can lie about."""

import gzip
import io
import struct
import tarfile
from collections.abc import Callable, Iterable
from pathlib import Path

from tests.hostile.case import put, refused
from tests.hostile.images import NOISE, encoded

RECORD = 3073
BATCH = bytes(RECORD * 10)
NAMES = [*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin"]


def tar(folder: Path, members: Iterable[tuple[tarfile.TarInfo, bytes]], level: int = 1) -> Path:
    with tarfile.open(folder / "cifar-10-binary.tar.gz", "w:gz", compresslevel=level) as archive:
        for info, content in members:
            info.size = len(content) if info.isfile() and not info.size else info.size
            archive.addfile(info, io.BytesIO(content))
    return folder


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


def whole() -> list[tuple[tarfile.TarInfo, bytes]]:
    return [(member(f"cifar-10-batches-bin/{name}"), BATCH) for name in NAMES]


ENTRIES = {
    "a path out of the archive": member("../../escaped.bin"),
    "an absolute path": member("/tmp/escaped.bin"),
    "a path of Windows out of the archive": member("..\\..\\escaped.bin"),
    "a symbolic link": member("data_batch_1.bin", tarfile.SYMTYPE, "/etc/passwd"),
    "a hard link": member("data_batch_1.bin", tarfile.LNKTYPE, "/etc/passwd"),
    "a device": member("data_batch_1.bin", tarfile.CHRTYPE),
    "a block device": member("disk", tarfile.BLKTYPE),
    "a pipe": member("data_batch_1.bin", tarfile.FIFOTYPE),
}


def _entry(name: str, info: tarfile.TarInfo) -> None:
    @refused("archive", f"tar with {name}", "holds what no archive of images has", info.name.split("/")[-1][-10:])
    def _(folder: Path) -> Path:
        return tar(folder, [*whole(), (info, b"")])


for _name, _info in ENTRIES.items():
    _entry(_name, _info)


@refused("archive", "tar that unpacks to 320 MB", "unpacks to more")
def _(folder: Path) -> Path:
    path = folder / "cifar-10-binary.tar.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        for number in range(20):
            info = member(f"data_batch_{number}.bin")
            info.size = 1 << 24
            file.write(info.tobuf() + bytes(1 << 24))
    return folder


@refused("archive", "tar with a file of 64 MB", "holds what no archive of images has")
def _(folder: Path) -> Path:
    return tar(folder, [(member("data_batch_1.bin"), bytes(1 << 26))])


@refused("archive", "tar of 100,000 entries", "at most 1000 plain files")
def _(folder: Path) -> Path:
    with gzip.open(folder / "cifar-10-binary.tar.gz", "wb", compresslevel=1) as file:
        block = member("a").tobuf()
        for _number in range(100):
            file.write(block * 1000)
    return folder


@refused("archive", "tar with a header of 1 GB", "unpacks to more")
def _(folder: Path) -> Path:
    info = member("././@PaxHeader", tarfile.XHDTYPE)
    info.size = 1 << 30
    with gzip.open(folder / "cifar-10-binary.tar.gz", "wb", compresslevel=1) as file:
        file.write(info.tobuf(tarfile.USTAR_FORMAT))
        for _number in range(20):
            file.write(bytes(1 << 24))
    return folder


@refused("archive", "tar in a tar", "not complete here", "no data_batch_1.bin")
def _(folder: Path) -> Path:
    inner = io.BytesIO()
    with tarfile.open(fileobj=inner, mode="w:gz") as archive:
        archive.addfile(member("data_batch_1.bin"))
    return tar(folder, [(member("inner.tar.gz"), inner.getvalue())])


@refused("archive", "tar of nothing", "not complete here")
def _(folder: Path) -> Path:
    return tar(folder, [])


@refused("archive", "tar cut off", "damaged")
def _(folder: Path) -> Path:
    path = tar(folder, whole()) / "cifar-10-binary.tar.gz"
    put(path, path.read_bytes()[:100])
    return folder


@refused("archive", "rubbish called a tar", "damaged")
def _(folder: Path) -> Path:
    put(folder / "cifar-10-binary.tar.gz", NOISE.tobytes())
    return folder


@refused("archive", "tar with a number of a size that is none")
def _(folder: Path) -> Path:
    block = bytearray(member("data_batch_1.bin").tobuf())
    block[124:136] = b"\x80" + b"\xff" * 11
    put(folder / "cifar-10-binary.tar.gz", gzip.compress(bytes(block) + bytes(2048)))
    return folder


@refused("archive", "batch with labels that do not exist", "labels that CIFAR-10 has not", "expected: 0 to 9")
def _(folder: Path) -> Path:
    return tar(folder, [(member(name), b"\x0b" + BATCH[1:]) for name in NAMES])


@refused("archive", "batch cut off", "cut off")
def _(folder: Path) -> Path:
    return tar(folder, [(member(name), BATCH[:-1]) for name in NAMES])


@refused("archive", "images of other classes", "not the classes of CIFAR-10", "unicorn")
def _(folder: Path) -> Path:
    return jpeg(folder, "train/unicorn/1.jpg", encoded(NOISE, "JPEG"))


@refused("archive", "images of another size", "not the images of CIFAR-10", "40")
def _(folder: Path) -> Path:
    return jpeg(folder, "train/cat/1.jpg", encoded(NOISE, "JPEG"))


@refused("archive", "images that are none", "cannot be read")
def _(folder: Path) -> Path:
    return jpeg(folder, "train/cat/1.jpg", b"rubbish")


@refused("archive", "sheets of another size", "no sheet of CIFAR-10")
def _(folder: Path) -> Path:
    put(folder / "lossless" / "cifar10_labels.js", "var labels=[1, 2, 3]")
    put(folder / "lossless" / "cifar10_batch_0.png", encoded(NOISE))
    return folder


@refused("archive", "labels of a million digits", "not complete here")
def _(folder: Path) -> Path:
    put(folder / "lossless" / "cifar10_labels.js", "var labels=[" + "9" * 1_000_000)
    put(folder / "lossless" / "cifar10_batch_x.png", encoded(NOISE))
    return folder


def jpeg(folder: Path, name: str, content: bytes) -> Path:
    for part in ("train", "test"):
        (folder / "jpeg").mkdir(exist_ok=True)
        with tarfile.open(folder / "jpeg" / f"{part}.tar.gz", "w:gz") as archive:
            info = member(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return folder


def idx(*shape: int, kind: int = 8, data: bytes = b"") -> bytes:
    return bytes([0, 0, kind, len(shape)]) + struct.pack(f">{len(shape)}I", *shape) + data


IMAGES = idx(3, 2, 2, data=bytes(12))
LYING = {
    "sizes that overflow": idx(2**32 - 1, 2**32 - 1, 2**32 - 1, data=bytes(10)),
    "sizes that multiply to zero in 64 bits": idx(2**31, 2**31, 4, data=bytes(10)),
    "negative sizes": idx(2**32 - 5, 2, 2, data=bytes(12)),
    "a terabyte": idx(1 << 20, 1 << 10, 1 << 10, data=bytes(10)),
    "255 axes": idx(*[1] * 255, data=bytes(1)),
    "no axes": bytes([0, 0, 8, 0]),
    "numbers of no kind": idx(3, 2, 2, kind=7, data=bytes(12)),
    "fewer numbers than it says": idx(3, 2, 2, data=bytes(11)),
    "more numbers than it says": idx(3, 2, 2, data=bytes(13)),
    "rubbish": b"\x93NUMPY rubbish",
    "nothing": b"",
    "images without pixels": idx(0, 2, 2),
    "images of five channels": idx(1, 2, 2, 5, data=bytes(20)),
}


def _lying(name: str, content: bytes, pack: Callable[[bytes], bytes], ending: str) -> None:
    @refused("archive", f"IDX{ending} of {name}", "IDX")
    def _(folder: Path) -> Path:
        put(folder / f"train-images-idx3-ubyte{ending}", pack(content))
        return folder


for _name, _content in LYING.items():
    _lying(_name, _content, bytes, "")
    _lying(_name, _content, gzip.compress, ".gz")


@refused("archive", "IDX.gz bomb", "unpack to far more")
def _(folder: Path) -> Path:
    with gzip.open(folder / "train-images-idx3-ubyte.gz", "wb", compresslevel=1) as file:
        file.write(idx(1 << 10, 1 << 10, 1 << 10))
        for _number in range(8):
            file.write(bytes(1 << 24))
    return folder


@refused("archive", "IDX.gz cut off", "cannot be read")
def _(folder: Path) -> Path:
    put(folder / "train-images-idx3-ubyte.gz", gzip.compress(IMAGES)[:-10])
    return folder


@refused("archive", "IDX.gz with a wrong checksum", "CRC")
def _(folder: Path) -> Path:
    put(folder / "train-images-idx3-ubyte.gz", gzip.compress(IMAGES)[:-8] + bytes(8))
    return folder


@refused("archive", "IDX labels of two thousand millions", "no class numbers")
def _(folder: Path) -> Path:
    put(folder / "train-images-idx3-ubyte", IMAGES)
    put(folder / "train-labels-idx1-ubyte", idx(3, kind=0x0C, data=struct.pack(">3i", 0, 1, 2**31 - 1)))
    return folder


@refused("archive", "IDX labels below zero", "no class numbers")
def _(folder: Path) -> Path:
    put(folder / "train-images-idx3-ubyte", IMAGES)
    put(folder / "train-labels-idx1-ubyte", idx(3, kind=9, data=b"\xff\x00\x01"))
    return folder


@refused("archive", "IDX labels of no number", "no class numbers")
def _(folder: Path) -> Path:
    put(folder / "train-images-idx3-ubyte", IMAGES)
    put(folder / "train-labels-idx1-ubyte", idx(3, kind=0x0D, data=struct.pack(">3f", 0, float("nan"), 1)))
    return folder


@refused("archive", "IDX labels of another number", "differ in number")
def _(folder: Path) -> Path:
    put(folder / "train-images-idx3-ubyte", IMAGES)
    put(folder / "train-labels-idx1-ubyte", idx(2, data=bytes(2)))
    return folder


@refused("archive", "IDX labels alone", "no training images")
def _(folder: Path) -> Path:
    put(folder / "train-labels-idx1-ubyte", idx(2, data=bytes(2)))
    return folder
