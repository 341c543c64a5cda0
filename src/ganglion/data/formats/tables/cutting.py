"""Plain lines cut into cells all at once, and cells packed as bytes: what most of a large table consists of."""

from collections.abc import Sequence

import numpy as np

LONGEST_PACKED = 24
"""Characters of the longest cell of a block that is kept as an array of bytes."""
PRINTED = bytes(range(32, 127))
SPACE, LINE_END = ord(" "), ord("\n")

Block = np.ndarray | list[str]
"""Cells of a column: an array of bytes where all are short and ASCII."""


def cut(block: bytes, delimiter: str, width: int) -> list[Block] | None:
    r"""Return the cells of whole lines column by column, without spaces around them.

    None where a closer look is due: a line that is blank or has not `width` cells, or letters beyond plain ASCII.

    >>> [column.tolist() for column in cut(b"1, a\n2,bc\n", ",", 2)]
    [[b'1', b'2'], [b'a', b'bc']]
    >>> cut(b"1,2,3\n", ",", 2), cut("1,é\n".encode(), ",", 2)
    (None, None)
    """
    if b"\r" in block:
        block = block.replace(b"\r\n", b"\n")
    if not block.endswith(b"\n"):
        block += b"\n"
    if block.translate(None, PRINTED + b"\n" + delimiter.encode()):
        return None
    letters = np.frombuffer(block, dtype=np.uint8)
    is_end = letters == LINE_END
    ends = np.flatnonzero(is_end | (letters == ord(delimiter)))
    lines = int(np.count_nonzero(is_end))
    if len(ends) != lines * width or not is_end[ends[width - 1 :: width]].all():
        return None
    starts, ends = _without_spaces(letters, np.concatenate([[0], ends[:-1] + 1]), ends)
    if not (ends > starts).reshape(-1, width).any(axis=1).all():
        return None
    return [_cells(block, starts[place::width], ends[place::width]) for place in range(width)]


def packed(cells: Sequence[str]) -> Block:
    """Return cells of a column as bytes without spaces around them, or as they are where they are long or no ASCII.

    >>> packed(["a", " bc "]).tolist(), packed(["é"])
    ([b'a', b'bc'], ['é'])
    """
    joined = "\n".join(cells) + "\n"
    if not joined.isascii() or "\0" in joined:
        return list(cells)
    block = joined.encode()
    letters = np.frombuffer(block, dtype=np.uint8)
    ends = np.flatnonzero(letters == LINE_END)
    if len(ends) != len(cells):
        return list(cells)
    starts, ends = _without_spaces(letters, np.concatenate([[0], ends[:-1] + 1]), ends)
    return _cells(block, starts, ends)


def _without_spaces(letters: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return where cells `(cells,)` begin and end without the spaces around them."""
    while (blank := (letters[starts] == SPACE) & (starts < ends)).any():
        starts = starts + blank
    while (blank := (letters[ends - 1] == SPACE) & (starts < ends)).any():
        ends = ends - blank
    return starts, ends


def _cells(block: bytes, starts: np.ndarray, ends: np.ndarray) -> Block:
    lengths = ends - starts
    longest = max(1, int(lengths.max()))
    if longest > LONGEST_PACKED:
        return [block[start:end].decode() for start, end in zip(starts.tolist(), ends.tolist(), strict=True)]
    padded = np.frombuffer(block + bytes(longest), dtype=np.uint8)
    cells = np.lib.stride_tricks.sliding_window_view(padded, longest)[starts]
    cells[np.arange(longest) >= lengths[:, None]] = 0
    cut_out: np.ndarray = cells.view(f"S{longest}")[:, 0]
    return cut_out
