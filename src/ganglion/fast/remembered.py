"""What was made of some objects is not made again as long as they stay what they are."""

from collections.abc import Callable, Sequence
from operator import attrgetter, is_
from typing import Any, Generic, TypeVar

from torch import Tensor

Made = TypeVar("Made")
_KIND = attrgetter("dtype", "shape", "is_cpu", "requires_grad")


class Remembered(Generic[Made]):
    """Something made of objects, for as long as they are the same ones. A copy, pickled or not, remembers nothing.

    That nothing could be made of them is not remembered.

    >>> lists, remembered = [[], []], Remembered()
    >>> first = remembered.of(lists, lambda: object())
    >>> remembered.of(lists, lambda: object()) is first, remembered.of([[], []], lambda: object()) is first
    (True, False)
    """

    def __init__(self) -> None:
        self._objects: Sequence[Any] = ()
        self._made: Any = None

    def of(self, objects: Sequence[Any], make: Callable[[], Made]) -> Made:
        """Return what `make` made when it was last called for these very objects, which are kept alive."""
        if self._made is None or len(objects) != len(self._objects) or not all(map(is_, objects, self._objects)):
            self._made, self._objects = make(), objects
        return self._made

    def __reduce__(self) -> Any:
        return Remembered, ()


def traits_of(tensors: Sequence[Tensor]) -> list[Any]:
    """Return all that kernels take for granted of tensors, which an assignment to `data` or a move changes.

    >>> import torch
    >>> weight = torch.zeros(2, 2)
    >>> before = traits_of([weight])
    >>> weight += 1
    >>> traits_of([weight]) == before
    True
    >>> weight.data = weight.double()
    >>> traits_of([weight]) == before
    False
    """
    return [*map(Tensor.data_ptr, tensors), *map(Tensor.stride, tensors), *map(_KIND, tensors)]
