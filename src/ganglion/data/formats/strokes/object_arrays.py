"""Arrays of arrays, as NumPy writes them, taken apart without running anything that a file names.

NumPy writes an array of objects as a program of a stack machine. Such a program may call any function of any package,
which is why it is never run here. Instead its instructions are listed (by `pickletools`, which only lists), and those
alone are followed of which an array of arrays of numbers consists. Whatever else stands there is refused.
"""

import math
import pickletools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ganglion.errors import DataError

NUMBERS = "iufb"
"""Kinds of number that an array may hold."""
MAKERS = {f"{package}.multiarray _reconstruct" for package in ("numpy.core", "numpy._core")}
ARRAY, KIND, BYTES = "numpy ndarray", "numpy dtype", "_codecs encode"
KNOWN = {*MAKERS, ARRAY, KIND, BYTES}
"""All that such a program may name."""


@dataclass
class _Array:
    """An array that has been announced, and then filled."""

    values: "np.ndarray | list[Any] | None" = None


@dataclass
class _Kind:
    """A kind of number."""

    code: str
    order: str = "|"

    @property
    def dtype(self) -> np.dtype:
        kind = np.dtype(self.code)
        return kind if self.order == "|" else kind.newbyteorder(self.order)  # type: ignore[arg-type]


@dataclass(frozen=True)
class _Named:
    """A name that stands in the program; nothing is looked up by it."""

    name: str


class _Mark:
    """Where on the stack a sequence begins."""


def arrays_within(program: bytes, count: int, where: Path | str) -> list[np.ndarray]:
    """Return the arrays of numbers in one array of objects.

    Args:
        program: what stands behind the header of the array.
        count: arrays that the header promises.
        where: named in errors.

    Raises:
        DataError: anything else stands there, or another number of arrays.

    >>> from io import BytesIO
    >>> two = np.empty(2, dtype=object)
    >>> two[:] = [np.zeros((3, 3), np.int16), np.ones((2, 3), np.int16)]
    >>> np.lib.format.write_array(file := BytesIO(), two)
    >>> [one.shape for one in arrays_within(file.getvalue()[128:], 2, "two.npy")]
    [(3, 3), (2, 3)]
    """
    try:
        found = _Machine().run(program)
    except DataError as error:
        raise _refused(where, error.found) from None
    except Exception as error:  # a program that is cut off or made up may fail in any way
        raise _refused(where, f"{type(error).__name__}: {error}"[:80]) from error
    if not isinstance(found, _Array) or not isinstance(found.values, list):
        raise _refused(where, "no array of arrays")
    arrays = [one.values for one in found.values if isinstance(one, _Array)]
    whole = [one for one in arrays if isinstance(one, np.ndarray)]
    if len(whole) != len(found.values):
        raise _refused(where, "an entry that is no array of numbers")
    if len(whole) != count or sum(one.nbytes for one in whole) > len(program):
        raise _refused(where, f"{len(whole)} arrays, {count} in the header")
    return whole


def _refused(where: Path | str, found: str) -> DataError:
    return DataError(
        "this file holds Python objects that are no arrays of numbers, and could run code",
        where=str(where),
        expected="an array of arrays of numbers, as numpy.savez writes drawings",
        found=found,
        remedy="save the drawings as plain arrays with numpy.savez, or one a line as JSON",
    )


class _Machine:
    """The stack, what was kept for later, and one small method for each instruction that is followed."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.kept: dict[int, Any] = {}

    def run(self, program: bytes) -> Any:
        """Return what the program leaves, made of arrays, kinds of number and plain values alone."""
        for operation, argument, _ in pickletools.genops(program):
            if operation.name == "STOP":
                return self.stack.pop()
            follow = FOLLOWED.get(operation.name)
            if follow is None:
                raise _unknown(operation.name)
            follow(self, argument)
        raise _unknown("no end")

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def keep(self, place: int | None) -> None:
        self.kept[len(self.kept) if place is None else place] = self.stack[-1]

    def recall(self, place: int) -> None:
        self.push(self.kept[place])

    def gather(self) -> list[Any]:
        """Take all from the last mark on off the stack."""
        start = next(place for place in reversed(range(len(self.stack))) if isinstance(self.stack[place], _Mark))
        values = self.stack[start + 1 :]
        del self.stack[start:]
        return values

    def join(self, length: int) -> None:
        values = tuple(self.stack[-length:])
        del self.stack[-length:]
        self.push(values)

    def extend(self, values: Sequence[Any]) -> None:
        if not isinstance(self.stack[-1], list):
            raise _unknown("entries of no list")
        self.stack[-1].extend(values)

    def name(self, name: str) -> None:
        if name not in KNOWN:
            raise _unknown(name.replace(" ", "."))
        self.push(_Named(name))

    def name_from_stack(self) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        self.name(f"{module} {name}")

    def make(self) -> None:
        """Follow the three calls there are: announce an array, name a kind of number, say bytes."""
        given, maker = self.stack.pop(), self.stack.pop()
        name = maker.name if isinstance(maker, _Named) else ""
        if name in MAKERS and given[0] == _Named(ARRAY):
            self.push(_Array())
        elif name == KIND and isinstance(given[0], str) and np.dtype(given[0]).kind in f"{NUMBERS}O":
            self.push(_Kind(given[0]))
        elif name == BYTES and isinstance(given[0], str) and given[1] in ("latin1", "latin-1"):
            self.push(given[0].encode("latin-1"))
        else:
            raise _unknown(f"a call of {name or maker!r}"[:80])

    def fill(self) -> None:
        """Say what an array that was announced holds, or in which order the bytes of a kind of number stand."""
        state, made = self.stack.pop(), self.stack[-1]
        if isinstance(made, _Kind):
            if state[1] not in ("<", ">", "|", "=") or any(one is not None for one in state[2:5]):
                raise _unknown("a kind of number that is made of others")
            made.order = state[1]
        elif isinstance(made, _Array) and made.values is None:
            _, shape, kind, by_columns, content = state
            made.values = _filled(shape, kind, bool(by_columns), content)
        else:
            raise _unknown("a state of what is no array")


def _filled(shape: Any, kind: Any, by_columns: bool, content: Any) -> "np.ndarray | list[Any]":
    """Return the values of one array: of numbers, or a list of what is in an array of objects."""
    if not isinstance(kind, _Kind) or not all(isinstance(side, int) and side >= 0 for side in shape):
        raise _unknown("an array without a kind")
    if kind.dtype.kind == "O":
        if not isinstance(content, list):
            raise _unknown("objects that are no list")
        return content
    raw = content.encode("latin-1") if isinstance(content, str) else content
    if not isinstance(raw, bytes) or len(raw) != math.prod(shape) * kind.dtype.itemsize:
        raise _unknown("numbers that do not fit their shape")
    return np.frombuffer(raw, kind.dtype).reshape(shape, order="F" if by_columns else "C")


def _unknown(found: str) -> DataError:
    return DataError("an instruction that no array needs", found=found, expected="those of arrays of numbers")


PUSHED = (
    *("BININT", "BININT1", "BININT2", "LONG1", "INT", "NONE", "NEWTRUE", "NEWFALSE"),
    *("STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
    *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8"),
)
"""Instructions that put a plain value onto the stack."""
VALUES = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
FOLLOWED: dict[str, Callable[[_Machine, Any], None]] = {
    **{name: lambda machine, value: machine.push(value) for name in PUSHED},
    **{name: lambda machine, _, value=value: machine.push(value) for name, value in VALUES.items()},  # type: ignore[misc]
    **dict.fromkeys(("PROTO", "FRAME"), lambda machine, _: None),
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"), lambda machine, place: machine.keep(place)),
    **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), lambda machine, place: machine.recall(place)),
    "MARK": lambda machine, _: machine.push(_Mark()),
    "TUPLE": lambda machine, _: machine.push(tuple(machine.gather())),
    "EMPTY_TUPLE": lambda machine, _: machine.push(()),
    **{f"TUPLE{n}": lambda machine, _, n=n: machine.join(n) for n in (1, 2, 3)},  # type: ignore[misc]
    "EMPTY_LIST": lambda machine, _: machine.push([]),
    "LIST": lambda machine, _: machine.push(machine.gather()),
    "APPEND": lambda machine, _: machine.extend([machine.stack.pop()]),
    "APPENDS": lambda machine, _: machine.extend(machine.gather()),
    "GLOBAL": lambda machine, name: machine.name(name),
    "STACK_GLOBAL": lambda machine, _: machine.name_from_stack(),
    "REDUCE": lambda machine, _: machine.make(),
    "BUILD": lambda machine, _: machine.fill(),
}
"""What each instruction does; one that is not here is refused."""
