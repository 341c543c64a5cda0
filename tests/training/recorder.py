"""What stands in for CUDA graphs where there is no GPU: operations are noted with their memory and made again."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map


class Notes(TorchDispatchMode):
    """Notes every operation of torch, forward and backward, and remembers what memory held before."""

    def __init__(self) -> None:
        super().__init__()
        self.operations: list[tuple[Callable[..., Any], Any, Any, Any]] = []
        self.before: dict[int, tuple[Tensor, Tensor]] = {}
        self.own: set[int] = set()

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if function is torch.ops.aten._local_scalar_dense.default:
            raise RuntimeError("operation not permitted when stream is capturing")
        given = [value for value in tree_leaves((args, kwargs)) if isinstance(value, Tensor)]
        for value in given:  # whatever their schemas say: batch normalisation writes what it does not declare
            self._remember(value)
        results = function(*args, **kwargs)
        known = {address(value) for value in given}
        made = [value for value in tree_leaves(results) if isinstance(value, Tensor) and address(value) not in known]
        self.own |= {address(value) for value in made}
        # What is noted are views: some operations change the shape of a tensor that others hold.
        self.operations.append((function, *viewed((args, kwargs, results))))
        return results

    def _remember(self, value: Tensor) -> None:
        if address(value) not in self.own and value.data_ptr() not in self.before:
            self.before[value.data_ptr()] = (value.detach(), value.detach().clone())

    def undo(self) -> None:
        for value, held in self.before.values():
            value.copy_(held)

    @torch.no_grad()
    def play(self) -> None:
        """Make all operations again; what is new goes to the memory that was new when they were noted."""
        for function, args, kwargs, noted in self.operations:
            given = {address(value) for value in tree_leaves((args, kwargs)) if isinstance(value, Tensor)}
            args, kwargs = viewed((args, kwargs))
            again = tree_leaves(function(*args, **kwargs))
            for value, result in zip(tree_leaves(noted), again, strict=True):
                if isinstance(value, Tensor) and address(value) not in given:
                    value.copy_(result)


def viewed(values: Any) -> Any:
    return tree_map(lambda value: value.detach() if isinstance(value, Tensor) else value, values)


def address(value: Tensor) -> int:
    return value.untyped_storage().data_ptr()


class Waits(TorchDispatchMode):
    """Notes where the host reads a number of the device, or has to know how many there are."""

    def __init__(self) -> None:
        super().__init__()
        self.found = ""

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if function in (torch.ops.aten._local_scalar_dense.default, torch.ops.aten.nonzero.default):
            self.found = "called a synchronizing operation"
        return function(*args, **(kwargs or {}))


class OnPaper:
    """Records as a CUDA graph does: tensors and the generator of the device are as before, Python has run.

    `fails` raises in the middle.
    """

    def __init__(self, fails: bool = False) -> None:
        self.fails = fails
        self.rehearsed, self.recorded, self.played = 0, 0, 0

    def rehearse(self, work: Callable[[], None]) -> str:
        self.rehearsed += 1
        with Waits() as waits:
            work()
        return waits.found

    def record(self, work: Callable[[], None]) -> Callable[[], None]:
        self.recorded += 1
        notes, generator = Notes(), torch.get_rng_state()
        try:
            with notes:
                work()
                if self.fails:
                    raise RuntimeError("operation not permitted when stream is capturing")
        finally:
            with torch.no_grad():
                notes.undo()
            torch.set_rng_state(generator)

        def play() -> None:
            self.played += 1
            notes.play()

        return play
