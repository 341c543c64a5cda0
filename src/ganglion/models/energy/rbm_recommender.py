"""A restricted Boltzmann machine of ratings: hidden tastes that explain what was rated, and foretell what was not.

Idea:
    Each user is a restricted Boltzmann machine of the films that they rated. A film is a visible unit that shows one of
    the levels of the scale; films that were not rated are not there. All machines share weights and biases, so that a
    hidden unit becomes a taste: it raises high levels of some films and low levels of others. What a user thinks of
    another film is read off that film's unit once the hidden units have seen what the user rated.

Equations:
    v_i^k = 1 where film i was rated with level k
    E(v, h) = -sum_ik a_i^k v_i^k - b.h - sum_ijk h_j W_ij^k v_i^k             over the films that were rated
    p(h_j = 1 | v) = sigmoid(b_j + sum_ik W_ij^k v_i^k)
    p(v_i^k = 1 | h) = exp(a_i^k + sum_j h_j W_ij^k) / sum_l exp(a_i^l + sum_j h_j W_ij^l)
    answer = sum_k level_k p(v_q^k = 1 | h = p(h | v))                         for a film q that was not rated

Networks:
    machine: `SoftmaxRBM`, from rows of levels, 0 where unknown, to what it expects of every column.

Learning rule:
    Contrastive divergence on the columns that a row knows: what is not rated is neither drawn nor learnt from.

Data it expects:
    A table with a row for each rating: who, what, how much. Any CSV; the columns are found by their names or values.
    The levels are those between the worst and the best rating, as far apart as the closest two; where that makes more
    than 21, ratings are brought to the nearest of 21.

What to expect:
    On the generated film-ratings, seed 0, in seconds: an error of .67 stars on test ratings, where kindness and liking
    alone have .71 and matrix factorisation .68. Watch the error on ratings held back: the machine soon learns by heart,
    and the best weights are those of a few epochs. On few ratings of many items (ml-latest-small, 610 users, 9,724
    films, so that rows are items) .850, where kindness and liking have .870 and matrix factorisation .852. It foretells
    ratings; what users rate next, a list of what is popular knows better.

    Leave weight decay out where ratings are few: a weight's gradient is as small as its level is rare, and Adam then
    is likely to follow the decay. With 1e-2 the error on ml-latest-small was .949 after eight epochs, without .850.

Departures from the paper:
    1. The basic form of section 2. The conditional form of section 4 learns from who rated what without the rating; of
       a table without such pairs it is the basic form written differently, since its weights D_ij add the same to all
       levels of a film.
    2. Biases start at the logarithms of how often levels are in the first batch, in the paper in all data.
    3. The small form learns by Adam, without momentum of its own and without weight decay.
    4. `rows items` turns the table round: users are the visible units (Georgiev and Nakov 2013). The small form does so
       where there are more items than users, since fewer weights then learn from more rows.

References:
    Salakhutdinov, Mnih, Hinton (2007), Restricted Boltzmann machines for collaborative filtering.
    Georgiev, Nakov (2013), A non-IID framework for collaborative filtering with restricted Boltzmann machines.
"""

from dataclasses import replace
from typing import Annotated, ClassVar, Literal

import torch
from torch import Tensor

from ganglion.core import LearningRule
from ganglion.nn.energy.softmax import SoftmaxRBM
from ganglion.rules.descend import Descent
from ganglion.rules.energy.contrastive import ContrastiveDivergence
from ganglion.settings import Count, Units, at_least, settings


@settings
class Config:
    """A restricted Boltzmann machine of ratings and how it learns."""

    in_features: Count = 17770
    """Items where rows are users, users where rows are items; decided by the data."""
    num_classes: Annotated[int, at_least(2)] = 5
    """Levels of the scale; decided by the data."""
    rows: Literal["items", "users"] | None = "users"
    """What a row of ratings belongs to; to what there is more of when not given, so that fewer weights learn from more
    rows."""
    hidden_units: Units = 100
    """Hidden units, the tastes that explain ratings."""
    gibbs_steps: Count = 1
    """Steps of the chain from the data to what the machine makes of it, the k of CD-k."""
    start_from_means: bool = True
    """Start the visible biases at how often levels are, so that hidden units need not learn that."""
    descent: Descent = Descent(
        optimizer="sgd",
        learning_rate=0.01,
        weight_decay=1e-3,
        decay_biases=False,
        optimizer_arguments=("momentum=0.9",),
    )
    """How the gradient becomes an update."""

    learns_order: ClassVar[bool] = False
    biases: ClassVar[bool] = False
    liked_from: ClassVar[None] = None

    def by_items(self, users: int, items: int) -> bool:
        """Whether rows are items, where there are so many of both."""
        return items > users if self.rows is None else self.rows == "items"


SMALL = Config(rows=None, descent=Descent(learning_rate=1e-2))
TINY = replace(SMALL, in_features=12, hidden_units=8, descent=Descent(learning_rate=1e-2))


def build(config: Config) -> LearningRule:
    return ContrastiveDivergence(
        SoftmaxRBM(config.in_features, config.num_classes, config.hidden_units),
        config.descent,
        gibbs_steps=config.gibbs_steps,
        start_from_means=config.start_from_means,
    )


def examples(config: Config) -> dict[str, tuple[Tensor, ...]]:
    """Return blank inputs of every network, by role."""
    return {"machine": (torch.zeros(1, config.in_features),)}
