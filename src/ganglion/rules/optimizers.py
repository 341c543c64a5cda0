"""The optimizers of torch.optim by name, without the second that torch takes to import its compiler for them."""

import inspect
from collections.abc import Callable
from typing import Any, Literal, cast

import torch
from torch.optim import Optimizer

from ganglion.fast.descent import adam_step

OptimizerName = Literal[
    "sgd", "adagrad", "adadelta", "rmsprop", "rprop", "adam", "adamw", "adamax", "nadam", "radam", "asgd", "adafactor",
    "lbfgs",
]  # fmt: skip
FUSED = ("sgd", "adagrad", "adam", "adamw")
"""Those that have an update in one pass over memory."""
WRAPPED = ("step", "zero_grad", "add_param_group", "state_dict", "load_state_dict")


def without_compiler(cls: type[Optimizer]) -> type[Optimizer]:
    """Return a subclass with the same methods, taken out of their wrappers.

    torch wraps them to tell `torch.compile` where a graph must break, and imports the compiler for that when the first
    optimizer is made, which takes as long as importing torch. Training here compiles no optimizer. Where a version of
    torch has no such wrappers, the methods are those of `cls` as they stand.

    >>> without_compiler(torch.optim.SGD)([torch.zeros(1)], lr=0.5).defaults["lr"]
    0.5
    """
    methods: dict[str, Any] = {name: inspect.unwrap(getattr(cls, name)) for name in WRAPPED}
    methods["step"] = without_gradients(methods["step"])
    if issubclass(cls, torch.optim.Adam):
        methods["step"] = small_at_once(methods["step"])
    return cast(type[Optimizer], type(cls.__name__, (cls,), {**methods, "__module__": cls.__module__}))


def without_gradients(step: Callable[..., Any]) -> Callable[..., Any]:
    """Return `step` with gradients off around it, which was the other half of its wrapper's work."""
    return torch.no_grad()(step)


def small_at_once(step: Callable[..., Any]) -> Callable[..., Any]:
    """Return `step` of Adam, which for a small network that nobody watches is one compiled pass."""
    watched = Optimizer.profile_hook_step(step)  # what torch would wrap around it: calls of hooks, a profiler's mark

    def at_once(optimizer: Any, closure: Callable[[], Any] | None = None) -> Any:
        if closure is None and adam_step(optimizer):
            return None
        return watched(optimizer, closure)

    at_once.hooked = at_once.steps_at_once = True  # type: ignore[attr-defined]
    return at_once


OPTIMIZERS: dict[str, type[Optimizer]] = {
    cls.__name__.lower(): without_compiler(cls)
    for cls in (
        torch.optim.SGD,
        torch.optim.Adagrad,
        torch.optim.Adadelta,
        torch.optim.RMSprop,
        torch.optim.Rprop,
        torch.optim.Adam,
        torch.optim.AdamW,
        torch.optim.Adamax,
        torch.optim.NAdam,
        torch.optim.RAdam,
        torch.optim.ASGD,
        torch.optim.Adafactor,
        torch.optim.LBFGS,
    )
}
