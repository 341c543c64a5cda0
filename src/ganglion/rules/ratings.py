"""Learning from tables with holes: only what somebody rated counts in the loss, everything else is unknown."""

from typing import Literal, final

import torch
from torch import Tensor, nn
from torch.nn import functional

from ganglion.core import Batch, LearningRule
from ganglion.errors import ConfigurationError
from ganglion.rules.descend import Descent, descend

RatingLoss = Literal["squared-error", "listwise", "pairwise"]
KEPT, OTHERS = "kept", "others"
"""Names under which the draws of a step join its batch: ratings that the network sees, and things to compare with."""


@final
class MaskedReconstruction(LearningRule):
    """Give back the known entries of rows of which most entries are unknown.

    `squared-error`: L = mean over rows of sum_(j in O) (r_j - f(r')_j)^2, O the known entries of a row r, r' the row
    of which the network sees a share. `listwise`: L = -mean over rows of sum_(j in O) log softmax(f(r'))_j / |O|, a
    row's known entries against all others. `pairwise`: L = -mean over rows of mean_(j in O) log s(f(r')_j - f(r')_k)
    with k drawn from all entries and left out where it is known, s the logistic function.

    Args:
        network: f, from rows (batch, columns), 0 where unknown, to rows of the same shape.
        descent: how the gradient becomes an update.
        columns: entries of a row.
        loss: L, by name.
        masking: share of the known entries that are hidden from the network.

    A batch has the columns of the known entries, numbered from 1 on, as `places` (batch, longest), where 0 pads, and
    their values as `ratings` (batch, longest). Raises `ConfigurationError` for a share outside [0, 1).

    References:
        Sedhain, Menon, Sanner and Xie, AutoRec: autoencoders meet collaborative filtering (2015).
        Liang, Krishnan, Hoffman and Jebara, Variational autoencoders for collaborative filtering (2018): listwise.
        Rendle, Freudenthaler, Gantner and Schmidt-Thieme, BPR (2009): pairwise.

    >>> rule = MaskedReconstruction(nn.Linear(3, 3), Descent(learning_rate=0.1), columns=3)
    >>> batch = {"places": torch.tensor([[1, 3], [2, 0]]), "ratings": torch.tensor([[1.0, -1.0], [0.5, 0.0]])}
    >>> losses = [float(rule.step(batch)["loss"]) for _ in range(50)]
    >>> losses[-1] < 0.1 * losses[0]
    True
    """

    def __init__(
        self,
        network: nn.Module,
        descent: Descent,
        *,
        columns: int,
        loss: RatingLoss = "squared-error",
        masking: float = 0.0,
    ) -> None:
        if not 0 <= masking < 1:
            raise ConfigurationError("masking must lie from 0 to below 1", found=str(masking))
        self.networks = {"network": network}
        self.optimizers = {"network": descent.make_optimizer(network)}
        self.counters, self.tensors = {}, {}
        self.descent, self.columns, self.loss, self.masking = descent, columns, loss, masking

    def step(self, batch: Batch) -> dict[str, Tensor]:
        places, more = batch["places"], {}
        if self.masking:
            more[KEPT] = torch.rand(places.shape, device=places.device) >= self.masking
        if self.loss == "pairwise":
            more[OTHERS] = torch.rand(places.shape, device=places.device)
        return descend(self.optimizers["network"], {**batch, **more}, self._objective, self.descent)

    def _objective(self, batch: Batch) -> dict[str, Tensor]:
        places, ratings = batch["places"], batch["ratings"]
        seen = ratings * batch[KEPT] if KEPT in batch else ratings
        outputs = self.home(filled(places, seen, self.columns))
        known = (places > 0).to(ratings.dtype)
        answers = taken(outputs, places)
        if self.loss == "squared-error":
            return {"loss": ((answers - ratings).square() * known).sum(dim=1).mean()}
        each = known / known.sum(dim=1, keepdim=True).clamp(min=1)
        if self.loss == "listwise":
            return {"loss": -((answers - outputs.logsumexp(dim=1, keepdim=True)) * each).sum(dim=1).mean()}
        others = (batch[OTHERS] * self.columns).long()
        known_there = taken(filled(places, known, self.columns), others + 1) > 0
        margins = answers - outputs.gather(1, others)
        return {"loss": -(functional.logsigmoid(margins) * each * ~known_there).sum(dim=1).mean()}


def filled(places: Tensor, values: Tensor, columns: int) -> Tensor:
    """Return rows (batch, columns) with values (batch, longest) at places (batch, longest) from 1 on, 0 elsewhere.

    >>> filled(torch.tensor([[3, 1], [2, 0]]), torch.tensor([[0.5, 1.0], [2.0, 0.0]]), 3).tolist()
    [[1.0, 0.0, 0.5], [0.0, 2.0, 0.0]]
    """
    rows = values.new_zeros(len(places), columns + 1)
    return rows.scatter(1, places, values)[:, 1:].contiguous()  # rows with a gap between them multiply slowly


def taken(rows: Tensor, places: Tensor) -> Tensor:
    """Return what stands in rows (batch, columns) at places (batch, longest) from 1 on; anything where they pad."""
    return rows.gather(1, (places - 1).clamp(min=0))
