"""The only place where a gradient is applied: micro-batches, backward, finite check, clipping, optimizer step."""

import ast
import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from ganglion.core import Batch
from ganglion.errors import ConfigurationError, NonFiniteError
from ganglion.settings import unknown_name

OPTIMIZERS: dict[str, type[Optimizer]] = {
    cls.__name__.lower(): cls
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
FUSED = ("sgd", "adagrad", "adam", "adamw")

OptimizerName = Literal[
    "sgd", "adagrad", "adadelta", "rmsprop", "rprop", "adam", "adamw", "adamax", "nadam", "radam", "asgd", "adafactor",
    "lbfgs",
]  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Descent:
    """How a gradient becomes an update."""

    optimizer: OptimizerName = "adam"
    """Optimizer of torch.optim, by name."""
    learning_rate: float = 1e-3
    """Step size before any schedule."""
    weight_decay: float = 0.0
    """Shrinks the weights towards zero at every update; what that means exactly is the optimizer's affair."""
    optimizer_arguments: tuple[str, ...] = ()
    """Further arguments of the optimizer as name=value, for example momentum=0.9 nesterov=True."""
    clip_norm: float | None = None
    """Scale the whole gradient down to at most this Euclidean norm."""
    clip_value: float | None = None
    """Clamp every component of the gradient to at most this size."""
    accumulate: int = 1
    """Micro-batches that one batch is worked through in: the same update with less memory."""

    def __post_init__(self) -> None:
        if self.accumulate < 1:
            raise ConfigurationError("accumulate must be at least 1", found=str(self.accumulate))
        if not self.learning_rate >= 0:
            raise ConfigurationError("learning_rate must not be negative", found=str(self.learning_rate))

    def make_optimizer(self, *networks: nn.Module) -> Optimizer:
        """Return the optimizer of all trainable parameters of `networks`, which it knows by their dotted names."""
        named = [
            (f"{number}.{name}" if len(networks) > 1 else name, parameter)
            for number, network in enumerate(networks)
            for name, parameter in network.named_parameters()
            if parameter.requires_grad
        ]
        cls = OPTIMIZERS[self.optimizer]
        accepted = inspect.signature(cls).parameters
        arguments: dict[str, Any] = {"fused": True} if self.optimizer in FUSED else {}
        arguments |= dict(_argument(text, self.optimizer, list(accepted)) for text in self.optimizer_arguments)
        if self.weight_decay:
            if "weight_decay" not in accepted:
                raise ConfigurationError(f"the optimizer {self.optimizer} has no weight decay", remedy="leave it at 0")
            arguments["weight_decay"] = self.weight_decay
        try:
            optimizer = cls(named, lr=self.learning_rate, **arguments)  # type: ignore[call-arg]
        except (ValueError, TypeError) as error:
            raise ConfigurationError(
                f"the optimizer {self.optimizer} refuses its arguments",
                found=str(error),
                remedy="look at optimizer_arguments",
            ) from error
        for group in optimizer.param_groups:
            group.setdefault("initial_lr", self.learning_rate)
        return optimizer


def _argument(text: str, optimizer: str, accepted: list[str]) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        raise ConfigurationError(f"cannot read the optimizer argument {text!r}", expected="name=value")
    if name not in accepted:
        raise unknown_name(
            f"argument of {optimizer}", name, [known for known in accepted if known not in ("params", "lr")]
        )
    try:
        return name, ast.literal_eval(value)
    except (ValueError, SyntaxError) as error:
        raise ConfigurationError(
            f"cannot read the value of the optimizer argument {name!r}", expected="a number or a list", found=value
        ) from error


def descend(
    optimizer: Optimizer, batch: Batch, objective: Callable[[Batch], dict[str, Tensor]], descent: Descent
) -> dict[str, Tensor]:
    """Apply one update that lowers `objective(batch)["loss"]`, and return the objective's detached measurements.

    Only the parameters that `optimizer` owns receive a gradient, so a phase cannot touch another role's network. The
    loss must be a mean over samples: micro-batches are weighted by their size. Raises `NonFiniteError` before the
    update if the loss or the gradient is not finite.
    """
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    measured: dict[str, Tensor] = {}

    def closure() -> Tensor:
        nonlocal measured
        optimizer.zero_grad(set_to_none=True)
        measured = {}
        for part, share in micro_batches(batch, descent.accumulate):
            measures = objective(part)
            with torch.autocast(measures["loss"].device.type, enabled=False):
                (measures["loss"] * share).backward(inputs=parameters)
            for name, value in measures.items():
                measured[name] = measured.get(name, 0) + value.detach() * share
        _check_loss(measured["loss"], optimizer)
        _condition(optimizer, parameters, descent)
        return measured["loss"]

    if isinstance(optimizer, torch.optim.LBFGS):
        optimizer.step(closure)  # looks at the objective several times an update
    else:
        closure()
        optimizer.step()
    return measured


def apply_gradients(optimizer: Optimizer, gradients: Iterable[Tensor], descent: Descent) -> None:
    """Apply gradients that were derived by hand, in the order of the optimizer's parameters."""
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    for parameter, gradient in zip(parameters, gradients, strict=True):
        # Laid out like the parameter, which torch's fused steps take for granted.
        parameter.grad = (
            gradient if gradient.stride() == parameter.stride() else torch.empty_like(parameter).copy_(gradient)
        )
    _condition(optimizer, parameters, descent)
    optimizer.step()


def micro_batches(batch: Batch, count: int) -> list[tuple[Batch, float]]:
    """Cut a batch into at most `count` parts, each with its share of the samples."""
    samples = len(next(iter(batch.values())))
    if count == 1 or samples <= 1:
        return [(batch, 1.0)]
    pieces = {name: tensor.chunk(count) for name, tensor in batch.items()}
    cut = [dict(zip(pieces, part, strict=True)) for part in zip(*pieces.values(), strict=True)]
    return [(part, len(next(iter(part.values()))) / samples) for part in cut]


def _check_loss(loss: Tensor, optimizer: Optimizer) -> None:
    if not torch.isfinite(loss):
        rate = optimizer.param_groups[0]["lr"]
        raise NonFiniteError(
            "the loss is not finite",
            found=f"loss {float(loss)} at learning rate {float(rate):g}",
            remedy="lower the learning rate, set clip_norm, or look for extreme values in the inputs",
        )


def _condition(optimizer: Optimizer, parameters: list[nn.Parameter], descent: Descent) -> None:
    """Refuse a gradient that is not finite, then clip it as asked."""
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    norm = torch.nn.utils.get_total_norm(gradients, foreach=True)
    if not torch.isfinite(norm):
        raise NonFiniteError(
            "the gradient is not finite",
            where=f"layer {_first_non_finite(optimizer)}",
            found=f"gradient norm {float(norm)} at learning rate {float(optimizer.param_groups[0]['lr']):g}",
            remedy="lower the learning rate or set clip_norm",
        )
    if descent.clip_value is not None:
        torch.nn.utils.clip_grad_value_(parameters, descent.clip_value, foreach=True)
    if descent.clip_norm is not None:
        torch.nn.utils.clip_grad_norm_(parameters, descent.clip_norm, foreach=True)


def _first_non_finite(optimizer: Optimizer) -> str:
    for group in optimizer.param_groups:
        for name, parameter in zip(group["param_names"], group["params"], strict=True):
            if parameter.grad is not None and not torch.isfinite(parameter.grad).all():
                return str(name)
    return "unknown (the norm overflowed)"
