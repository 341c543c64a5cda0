"""The only place where a gradient is applied: micro-batches, backward, finite check, clipping, optimizer step."""

import ast
import inspect
import math
from collections.abc import Callable, Iterable
from typing import Annotated, Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from ganglion.core import Batch
from ganglion.core.team import current
from ganglion.errors import ConfigurationError, NonFiniteError
from ganglion.fast.descent import clipped_adam_step, norm_of, shorten, total_of
from ganglion.rules.compiled import differentiate
from ganglion.rules.groups import factors_of, grouped
from ganglion.rules.optimizers import FUSED, OPTIMIZERS, OptimizerName
from ganglion.rules.slices import backward_together, norm_of_parts
from ganglion.settings import Search, above, at_least, settings, unknown_name


@settings
class Descent:
    """How a gradient becomes an update."""

    optimizer: Annotated[OptimizerName, Search(choices=("adam", "adamw", "rmsprop", "nadam"))] = "adam"
    """Optimizer of torch.optim, by name."""
    learning_rate: Annotated[float, at_least(0), Search(around=30, usual=True)] = 1e-3
    """Step size before any schedule."""
    weight_decay: Annotated[float, Search(low=1e-6, high=1e-2, usual=True)] = 0.0
    """Shrinks the weights towards zero at every update; what that means exactly is the optimizer's affair."""
    decay_biases: bool = True
    """Let weight decay shrink biases and the scales of norms too: all parameters of fewer than two dimensions."""
    rates: tuple[str, ...] = ()
    """Factors of the learning rate for parts of the network, by the beginnings of their names: encoder=0.1 head=2."""
    optimizer_arguments: tuple[str, ...] = ()
    """Further arguments of the optimizer as name=value, for example momentum=0.9 nesterov=True."""
    clip_norm: Annotated[Annotated[float, above(0)] | None, Search(low=0.1, high=10.0)] = None
    """Scale the whole gradient down to at most this Euclidean norm."""
    clip_value: Annotated[Annotated[float, above(0)] | None, Search(low=0.01, high=1.0)] = None
    """Clamp every component of the gradient to at most this size."""
    accumulate: Annotated[int, at_least(1)] = 1
    """Micro-batches that one batch is worked through in: the same update with less memory."""

    def make_optimizer(self, *networks: nn.Module) -> Optimizer:
        """Return the optimizer of all trainable parameters of `networks`, which it knows by their dotted names.

        Parameters with other rates or without weight decay are groups of their own, behind all others.

        Raises:
            ConfigurationError: the optimizer refuses its arguments, or knows no groups; or `rates` name no part.
        """
        named = [
            (f"{number}.{name}" if len(networks) > 1 else name, parameter)
            for number, network in enumerate(networks)
            for name, parameter in network.named_parameters()
        ]
        cls = OPTIMIZERS[self.optimizer]
        accepted = inspect.signature(cls).parameters
        arguments: dict[str, Any] = {"fused": True} if self.optimizer in FUSED else {}
        arguments |= dict(_argument(text, self.optimizer, list(accepted)) for text in self.optimizer_arguments)
        if self.weight_decay:
            if "weight_decay" not in accepted:
                raise ConfigurationError(f"the optimizer {self.optimizer} has no weight decay", remedy="leave it at 0")
            arguments["weight_decay"] = self.weight_decay
        groups = grouped(
            named,
            self.learning_rate,
            factors_of(self.rates, [name for name, _ in named]),
            spare_vectors=not self.decay_biases and "weight_decay" in accepted,
        )
        if len(groups) > 1 and cls is OPTIMIZERS["lbfgs"]:
            raise ConfigurationError(
                "the optimizer lbfgs has one learning rate for all parameters",
                where="rates",
                found=", ".join(self.rates),
                remedy="leave rates out, or choose another optimizer",
            )
        try:
            optimizer = cls(groups, lr=self.learning_rate, **arguments)  # type: ignore[call-arg]
        except (ValueError, TypeError) as error:
            raise ConfigurationError(
                f"the optimizer {self.optimizer} refuses its arguments",
                found=str(error),
                remedy="look at optimizer_arguments",
            ) from error
        for group in optimizer.param_groups:
            group.setdefault("initial_lr", group["lr"])
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

    Where the gradient is clipped to a norm, `clipped` is added to them: 1 if it was too long, else 0.

    Only the parameters that `optimizer` owns receive a gradient, so a phase cannot touch another role's network. The
    loss must be a mean over samples: micro-batches are weighted by their size. Raises `NonFiniteError` before the
    update if the loss or the gradient is not finite. An optimizer with a tensor `found_inf`, as torch's fused steps
    take it, gets that set to 1 instead: then this and all later updates change nothing, and no host waits for a device.
    """
    parameters = owned(optimizer)
    if not isinstance(optimizer, torch.optim.LBFGS):
        measured = backward(batch, objective, parameters, descent.accumulate)
        _update(optimizer, parameters, descent, measured)
        return measured

    def closure() -> Tensor:
        nonlocal measured
        measured = backward(batch, objective, parameters, descent.accumulate)
        norm = condition(optimizer, parameters, descent, measured["loss"])
        _note_clipping(measured, norm, descent)
        return measured["loss"]

    measured = {}
    optimizer.step(closure)  # looks at the objective several times an update
    return measured


def backward(
    batch: Batch, objective: Callable[[Batch], dict[str, Tensor]], parameters: list[nn.Parameter], count: int
) -> dict[str, Tensor]:
    """Leave the gradient of the mean loss in `parameters`, and return the means of all measurements, detached.

    Of several processes that learn together each differentiates its slices, and all get the same sum.
    """
    if (team := current()) is not None:
        return backward_together(team, micro_batches(batch, count), objective, parameters)
    if count == 1 and (found := differentiate(objective, batch, parameters)) is not None:
        return found
    for parameter in parameters:
        parameter.grad = None
    measured: dict[str, Tensor] = {}
    for part, share in micro_batches(batch, count):
        measures = objective(part)
        loss = measures["loss"] if share == 1 else measures["loss"] * share
        with torch.autocast(loss.device.type, enabled=False):
            loss.backward(inputs=parameters)
        for name, value in measures.items():
            value = value.detach() if share == 1 else value.detach() * share
            measured[name] = measured[name] + value if name in measured else value
    return measured


def apply_gradients(
    optimizer: Optimizer, gradients: Iterable[Tensor], descent: Descent, measured: dict[str, Tensor] | None = None
) -> None:
    """Apply gradients that were derived by hand, in the order and the shapes of the optimizer's parameters.

    Measurements are treated as `descend` treats them: a loss among them has to be finite, and `clipped` is added.
    """
    parameters = owned(optimizer)
    for parameter, gradient in zip(parameters, gradients, strict=True):
        if parameter.grad is gradient:
            continue
        gradient = gradient.to(parameter.dtype)  # of a product in sixteen bits
        # Laid out like the parameter, which torch's fused steps take for granted.
        parameter.grad = (
            gradient if gradient.stride() == parameter.stride() else torch.empty_like(parameter).copy_(gradient)
        )
    _update(optimizer, parameters, descent, {} if measured is None else measured)


def _update(
    optimizer: Optimizer, parameters: list[nn.Parameter], descent: Descent, measured: dict[str, Tensor]
) -> None:
    """Refuse or clip the gradient and let the optimizer step, all at once where that suits."""
    loss, norm = measured.get("loss"), None
    if descent.clip_value is None:
        norm = clipped_adam_step(optimizer, descent.clip_norm, loss)
    if norm is not None:
        _note_clipping(measured, norm, descent)
        return
    _note_clipping(measured, condition(optimizer, parameters, descent, loss), descent)
    optimizer.step()


def _note_clipping(measured: dict[str, Tensor], norm: Tensor | float | None, descent: Descent) -> None:
    if norm is not None and descent.clip_norm is not None:
        clipped = norm > descent.clip_norm
        measured["clipped"] = clipped.float() if isinstance(clipped, Tensor) else torch.tensor(float(clipped))


def owned(optimizer: Optimizer) -> list[nn.Parameter]:
    """Return the parameters of an optimizer, group by group: where there are several, not in the network's order."""
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


def micro_batches(batch: Batch, count: int) -> list[tuple[Batch, float]]:
    """Cut a batch into at most `count` parts, each with its share of the samples."""
    samples = len(next(iter(batch.values())))
    if count == 1 or samples <= 1:
        return [(batch, 1.0)]
    pieces = {name: tensor.chunk(count) for name, tensor in batch.items()}
    cut = [dict(zip(pieces, part, strict=True)) for part in zip(*pieces.values(), strict=True)]
    return [(part, len(next(iter(part.values()))) / samples) for part in cut]


def condition(
    optimizer: Optimizer, parameters: list[nn.Parameter], descent: Descent, loss: Tensor | None = None
) -> Tensor | None:
    """Refuse a loss or gradient that is not finite, then clip the gradient; return its norm, a scalar, if needed."""
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    norm: Tensor | None
    if (spread := norm_of_parts(gradients)) is not None:
        gradients, norm = spread
    else:
        norm = None if descent.clip_norm is None else norm_of(gradients)
    evidence = total_of(gradients) if norm is None else norm
    evidence = evidence if loss is None else evidence + loss
    guard = getattr(optimizer, "found_inf", None)
    if guard is not None:
        torch.maximum(guard, (~evidence.isfinite()).to(guard.dtype), out=guard)
    elif not math.isfinite(evidence.item()):
        raise _not_finite(optimizer, gradients, loss)
    if descent.clip_value is not None:
        torch.nn.utils.clip_grad_value_(parameters, descent.clip_value)
    if descent.clip_norm is not None and norm is not None:
        if descent.clip_value is not None:
            norm = norm_of(gradients)
        shorten(gradients, descent.clip_norm, norm)
    return norm


def _not_finite(optimizer: Optimizer, gradients: list[Tensor], loss: Tensor | None) -> NonFiniteError:
    """Return the error that says what is not finite: the loss, or else the gradient, and of which layer."""
    rate = f"at learning rate {float(optimizer.param_groups[0]['lr']):g}"
    if loss is not None and not math.isfinite(loss.item()):
        return NonFiniteError(
            "the loss is not finite",
            found=f"loss {loss.item()} {rate}",
            remedy="lower the learning rate, set clip_norm, or look for extreme values in the inputs",
        )
    norm = float(torch.nn.utils.get_total_norm(gradients))
    return NonFiniteError(
        "the gradient is not finite",
        where=f"layer {_first_non_finite(optimizer)}",
        found=f"gradient norm {norm} {rate}",
        remedy="lower the learning rate or set clip_norm",
    )


def _first_non_finite(optimizer: Optimizer) -> str:
    for group in optimizer.param_groups:
        for name, parameter in zip(group["param_names"], group["params"], strict=True):
            if parameter.grad is not None and not torch.isfinite(parameter.grad).all():
                return str(name)
    return "unknown (the norm overflowed)"
