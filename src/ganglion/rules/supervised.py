"""Supervised learning: lower a loss between what a network says and what it should say."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import final

import torch
from torch import Tensor, nn

from ganglion.core import Adversary, Batch, LearningRule, ManyHeaded
from ganglion.core.team import counted_by, terms_of
from ganglion.errors import DataError
from ganglion.nn.modes import evaluation_mode
from ganglion.rules.descend import Descent, descend
from ganglion.rules.losses import Loss, accuracy, cross_entropy, find_loss, weighted


@final
class Supervised(LearningRule):
    """Descend the gradient of L(f(x), t), of which samples have their share by `batch["weights"]`, if that is there.

    Args:
        network: f, from `batch["inputs"]` to outputs; the loss says what they mean.
        descent: how the gradient becomes an update.
        loss: L, by name or as a function of outputs and `batch["targets"]` that is a mean over samples.
        measures: further functions of outputs and targets to report beside the loss, by name.
        auxiliary: share that the loss of each further head counts, of a network with several `heads`.

    >>> import torch
    >>> network = nn.Linear(2, 1)
    >>> rule = Supervised(network, Descent(optimizer="sgd", learning_rate=0.1), loss="squared-error")
    >>> batch = {"inputs": torch.eye(2), "targets": torch.tensor([1.0, -1.0])}
    >>> losses = [rule.step(batch)["loss"] for _ in range(100)]
    >>> bool(losses[-1] < 0.01)
    True
    """

    weighs = True
    shards = True
    adversary: Adversary | None = None
    """Changes the inputs of every batch so that the loss grows; the rule then learns from those."""
    mixup: float = 0.0
    """Parameter of the beta distribution that the shares of mixed pairs of samples follow; 0 where none are mixed."""

    def __init__(
        self,
        network: nn.Module,
        descent: Descent,
        *,
        loss: str | Loss = "cross-entropy",
        measures: Mapping[str, Loss] | None = None,
        auxiliary: float = 0.0,
    ) -> None:
        self.networks = {"network": network}
        self.optimizers = {"network": descent.make_optimizer(network)}
        self.counters = {}
        self.tensors = {}
        self.descent = descent
        self.loss = find_loss(loss)
        self.measures = dict(measures or {})
        self.auxiliary = auxiliary

    def step(self, batch: Batch) -> dict[str, Tensor]:
        if self.mixup and "targets" in batch:
            batch = mixed(batch, self.mixup)
        if self.adversary is not None and "targets" in batch:
            batch = {**batch, "inputs": self._misleading(batch, self.adversary)}
        return descend(self.optimizers["network"], batch, self._objective, self.descent)

    def judge(self, outputs: Tensor, targets: Tensor, weights: Tensor | None = None) -> dict[str, Tensor]:
        """Return the loss and the measures of outputs that are already there, (batch, outputs).

        Samples count in the loss as their `weights` (batch,) say, all alike where none are given; in measures alike.
        """
        return {
            "loss": self.loss(outputs, targets) if weights is None else weighted(self.loss, outputs, targets, weights),
            **{name: measure(outputs, targets) for name, measure in self.measures.items()},
        }

    def _misleading(self, batch: Batch, adversary: Adversary) -> Tensor:
        """Return the inputs of a batch, changed against the network as it would answer now."""
        targets = batch["targets"]
        with evaluation_mode(self.home):  # statistics of batches move when it learns, and only then
            return adversary(lambda inputs: self.loss(self.home(inputs), targets) * len(targets), batch["inputs"])

    @counted_by(lambda rule, batch: terms_of(rule.loss, batch["targets"]) if "targets" in batch else None)
    def _objective(self, batch: Batch) -> dict[str, Tensor]:
        if "targets" not in batch:
            raise DataError(
                "this system learns from labelled data",
                found="samples without targets",
                remedy="give targets, or choose a system that needs none",
            )
        home = self.home
        inputs = batch["inputs"]
        heads = home.heads(inputs) if self.auxiliary and isinstance(home, ManyHeaded) else [home(inputs)]
        measured = self._measured(heads, batch["targets"], batch.get("weights"))
        if "partner_targets" not in batch:
            return measured
        partners = self._measured(heads, batch["partner_targets"], batch.get("partner_weights"))
        share = batch["share"].mean()
        return {name: share * one + (1 - share) * partners[name] for name, one in measured.items()}

    def _measured(self, heads: Sequence[Tensor], targets: Tensor, weights: Tensor | None) -> dict[str, Tensor]:
        """Return loss and measures of the outputs of the last head, with the share of the loss that the others have."""
        outputs, *others = heads
        measured = self.judge(outputs, targets, weights)
        beside = sum(self.judge(other, targets, weights)["loss"] for other in others)
        return measured | {"loss": measured["loss"] + self.auxiliary * beside} if others else measured


def mixed(batch: Batch, mixup: float) -> Batch:
    """Return a batch whose inputs are `s x + (1 - s) x'` of two samples each, with the targets of both and the share s.

    x' is another sample of the batch, drawn for each; s is drawn once for the batch, from Beta(mixup, mixup).

    Source: Zhang, Cisse, Dauphin, Lopez-Paz, mixup: Beyond empirical risk minimization (2018), section 2.

    >>> import torch
    >>> found = mixed({"inputs": torch.eye(4), "targets": torch.arange(4)}, 0.2)
    >>> sorted(found), bool((found["inputs"].sum(1) == 1).all())
    (['inputs', 'partner_targets', 'share', 'targets'], True)
    """
    inputs = batch["inputs"]
    order = torch.randperm(len(inputs)).to(inputs.device)
    share = torch.distributions.Beta(mixup, mixup).sample().to(inputs)
    partners = {f"partner_{name}": batch[name][order] for name in ("targets", "weights") if name in batch}
    inputs = inputs.lerp(inputs[order], 1 - share)
    return {**batch, **partners, "inputs": inputs, "share": share.expand(len(inputs))}


def classifier(
    network: nn.Module, descent: Descent, label_smoothing: float = 0.0, *, auxiliary: float = 0.0
) -> Supervised:
    """Return the rule by which a network that puts out logits of classes learns: cross-entropy, accuracy beside it.

    Args:
        network: from inputs to logits, (batch, classes).
        descent: how the gradient becomes an update.
        label_smoothing: share of the target's probability that is spread over all classes.
        auxiliary: share that the loss of each further head counts, of a network with several.
    """
    loss = partial(cross_entropy, label_smoothing=label_smoothing)
    return Supervised(network, descent, loss=loss, measures={"accuracy": accuracy}, auxiliary=auxiliary)
