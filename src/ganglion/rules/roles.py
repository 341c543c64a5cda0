"""Training some networks of a rule at a time, for rules whose runs have phases."""

from collections.abc import Callable, Iterable, Mapping
from typing import final

from torch import nn
from torch.optim import Optimizer


@final
class TrainedRoles:
    """Freezes all networks of a rule but some, and makes the optimizers of these anew.

    A frozen network gets no gradient and is in evaluation mode: it drops nothing, and its running statistics stay. One
    that is thawed is again what it was when it was built; what was frozen then stays so.

    Args:
        networks: all networks of the rule, by role.
        make_optimizer: such as `Descent.make_optimizer`.

    In a rule:

        def begin(self, phase: Phase) -> None:
            self.optimizers = self.roles.train_only(phase.roles)

    >>> import torch
    >>> networks = {"encoder": nn.Linear(2, 1), "decoder": nn.Linear(1, 2)}
    >>> roles = TrainedRoles(networks, lambda network: torch.optim.SGD(network.parameters(), lr=0.1))
    >>> list(roles.train_only(["decoder"])), networks["encoder"].weight.requires_grad
    (['decoder'], False)
    >>> list(roles.train_only([])), networks["encoder"].weight.requires_grad
    (['encoder', 'decoder'], True)
    """

    def __init__(self, networks: Mapping[str, nn.Module], make_optimizer: Callable[[nn.Module], Optimizer]) -> None:
        self._networks, self._make_optimizer = dict(networks), make_optimizer
        self._learning = {
            role: [parameter for parameter in network.parameters() if parameter.requires_grad]
            for role, network in networks.items()
        }
        self._modes = {
            role: [(module, module.training) for module in network.modules()] for role, network in networks.items()
        }

    def train_only(self, roles: Iterable[str]) -> dict[str, Optimizer]:
        """Freeze the networks of all other roles, thaw those of these, and return their optimizers by role.

        Args:
            roles: all of them when there are none.
        """
        trained = list(roles) or [role for role, parameters in self._learning.items() if parameters]
        for network in self._networks.values():
            network.requires_grad_(False).eval()
        for role in trained:  # after the others, which may share weights with them
            for parameter in self._learning[role]:
                parameter.requires_grad_(True)
            for module, mode in self._modes[role]:
                module.training = mode
        return {role: self._make_optimizer(self._networks[role]) for role in trained}
