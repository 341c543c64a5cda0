"""Weights, gradients and moments spread over processes (FSDP2), for a network that does not fit into one of them.

Checkpoints hold whole tensors, as those of one process do, so that a run may go on spread otherwise, or not at all.
What is needed of `torch.distributed` is imported where it is used: it takes nearly as long as torch itself.
"""

from typing import Any

import torch
from torch import Tensor

from ganglion.core import LearningRule
from ganglion.core.team import Team
from ganglion.errors import UsageError
from ganglion.training.settings import TrainerSettings


def refuse(rule: LearningRule, settings: TrainerSettings, name: str, team: Team | None) -> None:
    """Raise `UsageError` for what cannot be spread."""
    problems = {
        "one process": team is None or team.size == 1,
        f"the rule {type(rule).__name__}, which calls parts of its networks by themselves": not rule.shards,
        f"the phases of {name}": bool(rule.phases),
        "ema_decay": settings.ema_decay is not None,
        "exact_world": settings.exact_world is not None,
        f"non_finite {settings.non_finite}": settings.non_finite != "stop",
        "an optimizer that looks at whole tensors": not all(map(_is_elementwise, rule.optimizers.values())),
    }
    if found := [problem for problem, there in problems.items() if there]:
        raise UsageError(
            "this run cannot be spread over processes",
            where="shard",
            expected="a network that learns by one loss of its outputs, such as resnet, in several processes",
            found=", ".join(found),
            remedy="leave --shard out: a network that fits into one process is trained faster without",
        )


def _is_elementwise(optimizer: torch.optim.Optimizer) -> bool:
    return isinstance(optimizer, torch.optim.SGD | torch.optim.Adam | torch.optim.AdamW | torch.optim.RMSprop)


def spread(rule: LearningRule, device: torch.device, team: Team) -> None:
    """Leave each process its part of the weights of a rule that was just built; its optimizers then make moments so."""
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    mesh, new = init_device_mesh(device.type, (team.size,)), dict[int, Tensor]()
    for network in rule.networks.values():
        before = dict(network.named_parameters())
        for parameter in before.values():  # in torch's own layout, the only one that can be spread
            parameter.data = parameter.data.contiguous()
        fully_shard(network, mesh=mesh)
        new |= {id(before[name]): parameter for name, parameter in network.named_parameters()}
    for optimizer in rule.optimizers.values():
        for group in optimizer.param_groups:
            group["params"] = [new.get(id(one), one) for one in group["params"]]
            group["fused"] = False  # which knows no spread weights
        optimizer.register_step_pre_hook(_nothing)  # so that no compiled pass takes a part for the whole


def _nothing(*arguments: Any) -> None: ...


def whole(state: Any) -> Any:
    """Return a state with whole tensors, which all processes must ask for at once."""
    from torch.distributed.tensor import DTensor

    if isinstance(state, DTensor):
        return state.full_tensor()
    if isinstance(state, dict):
        return {name: whole(value) for name, value in state.items()}
    return state


def parts_of(state: dict[str, Any], rule: LearningRule) -> dict[str, Any]:
    """Return the state of a rule with the part of each whole tensor that this process keeps."""
    networks = {
        role: {name: _like(value, rule.networks[role].state_dict()[name]) for name, value in saved.items()}
        for role, saved in state["networks"].items()
    }
    optimizers = {}
    for role, saved in state["optimizers"].items():
        owned = [one for group in rule.optimizers[role].param_groups for one in group["params"]]
        moments = {
            number: {name: _like(value, owned[number]) for name, value in values.items()}
            for number, values in saved["state"].items()
        }
        optimizers[role] = {**saved, "state": moments}
    return {**state, "networks": networks, "optimizers": optimizers}


def _like(value: Any, parameter: Tensor) -> Any:
    from torch.distributed.tensor import DTensor, distribute_tensor

    if not isinstance(parameter, DTensor) or not isinstance(value, Tensor) or value.shape != parameter.shape:
        return value
    return distribute_tensor(value.to(parameter.device), parameter.device_mesh, parameter.placements)
