"""Parts of networks that stay as they are, whatever a rule does."""

from collections.abc import Iterator, Sequence

from torch import nn
from torch.optim import Optimizer

from ganglion.core import LearningRule, is_under
from ganglion.errors import UsageError


def freeze(rule: LearningRule, prefixes: Sequence[str]) -> None:
    """Take all parameters under some names out of learning, and put their layers into evaluation mode.

    No gradient, weight decay or moment reaches them, and running statistics below a frozen name stay as they are. Names
    are those of the home, as in its saved weights, or begin with the role of any network: `discriminator.layers.0`.

    Raises `UsageError` for a name that is none, and where nothing would be left to learn.
    """
    if prefixes and not rule.freezes:
        raise UsageError(
            "parts of this system cannot be frozen, since not all of it learns by a gradient",
            where="--freeze",
            found=", ".join(prefixes),
            remedy="leave it out",
        )
    frozen: set[int] = set()
    for prefix in prefixes:
        modules = [module for name, module in _modules(rule) if is_under(name, prefix)]
        parameters = [parameter for name, parameter in _parameters(rule) if is_under(name, prefix)]
        if not parameters:
            known = dict.fromkeys(name.rpartition(".")[0] or name for name, _ in _parameters(rule))
            raise UsageError(f"there is nothing to freeze under {prefix!r}", expected=f"one of {', '.join(known)}")
        for module in modules:
            module.training = False
        for parameter in parameters:
            parameter.requires_grad_(False)
            frozen.add(id(parameter))
    for role, optimizer in rule.optimizers.items():
        _release(optimizer, frozen)
        if frozen and not optimizer.param_groups:
            raise UsageError(
                f"all that the {role} could learn is frozen", found=", ".join(prefixes), remedy="freeze less"
            )


def _release(optimizer: Optimizer, frozen: set[int]) -> None:
    """Take parameters away from an optimizer."""
    for group in optimizer.param_groups:
        kept = [place for place, parameter in enumerate(group["params"]) if id(parameter) not in frozen]
        for parameter in [parameter for parameter in group["params"] if id(parameter) in frozen]:
            optimizer.state.pop(parameter, None)
        for name in ("params", "param_names"):
            if name in group:
                group[name] = [group[name][place] for place in kept]
    optimizer.param_groups[:] = [group for group in optimizer.param_groups if group["params"]]


def _modules(rule: LearningRule) -> Iterator[tuple[str, nn.Module]]:
    yield from ((name, module) for name, module in rule.home.named_modules() if name)
    for role, network in rule.networks.items():
        yield from network.named_modules(prefix=role)


def _parameters(rule: LearningRule) -> Iterator[tuple[str, nn.Parameter]]:
    yield from rule.home.named_parameters()
    for role, network in rule.networks.items():
        yield from network.named_parameters(prefix=role)
