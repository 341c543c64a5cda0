"""The compiled scan of a user's own cell: its step is traced once, and all steps run in two kernels made of it."""

from collections.abc import Sequence
from functools import cache, partial
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from ganglion.fast import applies
from ganglion.fast.custom_cells.kernel_sources import Kernels, write
from ganglion.fast.custom_cells.tracing import Cell, Step, trace
from ganglion.fast.scans.arrays import array, packed
from ganglion.fast.threads import in_slices, parts_of

State = tuple[Tensor, ...]

_PROGRAMS: WeakKeyDictionary[Cell, dict[Any, "Program | None"]] = WeakKeyDictionary()


class Program:
    """The compiled scan of one cell."""

    def __init__(self, step: Step, kernels: Kernels) -> None:
        self.constants, self.kernels = step.constants, kernels
        self.num_weights = len(step.weights)
        self.taps = step.taps
        self.state_widths = [node.meta["val"].shape[1] for node in step.states]
        self.row_widths = [node.meta["val"].shape[1] for node in step.rows]
        self.forward, self.backward = _compiled(kernels.source, tuple(kernels.constants.items()))

    def __call__(self, cell: Cell, projected: Tensor, state: State, mask: Tensor | None) -> State:
        tensors = (*cell.parameters(), *cell.buffers())
        constants = self.constants(*tensors)
        weights, rows = constants[: self.num_weights], constants[self.num_weights :]
        rows = [row.reshape(-1) for row in rows]
        given = [tensor.float() for tensor in (projected, *state, *weights, *rows)]
        states: tuple[Tensor, ...] = _Scan.apply(self, None if mask is None else mask.float(), *given)
        return tuple(found.to(before.dtype) for found, before in zip(states, state, strict=True))


class _Scan(torch.autograd.Function):
    """All steps of a program and their derivative, in single precision."""

    @staticmethod
    def forward(ctx: Any, program: Program, mask: Tensor | None, *given: Tensor) -> tuple[Tensor, ...]:
        ctx.set_materialize_grads(False)
        count, kernels = len(program.state_widths), program.kernels
        inputs, first, constants = given[0].contiguous(), given[1 : 1 + count], given[1 + count :]
        steps, batch = inputs.shape[:2]
        states = [part.new_empty(steps + 1, *part.shape) for part in first]
        for part, start in zip(states, first, strict=True):
            part[0] = start
        kept = steps if any(ctx.needs_input_grad) else 1
        saved = [inputs.new_empty(kept, batch, width) for width in kernels.saved]
        arguments = _arrays(program, 0, inputs, mask, constants, states, saved)
        in_slices(lambda start, end, _: program.forward(start, end, *arguments), batch)
        ctx.program, ctx.counts = program, (len(constants), count)
        ctx.save_for_backward(inputs, mask, *constants, *states, *saved)
        return tuple(part[1:] for part in states)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *slopes: Tensor | None) -> tuple[Tensor | None, ...]:
        program, (num_constants, count) = ctx.program, ctx.counts
        kernels: Kernels = program.kernels
        inputs, mask, *rest = ctx.saved_tensors
        constants, states = rest[:num_constants], rest[num_constants : num_constants + count]
        saved = rest[num_constants + count :]
        steps, batch = inputs.shape[:2]
        given = [array(slope, (0, batch, width)) for slope, width in zip(slopes, program.state_widths, strict=True)]
        starts = [inputs.new_empty(batch, width) for width in program.state_widths]
        found = [inputs.new_empty(steps, batch, width) for width in kernels.slopes]
        totals = [inputs.new_zeros(parts_of(batch), width) for width in program.row_widths]
        arguments = [
            *_arrays(program, 1, inputs, mask, constants, states, saved),
            *given,
            *(array(tensor) for tensor in (*starts, *found, *totals)),
        ]
        in_slices(lambda start, end, part: program.backward(start, end, part, *arguments), batch)
        weights: list[Tensor | None] = [None] * program.num_weights
        places = {"inputs": inputs, **{f"state{n}": part[:-1] for n, part in enumerate(states)}}
        places |= {f"after{n}": part[1:] for n, part in enumerate(states)}
        places |= {f"saved{n}": part for n, part in enumerate(saved)}
        with torch.autocast("cpu", enabled=False):
            for weight, left, product in zip(program.taps, kernels.lefts, kernels.products, strict=True):
                slope = places[left].flatten(0, 1).t() @ found[product].flatten(0, 1)
                known = weights[weight]
                weights[weight] = slope if known is None else known + slope
        return None, None, found[0], *starts, *weights, *(total.sum(0) for total in totals)


def _arrays(
    program: Program,
    kernel: int,
    inputs: Tensor,
    mask: Tensor | None,
    constants: Sequence[Tensor],
    states: Sequence[Tensor],
    saved: Sequence[Tensor],
) -> list[Any]:
    """Return what both kernels take, in their order."""
    weights, rows = constants[: program.num_weights], constants[program.num_weights :]
    packs = [
        packed(weights[number].t() if transposed else weights[number], in_tiles=False)
        for number, transposed in program.kernels.packs[kernel]
    ]
    kept = (array(tensor) for tensor in (*states, *saved))
    return [array(inputs), array(mask, (0, 0)), *(array(row) for row in rows), *packs, *kept]


def program_of(cell: Cell, projected: Tensor, state: State, mask: Tensor | None) -> Program | None:
    """Return the compiled scan of a cell, or None where it runs as it is written.

    Args:
        cell: a user's own.
        projected: (time, batch, width).
        state: (batch, width) each.
        mask: (batch, width).

    What is chosen depends on the cell and on sizes alone, so that a run that goes on later computes the same.
    """
    if not applies.to_custom_cells(projected, *state, mask, *cell.parameters(), *cell.buffers()):
        return None
    known = _PROGRAMS.setdefault(cell, {})
    widths = (projected.shape[2:], tuple(part.shape[1:] for part in state))
    key = (_described(cell), widths, mask is not None)
    if key not in known:
        known[key] = _compiled_and_tried(cell, projected, state, mask)
    return known[key]


def _compiled_and_tried(cell: Cell, projected: Tensor, state: State, mask: Tensor | None) -> Program | None:
    """Compile a cell and try it; whatever a step does that cannot be followed, it then runs as it is written."""
    try:
        step = trace(cell, projected, state, mask is not None)
        program = Program(step, write(step))
        return program if _agrees(cell, program, projected, state, mask) else None
    except Exception:
        return None


def _agrees(cell: Cell, program: Program, projected: Tensor, state: State, mask: Tensor | None) -> bool:
    """Return whether a few steps of a few samples, and their derivatives, are those of the equations."""
    generator = torch.Generator().manual_seed(0)

    def drawn(like: Tensor, *shape: int) -> Tensor:
        return torch.randn(*shape, like.shape[-1], generator=generator)

    with torch.enable_grad(), torch.autocast("cpu", enabled=False):
        inputs = [drawn(projected, 3, 2).requires_grad_(), *(drawn(part, 2).requires_grad_() for part in state)]
        masks = None if mask is None else drawn(mask, 2).abs()
        weights = [parameter for parameter in cell.parameters() if parameter.requires_grad]
        results = []
        for run in (partial(program, cell), cell.step_by_step):
            states = run(inputs[0], tuple(inputs[1:]), masks)
            value = sum((part * part.detach().cos()).sum() for part in states)
            assert isinstance(value, Tensor)
            found = torch.autograd.grad(value, [*inputs, *weights], allow_unused=True)
            results.append([*states, *(torch.zeros(()) if part is None else part for part in found)])
    return all(torch.allclose(ours, theirs, 1e-3, 1e-4) for ours, theirs in zip(*results, strict=True))


def _described(cell: Cell) -> tuple[Any, ...]:
    """Return what a step may depend on beside numbers in tensors: settings, and which weights there are."""
    plain = (int, float, bool, str, tuple, type(None))
    described: list[Any] = []
    for module in cell.modules():
        described += [(name, value) for name, value in vars(module).items() if type(value) in plain]
    described += [(name, tensor.shape) for name, tensor in cell.named_parameters()]
    return tuple(described)


@cache
def _globals() -> dict[str, Any]:
    import numpy as np

    from ganglion.fast.compiled import sigmoid, tanh
    from ganglion.fast.packed_product import product

    numbers = {"ONE": np.float32(1), "ZERO": np.float32(0), "INFINITY": np.float32(np.inf)}
    return {"np": np, "product": product, "sigmoid": sigmoid, "tanh": tanh, **numbers}


@cache
def _compiled(source: str, constants: tuple[tuple[str, float], ...]) -> tuple[Any, Any]:
    """Return both kernels of a source; layers of the same cell and size share them."""
    import numba
    import numpy as np

    space = _globals() | {name: np.float32(value) for name, value in constants}
    exec(compile(source, "<a step of a recurrent cell>", "exec"), space)
    make = numba.njit(nogil=True, error_model="numpy", fastmath={"contract", "arcp", "nsz"})
    return make(space["forward"]), make(space["backward"])
