"""Deep Q-network: learns from reward alone what every action is worth, and takes the best.

Idea:
    The value Q(s, a) of an action is the reward it brings plus what the best action afterwards is worth. A network is
    regressed on that equation. Two things keep it from chasing its own tail: a replay memory, from which transitions
    are drawn long after they happened and out of order, and a target network, an older copy that says what the next
    state is worth.

Equations:
    Q(s, a) -> y = r + γ max_a' Q'(s', a')                 no second term after a terminal state
    y = r + γ Q'(s', argmax_a' Q(s', a'))                  double Q-learning
    y = r_1 + γ r_2 + ... + γ^n max_a' Q'(s_n, a')         n steps ahead
    θ' <- θ' + ρ (θ - θ')                                  target network
    action = random with probability ε(t), otherwise argmax_a Q(s, a)
    Q(s, a) = V(s) + A(s, a) - mean_a' A(s, a')            dueling
    P(i) = |δ_i|^α / sum_k |δ_k|^α,  w_i = (N P(i))^-β     prioritised replay, δ = Q(s, a) - y
    y = (μ_w + σ_w ⊙ ε_w) x + μ_b + σ_b ⊙ ε_b              noisy dense layers, instead of random actions

Networks:
    `mlp`: dense hidden layers with ReLU on the flattened, standardised observation, one linear output an action.
    `nature`: the network of 2015 for four stacked grey frames of 84 x 84 bytes: convolutions 8x8 stride 4, 4x4 stride 2
    and 3x3 stride 1, one dense hidden layer.
    With `dueling` the last stage is split into a stream for V and a stream for A, and with `exploration noise` the
    dense layers are `NoisyLinear`.

Learning rule:
    `ganglion.rules.reinforcement.q_learning.QLearning`: Huber loss on the temporal difference, target network averaged
    or copied at intervals. `ganglion.data.environments.replay.ReplayLoader` acts, explores and remembers.

Data it expects:
    A Gymnasium environment with discrete actions, by its registered name (`--data CartPole-v1`). Observations
    come raw: the network itself scales bytes to [0, 1] and standardises the rest.

What to expect:
    CartPole-v1, small form, seeds 0 to 9: the last evaluation and the mean of the last quarter of evaluations are at
    least 496 of 500 on every seed, mostly 500; random play has 22. The environment counts as solved at 475.

    Two things make every seed hold. Nearly all states of CartPole can be saved, so that one action is worth nearly as
    much as the other, and what staying in the middle brings comes hundreds of steps later. A network without them came
    to values that were right for what it did, which was to let the cart drift off the track: actions differed by 2
    where errors were 6. A dueling head learns that difference with weights of its own; and exploration that goes on at
    10 % makes the edge of the track dangerous in values of three steps ahead, so that play keeps to the middle. It is
    seen in training, whose returns stay below those of greedy play.

Departures from the paper:
    The published form is the paper's agent for stacked frames of 84 x 84, but for 8 to 10; the small one, for
    environments of a few numbers such as CartPole, departs in all of these:
    1. A dense network, and no repeated actions, stacked frames or clipped rewards.
    2. The dense network standardises its inputs by running statistics.
    3. The error is clipped (Huber) far above one: unclipped rewards sum up to large values, and where every error
       pulls equally hard, the few terminal transitions are outvoted and values grow without bound.
    4. The target network is averaged (Polyak) instead of copied now and then.
    5. A dueling head, double Q-learning, and targets of several steps without correction for what exploration did on
       the way.
    6. Adam instead of RMSprop, with a falling learning rate.
    7. Several environments act side by side, so that one forward pass chooses several actions.
    8. A time limit does not count as a terminal state.
    9. The best weights are chosen by greedy play of seeded episodes during training.
    10. RMSprop adds its 0.01 to the root of the centred mean square; the authors' program adds it under the root.

References:
    Mnih et al. (2015), Human-level control through deep reinforcement learning, Nature 518.
    van Hasselt, Guez, Silver (2016), Deep reinforcement learning with double Q-learning, arXiv:1509.06461.
    Hessel et al. (2018), Rainbow: combining improvements in deep reinforcement learning, arXiv:1710.02298.
    Wang et al. (2016), Dueling network architectures for deep reinforcement learning, arXiv:1511.06581.
    Schaul et al. (2016), Prioritized experience replay, arXiv:1511.05952.
    Fortunato et al. (2018), Noisy networks for exploration, arXiv:1706.10295.
    Lin (1992), Self-improving reactive agents based on reinforcement learning, planning and teaching.
"""

from dataclasses import replace
from typing import Literal

import torch
from torch import Tensor, nn

from ganglion.core import LearningRule
from ganglion.errors import ShapeError
from ganglion.nn.action_values import DenseQNetwork
from ganglion.nn.dueling import DuelingHead
from ganglion.nn.inputs import as_float
from ganglion.nn.linear import Linear
from ganglion.nn.noisy import NoisyLinear
from ganglion.rules.descend import Descent
from ganglion.rules.reinforcement.q_learning import QLearning
from ganglion.rules.reinforcement.settings import QLearningSettings
from ganglion.settings import Count, settings

FRAME_SIZE = 84
"""Height and width of the frames that the Nature network takes."""


class NatureQNetwork(nn.Module):
    """The convolutional network of Mnih et al. (2015), from stacked frames to the value of every action.

    >>> NatureQNetwork(4, 6)(torch.zeros(1, 4, 84, 84, dtype=torch.uint8)).shape
    torch.Size([1, 6])
    """

    def __init__(self, in_channels: int, num_actions: int, dueling: bool = False, noisy: bool = False) -> None:
        super().__init__()
        self.in_channels, dense = in_channels, NoisyLinear if noisy else Linear
        self.convolutions = nn.Sequential(
            nn.Conv2d(in_channels, 32, kernel_size=8, stride=4),  # (batch, 32, 20, 20)
            nn.ReLU(),
            nn.Conv2d(32, 64, kernel_size=4, stride=2),  # (batch, 64, 9, 9)
            nn.ReLU(),
            nn.Conv2d(64, 64, kernel_size=3, stride=1),  # (batch, 64, 7, 7)
            nn.ReLU(),
            nn.Flatten(),
        )

        def stream(outputs: int) -> nn.Module:
            return nn.Sequential(dense(64 * 7 * 7, 512), nn.ReLU(), dense(512, outputs))

        self.head = DuelingHead(stream(1), stream(num_actions)) if dueling else stream(num_actions)

    def forward(self, observations: Tensor) -> Tensor:
        expected = (self.in_channels, FRAME_SIZE, FRAME_SIZE)
        if observations.shape[1:] != expected:
            raise ShapeError(
                "the observation is not what the Nature network takes",
                expected=f"stacked frames of shape {expected}",
                found=f"{tuple(observations.shape[1:])}",
                remedy="wrap the environment so that it shows such frames, or use --network mlp",
            )
        return self.head(self.convolutions(as_float(observations)))


@settings
class NetworkSettings:
    """What a deep Q-network sees, and what it is made of."""

    network: Literal["mlp", "nature"] = "nature"
    """Dense layers, or the convolutional network of 2015 for stacked frames."""
    hidden_features: tuple[Count, ...] = (128, 128)
    """Widths of the hidden layers of the dense network."""
    dueling: bool = False
    """Estimate the value of the state and the advantage of each action separately."""
    in_features: Count = 4
    """Numbers in an observation; the environment decides."""
    in_channels: Count = 4
    """Frames stacked in an observation, for the convolutional network; the environment decides."""
    num_actions: Count = 4
    """Actions to choose from; the environment decides."""


@settings
class Config(QLearningSettings, NetworkSettings):  # fields of the last base come first
    """A deep Q-network and how it explores, remembers and learns."""


SMALL = Config(
    network="mlp",
    dueling=True,
    double=True,
    threshold=100.0,
    steps_ahead=3,
    target_every=1,
    target_rate=0.02,
    replay_capacity=50_000,
    learning_starts=1000,
    train_every=8,
    num_environments=8,
    epsilon_steps=20_000,
    descent=Descent(learning_rate=1e-3),
)
TINY = replace(
    SMALL,
    num_actions=2,
    hidden_features=(32,),
    dueling=False,
    discount=0.8,
    steps_ahead=1,
    target_every=20,
    target_rate=1.0,
    replay_capacity=2000,
    learning_starts=100,
    train_every=2,
    num_environments=4,
    epsilon_steps=1000,
)


def make_network(config: Config) -> nn.Module:
    kind = {"dueling": config.dueling, "noisy": config.exploration == "noise"}
    if config.network == "nature":
        return NatureQNetwork(config.in_channels, config.num_actions, **kind)
    return DenseQNetwork(config.in_features, config.num_actions, config.hidden_features, **kind)


def build(config: Config) -> LearningRule:
    return QLearning.of(config, make_network(config), make_network(config))


def examples(config: Config) -> dict[str, tuple[Tensor, ...]]:
    """Return blank inputs of every network, by role."""
    frames, numbers = (config.in_channels, FRAME_SIZE, FRAME_SIZE), (config.in_features,)
    observations = torch.zeros(1, *(frames if config.network == "nature" else numbers))
    return {"network": (observations,), "target": (observations,)}
