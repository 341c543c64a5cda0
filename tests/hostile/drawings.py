"""Drawings: lines of JSON, and SVG with everything that XML can hide. Arrays of objects are in `payloads`."""

from pathlib import Path

import numpy as np

from tests.hostile.case import accepted, put, refused, refused_all
from tests.hostile.payloads import call, zipped

LINE = '{"word": "cat", "drawing": [[[0, 9, 9], [0, 0, 9]]]}\n'

refused_all(
    "drawing",
    "no drawing",
    {
        "lines of JSON without a line": b'{"drawing": []}\n' * 3,
        "lines of JSON with words for numbers": b'{"drawing": [[["a", "b"], ["c", "d"]]]}\n' * 3,
        "lines of JSON with uneven coordinates": b'{"drawing": [[[0, 1, 2], [0]]]}\n' * 3,
        "lines of JSON that are numbers": b"7\n8\n9\n",
        "lines of JSON of other things": b'{"a": 1}\n{"a": 2}\n',
        "lines of JSON with lists of lists of lists": b'{"drawing": [[[[0, 1]]]]}\n' * 3,
    },
    "a.ndjson",
)
refused_all(
    "drawing",
    "no JSON",
    {
        "lines of JSON of which the second is cut off": (LINE + LINE[:30]).encode(),
        "lines of JSON with numbers that never end": LINE.encode() + b'{"drawing": [[[' + b"9" * 1000 + b"], [0]]]}\n",
        "lines of JSON with numbers that are none": b'{"drawing": [[[NaN, 1], [0, 1]]]}\n' * 2,
        "lines of JSON nested a hundred thousand times": b"[" * 100_000,
        "lines of JSON of bytes": b"\xff\xfe\x00",
        "lines of JSON with a key twice": b'{"drawing": 1, "drawing": 2}\n' * 2,
    },
    "a.ndjson",
)
refused_all(
    "drawing",
    "SVG",
    {
        "SVG cut off": b'<svg><path d="M0 0L9 9',
        "SVG with a million laughs": b'<!DOCTYPE s [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><svg>&b;</svg>',
        "SVG that names a file": b'<!DOCTYPE s [<!ENTITY x SYSTEM "file:///etc/passwd">]><svg>&x;</svg>',
        "SVG of bytes": b"\x00\xff",
    },
    "a.svg",
)
refused_all(
    "drawing",
    "cannot be followed",
    {
        "SVG with a path that begins nowhere": b'<svg><path d="L1 1"/></svg>',
        "SVG with a command without numbers": b'<svg><path d="M0 0C1 1"/></svg>',
    },
    "a.svg",
)
refused_all(
    "drawing",
    "no line",
    {
        "SVG of text alone": b"<svg><text>hello</text></svg>",
        "SVG of a picture alone": b'<svg><image href="file:///etc/passwd"/></svg>',
        "SVG of numbers without end": b'<svg><path d="M0 0L1e999 1"/></svg>',
        "SVG nested ten thousand times": b"<g>" * 10_000 + b"</g>" * 10_000,
    },
    "a.svg",
)


@refused("drawing", "one drawing alone", "too few samples")
def _(folder: Path) -> Path:
    return put(folder / "a.svg", '<svg><path d="M0 0L9 9"/></svg>')


@accepted("drawing", "lines of JSON with Windows line ends and blank lines")
def _(folder: Path) -> Path:
    return put(folder / "a.ndjson", "".join(LINE.replace("9", str(n)) + "\r\n" for n in range(3, 9)))


@refused("drawing", "NPZ of drawings with a program in them", "could run code", "os.system", wanted="drawings")
def _(folder: Path) -> Path:
    header = b"{'descr': '|O', 'fortran_order': False, 'shape': (1,)}\n"
    array = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + call("os.system", "true")
    return put(folder / "a.npz", zipped({"train.npy": array}))


@refused("drawing", "NPZ of rows of two columns", "no drawing", "train 0", wanted="drawings")
def _(folder: Path) -> Path:
    np.savez(folder / "a.npz", train=np.zeros((4, 5, 2)))
    return folder / "a.npz"


@refused("drawing", "NPZ of a test part alone", "no array of drawings to learn from", wanted="drawings")
def _(folder: Path) -> Path:
    np.savez(folder / "a.npz", test=np.zeros((4, 5, 3)), valid=np.zeros((4, 5, 3)))
    return folder / "a.npz"
