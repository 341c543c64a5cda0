"""What configurations of agents have in common that learn by deep Q-learning from a replay memory."""

from typing import Annotated, Literal

from ganglion.rules.descend import Descent
from ganglion.settings import Bound, Count, Search, Share, above, at_least, between, settings

Probability = Annotated[float, between(0, 1)]
Steps = Annotated[int, at_least(0), Search(around=4)]
TargetRate = Annotated[float, Bound("above 0 and at most 1", lambda rate: 0 < rate <= 1), Search(low=1e-3, high=1.0)]
Exploration = Literal["epsilon", "noise"]


@settings
class FrameSettings:
    """What an agent sees of a game that shows pictures; the defaults are those of Mnih et al. (2015)."""

    no_ops: Annotated[int, at_least(0)] = 30
    """Pictures at most that pass before an episode's first action, at random, so that none begins like the other."""
    skip: Count = 4
    """Pictures that an action lasts for; a frame is the brighter of the last two."""
    size: Annotated[int, at_least(36)] = 84
    """Height and width of a frame, which is grey."""
    stack: Count = 4
    """Frames that are seen together."""
    sign_of_rewards: bool = True
    """Learn from the signs of rewards, so that all games count alike; scores stay those of the game."""
    life_is_end: bool = True
    """While learning, let nothing after the loss of a life count for what was done before it."""


@settings
class QLearningSettings:
    """How an agent explores, remembers and learns; the defaults are those of Mnih et al. (2015)."""

    discount: Annotated[float, between(0, 1), Search(low=0.9, high=0.999, usual=True)] = 0.99
    """Worth of a reward one step later."""
    double: bool = False
    """Let the network choose the next action and the target network judge it."""
    threshold: Annotated[float, above(0)] = 1.0
    """Error up to which the loss is quadratic; beyond, all errors pull equally hard."""
    steps_ahead: Count = 1
    """Rewards that are seen, not estimated, before the value of the next state takes over."""
    target_every: Count = 10_000
    """Updates between two moves of the target network."""
    target_rate: TargetRate = 1.0
    """Share of the way to the network that the target network goes in one move: 1 copies it."""
    replay_capacity: Count = 1_000_000
    """Transitions remembered."""
    priority: Annotated[float, between(0, 1)] = 0.0
    """How much more often memories are drawn that surprised: the power α of their errors; 0 draws all alike."""
    importance_start: Share = 0.4
    """How far the loss undoes at the beginning that some are drawn more often: the power β, which rises to 1."""
    importance_steps: Steps = 1_000_000
    """Environment steps over which β rises."""
    learning_starts: Steps = 50_000
    """Environment steps before the first update."""
    train_every: Count = 4
    """Environment steps from one update to the next."""
    num_environments: Count = 1
    """Environments that act side by side."""
    exploration: Exploration = "epsilon"
    """Random actions with probability ε, or weights that noise shakes as much as it pays, and no ε."""
    epsilon_start: Probability = 1.0
    """Probability of a random action at the beginning."""
    epsilon_end: Probability = 0.1
    """Probability of a random action once exploration has fallen."""
    epsilon_steps: Steps = 1_000_000
    """Environment steps over which exploration falls."""
    hold: Annotated[float, at_least(1)] = 1.0
    """Steps in a row, on average, for which a random action is kept. Where a goal is far, pushes that change at every
    step cancel each other out, and nothing is ever found."""
    descent: Descent = Descent(
        optimizer="rmsprop", learning_rate=2.5e-4, optimizer_arguments=("alpha=0.95", "eps=0.01", "centered=True")
    )
    """How the gradient becomes an update."""
