"""Where a run computes."""

import torch

from ganglion.errors import UsageError


def choose_device(name: str) -> torch.device:
    """Return the named device; `auto` is the first CUDA device, or else the CPU.

    Raises `UsageError` when the device does not exist here.

    >>> choose_device("cpu")
    device(type='cpu')
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise UsageError(
            f"the device {name!r} is not available",
            found=str(error).splitlines()[0],
            remedy="use --device auto or --device cpu; `ganglion doctor` lists what is here",
        ) from error
    return device
