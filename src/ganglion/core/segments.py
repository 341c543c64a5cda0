"""Parts of a state that are large and never change again."""

from collections.abc import Callable

from torch import Tensor


class Segment:
    """Tensors by name that stay as they are, so that checkpoints write them once and only name them from then on.

    Args:
        read: gives the tensors, whose first axis is the row.
        digest: SHA-256 of the file that holds them, empty until there is one.

    >>> import torch
    >>> Segment(lambda: {"rewards": torch.zeros(3)}).read()["rewards"]
    tensor([0., 0., 0.])
    """

    def __init__(self, read: Callable[[], dict[str, Tensor]], digest: str = "") -> None:
        self.read = read
        self.digest = digest
