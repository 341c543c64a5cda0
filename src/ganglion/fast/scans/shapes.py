"""The check that the arguments of a scan fit together."""

from torch import Tensor

from ganglion.errors import ShapeError


def check_shapes(scan: str, gates: int, projected: Tensor, hidden: Tensor, **others: tuple[Tensor | None, str]) -> None:
    """Raise `ShapeError` unless the arguments of a scan fit together: kernels look at no bounds.

    Args:
        projected, hidden: (time, batch, gates * hidden) and (batch, hidden).
        scan: whose arguments they are, for the message.
        gates: how many times the width of the state `projected` is wide.
        others: each further argument with its axes, such as "batch hidden" or "gates hidden".
    """
    if projected.dim() != 3 or hidden.dim() != 2 or not len(projected):
        raise ShapeError(
            f"a scan of {scan} needs steps (time, batch, width) and a state (batch, hidden)",
            found=f"{tuple(projected.shape)} and {tuple(hidden.shape)}",
        )
    batch, width = hidden.shape
    sizes = {"time": len(projected), "batch": batch, "hidden": width, "gates": gates * width, "three": 3}
    for name, (tensor, axes) in {"projected": (projected, "time batch gates"), **others}.items():
        expected = tuple(sizes[axis] for axis in axes.split())
        if tensor is not None and tuple(tensor.shape) != expected:
            raise ShapeError(
                f"the arguments of a scan of {scan} do not fit together", where=name, expected=str(expected),
                found=str(tuple(tensor.shape)),
            )  # fmt: skip
