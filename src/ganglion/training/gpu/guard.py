"""Numbers that are not finite, on a device that nobody waits for."""

from collections.abc import Collection

import torch
from torch.optim import Optimizer

from ganglion.errors import NonFiniteError
from ganglion.training.gpu import is_asked_for


class Guard:
    """Stops all updates on the device from the first loss or gradient on that is not finite.

    Asking a GPU after every step whether its numbers are finite makes it wait for the host. torch's fused optimizers
    take a tensor `found_inf` instead and do nothing where it is 1; here all optimizers of a rule share one, and the
    host looks at it when it reports or saves.
    """

    def __init__(self, optimizers: Collection[Optimizer], device: torch.device) -> None:
        self._found = torch.zeros((), device=device)
        self._refused = torch.zeros((), device=device)
        for optimizer in optimizers:
            optimizer.found_inf = self._found  # type: ignore[attr-defined]

    def count(self) -> None:
        """Note on the device whether the step that was just made still counted."""
        self._refused += self._found

    def refuse_not_finite(self, iteration: int) -> None:
        """Wait for the device, and raise `NonFiniteError` if updates were refused up to this iteration."""
        if refused := int(self._refused):
            raise NonFiniteError(
                f"loss or gradient are not finite at step {iteration - refused + 1}; no update since was applied",
                remedy="lower the learning rate, set clip_norm, or look for extreme values in the inputs; "
                "`--non-finite skip` looks at every step",
            )


def guard(optimizers: Collection[Optimizer], device: torch.device) -> Guard | None:
    """Return a guard where the host would keep a GPU waiting, all optimizers can be held back, and it is asked for."""
    able = all(getattr(optimizer, "_step_supports_amp_scaling", False) for optimizer in optimizers)
    return Guard(optimizers, device) if device.type == "cuda" and able and is_asked_for() else None
