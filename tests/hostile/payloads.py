"""Pickles that do something when they are read: each would leave a canary behind."""

import io
import pickle
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

ENDINGS = (
    ".pt",
    ".pth",
    ".ckpt",
    ".pkl",
    ".pickle",
    ".joblib",
    ".npy",
    ".npz",
    ".bin",
    ".png",
    ".safetensors",
)


def call(function: str, *arguments: object, protocol: int = 2) -> bytes:
    """Return a pickle that calls `function` when it is loaded."""
    module, name = function.rsplit(".", 1)
    body = pickle.dumps(arguments, protocol)
    start = b"\x80" + bytes([protocol]) if protocol >= 2 else b""
    inner = body[2:-1] if protocol >= 2 else body[:-1]
    if protocol >= 4:
        inner = inner[9:] if inner[:1] == b"\x95" else inner  # without the frame
    return start + b"c" + module.encode() + b"\n" + name.encode() + b"\n" + inner + b"R."


def pickles(canary: Path) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of pickles that touch `canary` by way of many functions, opcodes and protocols."""
    touch = f"touch '{canary}'"
    python = f"open({str(canary)!r}, 'w').close()"
    calls: list[tuple[str, tuple[object, ...]]] = [
        ("os.system", (touch,)),
        ("posix.system", (touch,)),
        ("subprocess.getoutput", (touch,)),
        ("subprocess.call", (["touch", str(canary)],)),
        ("builtins.exec", (python,)),
        ("builtins.eval", (python,)),
        ("builtins.open", (str(canary), "w")),
        ("pathlib.Path.touch", (canary,)),
        ("os.mkdir", (str(canary),)),
        ("runpy.run_path", (str(canary) + ".py",)),
        ("timeit.timeit", (python,)),
        ("numpy.testing._private.utils.runstring", (python, {})),
        ("torch.hub.load_state_dict_from_url", (f"file://{canary}",)),
        ("code.InteractiveInterpreter", ()),
        ("pydoc.pipepager", ("", touch)),
    ]
    for function, arguments in calls:
        for protocol in (0, 2, 3, 4):
            try:
                yield f"{function} by protocol {protocol}", call(function, *arguments, protocol=protocol)
            except (pickle.PicklingError, ValueError):
                continue
    by_instance = b"(S'" + touch.encode().replace(b"'", b'"') + b"'\nios\nsystem\n."
    by_object = b"(cos\nsystem\nS'" + touch.encode().replace(b"'", b'"') + b"'\no."
    yield "the opcode INST", by_instance
    yield "the opcode OBJ", by_object
    yield (
        "the opcode STACK_GLOBAL",
        b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c" + bytes([len(touch)]) + touch.encode() + b"\x85R.",
    )
    yield "a call within a call", call("os.system", touch)[:-1] + b"0" + call("os.system", touch)[2:]
    yield "a call in a state dict", b"\x80\x02}X\x06\x00\x00\x00weight" + call("os.system", touch)[2:-1] + b"s."
    yield "rubbish behind a call", call("os.system", touch) + b"\xff" * 100
    yield "a number of bytes that never ends", b"\x80\x04\x8e" + b"\xff" * 8
    yield "a memo of two thousand millions", b"\x80\x02Nr\xff\xff\xff\x7f."
    yield "a stack of a hundred thousand lists", b"\x80\x02" + b"(" * 100_000 + b"l" * 100_000 + b"."


def containers(name: str, content: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield a pickle as it is, and as libraries pack it: torch's archives, NumPy's arrays, joblib's and others."""
    yield name, content
    yield f"{name}, in a zip of torch", zipped({"archive/data.pkl": content, "archive/version": b"3\n"})
    yield f"{name}, as torch wrote it before", pickle.dumps(0x1950A86A20F9469CFC6C, 2) + pickle.dumps(1001, 2) + content
    yield f"{name}, in a tar of torch", tarred({"pickle": content, "storages": b"", "tensors": b""})
    header = b"{'descr': '|O', 'fortran_order': False, 'shape': (1,)}\n"
    array = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + content
    yield f"{name}, as an array of objects", array
    yield f"{name}, in an archive of arrays", zipped({"inputs.npy": array, "targets.npy": array})
    yield f"{name}, in an archive without arrays", zipped({"inputs.npy": content})
    yield f"{name}, in a zip in a zip", zipped({"inputs.npy": zipped({"archive/data.pkl": content})})
    yield f"{name}, compressed", zlib.compress(content)
    yield (
        f"{name}, as TorchScript",
        zipped({"archive/data.pkl": content, "archive/constants.pkl": content, "archive/code/a.py": b""}),
    )


def zipped(members: dict[str, bytes]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, part in members.items():
            archive.writestr(name, part)
    return content.getvalue()


def tarred(members: dict[str, bytes]) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        for name, part in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(part)
            archive.addfile(info, io.BytesIO(part))
    return content.getvalue()


def files(folder: Path, canary: Path) -> list[Path]:
    """Write every pickle, packed in turn in each of the ways, under each of the endings in turn."""
    found = []
    packed = [one for name, content in pickles(canary) for one in containers(name, content)]
    for number, (_, content) in enumerate(packed):
        path = folder / f"{number:04}{ENDINGS[number % len(ENDINGS)]}"
        path.write_bytes(content)
        found.append(path)
    objects = np.array([{"a": 1}], dtype=object)
    np.save(folder / "objects.npy", objects, allow_pickle=bool(len(objects)))
    np.savez(folder / "objects.npz", inputs=objects)
    return [*found, folder / "objects.npy", folder / "objects.npz"]
