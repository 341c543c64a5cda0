"""Operations with a gradient of their own compute in the precision that they were written for."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import torch

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def without_autocast(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Return a function that computes as if autocast were off, for `forward` and `backward` of an operation.

    A backward pass may be asked for within `torch.autocast`. Products there would come out in sixteen bits, beside sums
    of 32 that autocast leaves alone.

    >>> product = without_autocast(torch.mm)
    >>> with torch.autocast("cpu", torch.bfloat16):
    ...     print(torch.mm(torch.ones(1, 1), torch.ones(1, 1)).dtype, product(torch.ones(1, 1), torch.ones(1, 1)).dtype)
    torch.bfloat16 torch.float32
    """

    @wraps(function)
    def called(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        if not torch.is_autocast_enabled("cpu"):
            return function(*args, **kwargs)
        with torch.autocast("cpu", enabled=False):
            return function(*args, **kwargs)

    return called
