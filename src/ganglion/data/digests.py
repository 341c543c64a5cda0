"""What samples contain, as numbers: digests for stable splits, duplicate checks and fingerprints."""

import hashlib
import json
from collections.abc import Iterable, Sequence

import numpy as np

from ganglion.data.fields import Boxes
from ganglion.data.mixed_rows import MixedRows


def digests(inputs: np.ndarray | Sequence, seed: int = 0) -> np.ndarray:
    """Return one uint64 per sample that depends on its content and on `seed` alone.

    Equal samples get equal numbers wherever they stand. Files are judged by what `ImageFiles.contents` returns.

    >>> same = digests(np.array([[1.0, 2.0], [0.0, 2.0], [1.0, 2.0]], dtype=np.float32))
    >>> bool(same[0] == same[2]), bool(same[0] == same[1])
    (True, False)
    """
    if isinstance(inputs, MixedRows) and seed in inputs.known:
        return inputs.known[seed]
    key = seed.to_bytes(16, "little", signed=True)
    one_by_one = (hashlib.blake2b(content, digest_size=8, key=key).digest() for content in _contents(inputs))
    found = np.frombuffer(b"".join(one_by_one), dtype="<u8")
    if isinstance(inputs, MixedRows):  # whose rows have to be written out, which takes long
        inputs.known[seed] = found
    return found


def _contents(inputs: np.ndarray | Sequence) -> Iterable:
    """Return the bytes that tell samples apart."""
    if isinstance(inputs, np.ndarray) and inputs.dtype != object:
        if not inputs.size:
            return [b""] * len(inputs)
        rows = inputs.reshape(len(inputs), -1)
        if rows.dtype.kind == "f":
            rows = rows + 0.0  # Minus zero equals zero, and shall have the same bytes.
        rows = np.ascontiguousarray(rows)
        return rows.view(np.uint8).reshape(len(rows), -1)
    if hasattr(inputs, "contents"):
        return inputs.contents()
    if isinstance(inputs, np.ndarray) and inputs.ndim > 1:
        return (repr(row.tolist()).encode() for row in inputs)
    return map(_content, inputs)


def _content(item: object) -> bytes:
    """Return the bytes of a sample of its own size: of an array with its shape, of a text, or of tagged tokens."""
    if isinstance(item, Boxes):
        return _content(item.corners) + _content(item.classes)
    if isinstance(item, np.ndarray):
        return str(item.shape).encode() + np.ascontiguousarray(item).tobytes()
    return str(_as_tuples(item)).encode("utf-8", "surrogatepass")


def _as_tuples(item: object) -> object:
    """Return lists as tuples, so that it does not matter which of both a sample came in."""
    return tuple(map(_as_tuples, item)) if isinstance(item, list | tuple) else item


def fingerprint(*parts: np.ndarray | Sequence | None) -> str:
    """Return the SHA-256 of arrays of any shape, texts or files, in this order."""
    total = hashlib.sha256()
    for part in parts:
        if isinstance(part, np.ndarray) and part.dtype != object:
            total.update(f"{part.dtype.str}{part.shape}".encode())
            total.update(np.ascontiguousarray(part).data)
        elif part is not None:
            for content in _contents(part):
                total.update(hashlib.sha256(content).digest())
    return total.hexdigest()


def table_fingerprint(rows: np.ndarray | MixedRows, *parts: np.ndarray | None) -> str:
    """Return the SHA-256 of a table column by column, texts by their numbers among all that occur, in this order.

    >>> two = table_fingerprint(MixedRows([np.array([1.0, 2.0]), np.array(["a", "b"], dtype=object)]))
    >>> two == table_fingerprint(MixedRows([np.array([1.0, 2.0]), np.array(["b", "a"], dtype=object)]))
    False
    """
    total = hashlib.sha256(b"columns of a table")
    columns = rows.columns if isinstance(rows, MixedRows) else rows.T
    for part in (*columns, *parts):
        total.update(b"none" if part is None else str(part.shape).encode())
        if part is not None and part.dtype == object:
            texts = sorted({cell for cell in part.tolist() if cell is not None})
            numbers = {None: -1} | {text: number for number, text in enumerate(texts)}
            total.update(json.dumps(texts).encode())
            part = np.fromiter(map(numbers.__getitem__, part.tolist()), dtype=np.int64, count=len(part))
        if part is not None:
            total.update(part.dtype.str.encode())
            total.update(np.ascontiguousarray(part).data)
    return total.hexdigest()


def single(values: np.ndarray) -> np.ndarray:
    """Return numbers of any shape in single precision, as earlier versions read them, unless two would become one."""
    if values.dtype != np.float64:
        return values
    with np.errstate(over="ignore"):
        rounded = values.astype(np.float32)
    columns = zip(_columns(values), _columns(rounded), strict=True)
    kept = all(len(np.unique(exact)) == len(np.unique(one)) for exact, one in columns)
    return rounded if kept and np.isfinite(rounded).sum() == np.isfinite(values).sum() else values


def _columns(values: np.ndarray) -> np.ndarray:
    return values.reshape(len(values), -1).T if values.size else values[:0].T
