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
    P(a random action goes on for another step) = 1 - 1/m   m steps on average, ε the share of random steps all the same
    Q(s, a) = V(s) + A(s, a) - mean_a' A(s, a')            dueling
    P(i) = |δ_i|^α / sum_k |δ_k|^α,  w_i = (N P(i))^-β     prioritised replay, δ = Q(s, a) - y
    y = (μ_w + σ_w ⊙ ε_w) x + μ_b + σ_b ⊙ ε_b              noisy dense layers, instead of random actions

Networks:
    `mlp`: dense hidden layers with ReLU on the flattened, standardised observation, one linear output an action.
    `nature`: the network of 2015 for four stacked grey frames of 84 x 84 bytes: convolutions 8x8 stride 4, 4x4 stride 2
    and 3x3 stride 1, one dense hidden layer.
    `minatar`: the network of 2019 for maps of 10 x 10 truth values: 16 filters of 3x3, one dense layer of 128 units.
    With `dueling` the last stage is split into a stream for V and a stream for A, and with `exploration noise` the
    dense layers are `NoisyLinear`.

Learning rule:
    `ganglion.rules.reinforcement.q_learning.QLearning`: Huber loss on the temporal difference, target network averaged
    or copied at intervals. `ganglion.data.environments.replay.ReplayLoader` acts, explores and remembers; of frames
    each is kept once, as bytes, and stacked when it is drawn (`ganglion.data.environments.frame_memory`).

Data it expects:
    A Gymnasium environment with discrete actions, by its registered name (`--data CartPole-v1`). Observations
    come raw: the network itself scales bytes to [0, 1] and standardises the rest.

    MountainCar-v0 and Acrobot-v1 start from the form `far-goal`, whose random actions last: use it (`--form far-goal
    --hold 16`) wherever nothing but a goal is rewarded, and pushes have to go on to get there.

    Gymnasium's games of Box2D (`--data LunarLander-v3`) need the extra `box2d`.

    Arcade games (`--data ALE/Pong-v5`, the extra `atari`: ale-py, under the GNU General Public License 2, and imported
    for these names only) start from the form `atari`; games of MinAtar (`--data MinAtar/Breakout-v1`, the extra
    `games`) from the form `minatar`. Pictures become the standard frames of the paper, as `--frames.skip` and its
    neighbours say: up to 30 pictures without an action, an action for 4 pictures, the brighter of the last two, grey,
    84 x 84, four of them together; while learning, rewards count by their signs and the loss of a life as an end.
    Whatever shows pictures of bytes is seen so with `--network nature`. Names decide what is repeated at random:
    `ALE/Pong-v5` repeats an action with probability 0.25, `PongNoFrameskip-v4` never does.

What to expect:
    CartPole-v1, small form, seeds 0 to 9: the last evaluation and the mean of the last quarter of evaluations are at
    least 496 of 500 on every seed, mostly 500; random play has 22. The environment counts as solved at 475.

    Two things make every seed hold. Nearly all states of CartPole can be saved, so that one action is worth nearly as
    much as the other, and what staying in the middle brings comes hundreds of steps later. A network without them came
    to values that were right for what it did, which was to let the cart drift off the track: actions differed by 2
    where errors were 6. A dueling head learns that difference with weights of its own; and exploration that goes on at
    10 % makes the edge of the track dangerous in values of three steps ahead, so that play keeps to the middle. It is
    seen in training, whose returns stay below those of greedy play.

    MountainCar-v0, form `far-goal`, seed 0: a mean return of -100 over 100 test episodes after 119,400 steps, where
    random play has -200 (the zoo of stable-baselines3: -100.8 after 120,000). Random pushes cancel each other out: of
    4,000 episodes of random play none came to the goal, one in ten did where actions lasted 16 steps on average, and
    the small form learns nothing. Acrobot-v1, likewise: -90 after 89,800 steps, random play -500 (zoo: -76.6 after
    100,000).

    MinAtar/Breakout-v1, form `minatar`, seed 0: a mean return of 3.4 over 100 test episodes after 44,000 frames, where
    random play has 0.4 (`--minutes 12.5` on two cores that did much else beside; exploration fell over 100,000 frames).
    Neither longer runs nor the scores of arcade games were measured: their commands stand among the claims.

Departures from the paper:
    The published form is the paper's agent for stacked frames of 84 x 84, but for 8 to 10. The forms `atari` and
    `minatar` depart in 5, without the head, in 6, with a constant rate, and in 7 to 9; they remember 100,000 frames.
    The small form, for environments of a few numbers such as CartPole, departs in all of these:
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
    Dabney, Ostrovski, Barreto (2021), Temporally-extended ε-greedy exploration, arXiv:2006.01782.
    Young and Tian (2019), MinAtar: an Atari-inspired testbed for thorough and reproducible experiments,
    arXiv:1903.03176.
    Lin (1992), Self-improving reactive agents based on reinforcement learning, planning and teaching.
"""

from dataclasses import replace
from typing import Literal

import torch
from torch import Tensor, nn

from ganglion.core import LearningRule
from ganglion.errors import ShapeError
from ganglion.nn.inputs import as_float
from ganglion.nn.linear import Linear
from ganglion.nn.reinforcement.action_values import DenseQNetwork
from ganglion.nn.reinforcement.dueling import DuelingHead
from ganglion.nn.reinforcement.noisy import NoisyLinear
from ganglion.rules.descend import Descent
from ganglion.rules.reinforcement.q_learning import QLearning
from ganglion.rules.reinforcement.settings import FrameSettings, QLearningSettings
from ganglion.settings import Count, Widths, settings

MAP_SIZE = 10
"""Height and width of the maps that games of MinAtar show."""


def check_shape(observations: Tensor, expected: tuple[int, ...], network: str, shown: str) -> None:
    """Raise `ShapeError` unless observations (batch, ...) are of the shape that a network takes."""
    if observations.shape[1:] != expected:
        raise ShapeError(
            f"the observation is not what the {network} network takes",
            expected=f"{shown} of shape {expected}",
            found=f"{tuple(observations.shape[1:])}",
            remedy="wrap the environment so that it shows such, or use --network mlp",
        )


class NatureQNetwork(nn.Module):
    """The convolutional network of Mnih et al. (2015), from stacked frames to the value of every action.

    >>> NatureQNetwork(4, 6)(torch.zeros(1, 4, 84, 84, dtype=torch.uint8)).shape
    torch.Size([1, 6])
    """

    def __init__(
        self, in_channels: int, num_actions: int, dueling: bool = False, noisy: bool = False, frame_size: int = 84
    ) -> None:
        super().__init__()
        self.frames, dense = (in_channels, frame_size, frame_size), NoisyLinear if noisy else Linear
        self.convolutions = nn.Sequential(
            nn.Conv2d(in_channels, 32, kernel_size=8, stride=4),  # (batch, 32, 20, 20)
            nn.ReLU(),
            nn.Conv2d(32, 64, kernel_size=4, stride=2),  # (batch, 64, 9, 9)
            nn.ReLU(),
            nn.Conv2d(64, 64, kernel_size=3, stride=1),  # (batch, 64, 7, 7)
            nn.ReLU(),
            nn.Flatten(),
        )
        side = ((frame_size - 8) // 4 - 3) // 2 - 1

        def stream(outputs: int) -> nn.Module:
            return nn.Sequential(dense(64 * side * side, 512), nn.ReLU(), dense(512, outputs))

        self.head = DuelingHead(stream(1), stream(num_actions)) if dueling else stream(num_actions)

    def forward(self, observations: Tensor) -> Tensor:
        check_shape(observations, self.frames, "Nature", "stacked frames")
        return self.head(self.convolutions(as_float(observations)))


class MinAtarQNetwork(nn.Module):
    """The convolutional network of Young and Tian (2019), from maps of where things are to the value of every action.

    >>> MinAtarQNetwork(4, 3)(torch.zeros(1, 4, 10, 10, dtype=torch.bool)).shape
    torch.Size([1, 3])
    """

    def __init__(self, in_channels: int, num_actions: int, dueling: bool = False, noisy: bool = False) -> None:
        super().__init__()
        self.maps, dense = (in_channels, MAP_SIZE, MAP_SIZE), NoisyLinear if noisy else Linear
        self.convolutions = nn.Sequential(
            nn.Conv2d(in_channels, 16, kernel_size=3),  # (batch, 16, 8, 8)
            nn.ReLU(),
            nn.Flatten(),
            dense(16 * (MAP_SIZE - 2) ** 2, 128),
            nn.ReLU(),
        )
        self.head = DuelingHead(dense(128, 1), dense(128, num_actions)) if dueling else dense(128, num_actions)

    def forward(self, observations: Tensor) -> Tensor:
        check_shape(observations, self.maps, "MinAtar", "maps")
        return self.head(self.convolutions(as_float(observations)))


@settings
class NetworkSettings:
    """What a deep Q-network sees, and what it is made of."""

    network: Literal["mlp", "nature", "minatar"] = "nature"
    """Dense layers, the convolutional network of 2015 for stacked frames, or the small one for the maps of MinAtar."""
    hidden_features: Widths = (128, 128)
    """Widths of the hidden layers of the dense network."""
    dueling: bool = False
    """Estimate the value of the state and the advantage of each action separately."""
    frames: FrameSettings = FrameSettings()
    """What the network of 2015 sees of a game."""
    in_features: Count = 4
    """Numbers in an observation; the environment decides."""
    in_channels: Count = 4
    """Frames stacked in an observation, or maps in one, for the convolutional networks; the environment decides."""
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


FORMS = {
    "atari": Config(
        double=True,
        steps_ahead=3,
        target_every=2000,
        replay_capacity=100_000,
        learning_starts=20_000,
        num_environments=4,
        epsilon_end=0.01,
        epsilon_steps=200_000,
        descent=Descent(learning_rate=1e-4),
    ),
    "minatar": Config(
        network="minatar",
        double=True,
        steps_ahead=3,
        target_every=500,
        replay_capacity=100_000,
        learning_starts=5000,
        num_environments=8,
        train_every=8,
        epsilon_end=0.01,
        epsilon_steps=50_000,
        descent=Descent(learning_rate=5e-4),
    ),
    "far-goal": replace(SMALL, hidden_features=(64, 64), epsilon_end=0.05, epsilon_steps=30_000, hold=16.0),
}
"""The network of 2015 as agents of today learn with it, on two cores in hours; the quick one; and the small form where
random play would never come to the goal."""


def make_network(config: Config) -> nn.Module:
    kind = {"dueling": config.dueling, "noisy": config.exploration == "noise"}
    if config.network == "nature":
        return NatureQNetwork(config.in_channels, config.num_actions, frame_size=config.frames.size, **kind)
    if config.network == "minatar":
        return MinAtarQNetwork(config.in_channels, config.num_actions, **kind)
    return DenseQNetwork(config.in_features, config.num_actions, config.hidden_features, **kind)


def build(config: Config) -> LearningRule:
    return QLearning.of(config, make_network(config), make_network(config))


def examples(config: Config) -> dict[str, tuple[Tensor, ...]]:
    """Return blank inputs of every network, by role."""
    sides = {"nature": config.frames.size, "minatar": MAP_SIZE}
    side = sides.get(config.network)
    observations = torch.zeros(1, *((config.in_channels, side, side) if side else (config.in_features,)))
    return {"network": (observations,), "target": (observations,)}
