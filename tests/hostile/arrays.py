"""NumPy's files: headers that lie, archives that swell, objects in disguise."""

import io
import struct
import zipfile
from pathlib import Path

import numpy as np

from tests.hostile.case import accepted, put, refused
from tests.hostile.payloads import zipped


def npy(header: str, data: bytes = b"", version: int = 1) -> bytes:
    """Return a file in NumPy's format whose header says anything."""
    text = header.encode("latin-1") + b"\n"
    return b"\x93NUMPY" + bytes([version, 0]) + struct.pack("<H" if version == 1 else "<I", len(text)) + text + data


def said(kind: str = "<f8", shape: str = "(4, 2)", fortran: str = "False") -> str:
    return f"{{'descr': '{kind}', 'fortran_order': {fortran}, 'shape': {shape}}}"


EIGHT = bytes(64)
HEADERS = {
    "a shape of a terabyte": npy(said(shape="(1000000, 1000000)"), EIGHT),
    "a shape that overflows": npy(said(shape="(4294967296, 4294967296, 4)"), EIGHT),
    "a negative shape": npy(said(shape="(-4, -2)"), EIGHT),
    "a shape of fractions": npy(said(shape="(4.0, 2)"), EIGHT),
    "a shape of truth": npy(said(shape="(True, 8)") + " " * 3, EIGHT[:-8]),
    "a shape of a number of 5000 digits": npy(said(shape=f"({'9' * 5000},)"), EIGHT),
    "a shape that is called": npy(said(shape="__import__('os').system('touch /tmp/canary')"), EIGHT),
    "1000 axes": npy(said(shape=f"({'1,' * 1000})"), bytes(8)),
    "objects": npy(said("|O"), EIGHT),
    "objects inside records": npy("{'descr': [('a', '|O')], 'fortran_order': False, 'shape': (8,)}", EIGHT),
    "a type that is none": npy(said("<q99"), EIGHT),
    "a type of zero bytes": npy(said("|S0"), b""),
    "a text type of 2 GB": npy(said("<U500000000", "(1,)"), EIGHT),
    "dates": npy(said("<M8[s]", "(8,)"), EIGHT),
    "complex numbers": npy(said("<c16", "(4, 1)"), EIGHT),
    "brackets 3000 deep": npy("(" * 3000 + ")" * 3000, EIGHT),
    "a header of code": npy("[x for x in ().__class__.__bases__]", EIGHT),
    "a header of 60 kB": npy(said() + " " * 60_000, EIGHT),
    "no header": b"\x93NUMPY\x01\x00",
    "a header cut off": npy(said(), EIGHT)[:30],
    "a header longer than the file": b"\x93NUMPY\x02\x00\xff\xff\xff\xff" + said().encode(),
    "version 9": b"\x93NUMPY\x09\x00" + npy(said(), EIGHT)[8:],
    "fewer numbers than it says": npy(said(), EIGHT[:-1]),
    "more numbers than it says": npy(said(), EIGHT + b"\0"),
    "no samples": npy(said(shape="(0, 2)"), b""),
    "no axes": npy(said(shape="()"), EIGHT[:8]),
    "nothing": b"",
    "rubbish": bytes(range(256)) * 10,
    "a text": b"1.0 2.0 3.0\n",
}


def _header(name: str, content: bytes) -> None:
    @refused("array", f"NPY with {name}", "where: ")
    def _(folder: Path) -> Path:
        return put(folder / "a.npy", content)

    @refused("array", f"NPZ with {name}", "where: ")
    def _(folder: Path) -> Path:
        return archive(folder, {"inputs.npy": content})


for _name, _content in HEADERS.items():
    _header(_name, _content)


def archive(folder: Path, members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(folder / "a.npz", "w", method) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return folder / "a.npz"


def saved(**arrays: np.ndarray) -> bytes:
    content = io.BytesIO()
    np.savez(content, **arrays)
    return content.getvalue()


@refused("array", "NPZ bomb", "unpack to far more", "found: 320,0")
def _(folder: Path) -> Path:
    np.savez_compressed(folder / "a.npz", inputs=np.zeros((20_000, 2000)))
    return folder / "a.npz"


@refused("array", "NPZ bomb whose sizes are understated")
def _(folder: Path) -> Path:
    path = folder / "a.npz"
    np.savez_compressed(path, inputs=np.zeros((10_000, 2000)))
    real = (10_000 * 2000 * 8 + 128).to_bytes(4, "little")
    return put(path, path.read_bytes().replace(real, (1000).to_bytes(4, "little")))


@refused("array", "NPZ whose entries overlap")
def _(folder: Path) -> Path:
    kernel = saved(inputs=np.zeros((1000, 1000)))
    end = kernel.rfind(b"PK\x05\x06")
    start = kernel.find(b"PK\x01\x02")
    entry = kernel[start:end]
    entries = b"".join(entry.replace(b"inputs", f"in{n:04}".encode()) for n in range(200))
    footer = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 200, 200, len(entries), start, 0)
    return put(folder / "a.npz", kernel[:start] + entries + footer)


@refused("array", "NPZ of 20,000 entries", "not made by NumPy", "found: 20000 entries")
def _(folder: Path) -> Path:
    with zipfile.ZipFile(folder / "a.npz", "w") as file:
        for number in range(20_000):
            file.writestr(f"{number}.npy", b"")
    return folder / "a.npz"


@refused("array", "NPZ in an NPZ", "not an array in NumPy's format")
def _(folder: Path) -> Path:
    return archive(folder, {"inputs.npz": saved(inputs=np.zeros((4, 2)))})


@refused("array", "NPZ with a name twice", "not made by NumPy")
def _(folder: Path) -> Path:
    kernel = saved(inputs=np.zeros((4, 2)), inputz=np.zeros((4, 2)))
    return put(folder / "a.npz", kernel.replace(b"inputz", b"inputs"))


@refused("array", "NPZ of nothing", "no arrays")
def _(folder: Path) -> Path:
    return archive(folder, {})


@refused("array", "NPZ cut off", "cannot be read")
def _(folder: Path) -> Path:
    return put(folder / "a.npz", saved(inputs=np.zeros((4, 2)))[:-30])


@refused("array", "NPZ with a wrong checksum", "CRC")
def _(folder: Path) -> Path:
    return put(folder / "a.npz", saved(inputs=np.arange(8.0).reshape(4, 2)).replace(b"\xf0\x3f", b"\xf0\x40"))


@refused("array", "NPZ that is locked", "cannot be read")
def _(folder: Path) -> Path:
    content = bytearray(saved(inputs=np.zeros((4, 2))))
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.find(mark) + place] |= 1
    return put(folder / "a.npz", bytes(content))


@refused("array", "NPZ packed in an unknown way", "cannot be read")
def _(folder: Path) -> Path:
    content = bytearray(saved(inputs=np.zeros((4, 2))))
    for mark, place in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        content[content.find(mark) + place] = 99
    return put(folder / "a.npz", bytes(content))


@accepted("array", "NPZ with names that lead out of it", "../../inputs")
def _(folder: Path) -> Path:
    content = io.BytesIO()
    np.save(content, np.random.default_rng(0).normal(size=(30, 2)))
    return archive(folder, {"../../inputs.npy": content.getvalue()})


LINK = 0xA1FF << 16
"""How a zip says that a member is a symbolic link."""


@refused("array", "NPZ with a symbolic link for an array", "not an array in NumPy's format")
def _(folder: Path) -> Path:
    with zipfile.ZipFile(folder / "a.npz", "w") as file:
        info = zipfile.ZipInfo("inputs.npy")
        info.create_system, info.external_attr = 3, LINK
        file.writestr(info, "/etc/passwd")
    return folder / "a.npz"


@refused("array", "NPZ in twenty NPZ")
def _(folder: Path) -> Path:
    content = saved(inputs=np.zeros((4, 2)))
    for _level in range(20):
        content = zipped({"inputs.npy": content})
    return put(folder / "a.npz", content)


REFUSED = {
    "objects": {"inputs": np.array([{}, []], dtype=object)},
    "targets of objects": {"inputs": np.eye(2), "targets": np.array([{}, []], dtype=object)},
    "as many targets as not samples": {"inputs": np.eye(3), "targets": np.arange(2)},
    "targets of three axes": {"inputs": np.eye(3), "targets": np.zeros((3, 1, 1))},
    "targets of no axes": {"inputs": np.eye(3), "targets": np.array(1)},
    "targets of dates": {"inputs": np.eye(3), "targets": np.array(["2024-01-01"] * 3, dtype="M8[D]")},
    "records": {"inputs": np.zeros(3, dtype=[("a", "f4"), ("b", "f4")])},
    "images of seven channels": {"inputs": np.zeros((2, 4, 4, 7))},
    "images of five axes": {"inputs": np.zeros((2, 4, 4, 3, 1))},
    "pixels below zero": {"inputs": np.full((2, 4, 4), -1.0)},
    "pixels that are no numbers": {"inputs": np.full((2, 4, 4), np.nan)},
    "pixels above white": {"inputs": np.full((2, 4, 4), 256)},
    "a test part of another shape": {"x_train": np.eye(3), "x_test": np.eye(4)},
    "test targets of another kind": {
        "x_train": np.eye(3), "y_train": np.arange(3), "x_test": np.eye(3), "y_test": np.array(list("abc")),
    },
    "nothing called inputs": {"one": np.eye(3), "two": np.eye(3)},
    "inputs of text": {"inputs": np.array([["a", "b"]])},
}  # fmt: skip


def _refused(name: str, arrays: dict[str, np.ndarray]) -> None:
    @refused("array", f"NPZ with {name}")
    def _(folder: Path) -> Path:
        np.savez(folder / "a.npz", **arrays)
        return folder / "a.npz"


for _name, _arrays in REFUSED.items():
    _refused(_name, _arrays)


@accepted("array", "class numbers of two thousand millions")
def _(folder: Path) -> Path:
    numbers = np.array([5, 2**31, 2**62] * 10)
    np.savez(folder / "a.npz", inputs=np.random.default_rng(0).normal(size=(30, 2)), targets=numbers)
    return folder / "a.npz"


@refused("array", "infinite inputs", "values that are infinite")
def _(folder: Path) -> Path:
    rows = np.random.default_rng(0).normal(size=(30, 2))
    rows[3, 1] = 1e300
    np.savez(folder / "a.npz", inputs=rows, targets=np.arange(30) % 2)
    return folder / "a.npz"
