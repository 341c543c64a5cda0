"""What every action is worth, from the value of the state and the advantage of the action."""

from torch import Tensor, nn


class DuelingHead(nn.Module):
    """Q(s, a) = V(s) + A(s, a) - mean_a' A(s, a'), from two separate streams."""

    def __init__(self, value: nn.Module, advantage: nn.Module) -> None:
        super().__init__()
        self.value = value
        self.advantage = advantage

    def forward(self, features: Tensor) -> Tensor:
        advantage = self.advantage(features)  # (batch, actions)
        return self.value(features) + advantage - advantage.mean(1, keepdim=True)
