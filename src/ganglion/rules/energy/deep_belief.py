"""Deep belief: each layer learnt as a restricted Boltzmann machine of the one below, then all together."""

from itertools import pairwise
from typing import Literal, final

import torch
from torch import Tensor
from torch.nn import functional as F

from ganglion.core import Batch, LearningRule, Phase
from ganglion.errors import ConfigurationError, DataError
from ganglion.nn.energy.belief import DeepBeliefNetwork
from ganglion.nn.energy.restricted import sample_bernoulli
from ganglion.rules.descend import Descent, descend
from ganglion.rules.losses import accuracy, cross_entropy

Fine = Literal["back-propagation", "up-down"]


@final
class DeepBelief(LearningRule):
    """Contrast layer after layer with what it dreams, and fine-tune all together.

    Layer k: descend the mean of F(v) - F(v'), v the means of the layer below and v' k Gibbs steps away from them. Of
    up-down the uppermost layer learns with the classes beside v.
    back-propagation: the cross-entropy of the classifier.
    up-down: wake, layers are drawn upwards, and each learns to be expected from the one above; the uppermost pair
    contrasts them with what it dreams; sleep, from there layers are drawn downwards, and each learns to recognise the
    one below.

    Args:
        network: the layers up and down.
        descent: how a gradient becomes an update when all is fine-tuned.
        pretraining_descent: the same while one layer learns.
        fine: which of the two.
        pretraining: share of the run that is spent on single layers, the same on each; 0 fine-tunes random weights.
        gibbs_steps: k.
        num_chains: of the top pair and the classes that run on from update to update and stand for what it dreams, and
            from which sleep begins; 0 for steps from the data. Of up-down alone.

    Sources: Hinton, Osindero and Teh (2006); Hinton and Salakhutdinov (2006).
    """

    def __init__(
        self,
        network: DeepBeliefNetwork,
        descent: Descent,
        *,
        pretraining_descent: Descent,
        fine: Fine = "back-propagation",
        pretraining: float = 0.5,
        gibbs_steps: int = 1,
        num_chains: int = 0,
    ) -> None:
        if not 0 <= pretraining < 1:
            raise ConfigurationError("pretraining must lie from 0 to below 1", found=str(pretraining))
        self.network, self.fine, self.gibbs_steps = network, fine, gibbs_steps
        self.fine_tuning, self.pretraining = descent, pretraining_descent
        self.depth = len(network.layers)
        self.networks = {"network": network}
        self.counters, self.tensors = {"layer": self.depth, "updates": 0}, {}
        if num_chains and fine == "up-down":
            width = network.top + network.output.out_features
            self.tensors["chains"] = network.output.weight.new_zeros(num_chains, width)
        if pretraining:
            share = pretraining / self.depth
            layers = [Phase(name=f"layer {number + 1}", share=share) for number in range(self.depth)]
            self.phases = (*layers, Phase(name=fine, share=1 - pretraining))
        self._prepare()

    def begin(self, phase: Phase) -> None:
        self.counters["layer"] = self.phases.index(phase)
        self._prepare()

    def _prepare(self) -> None:
        """Let what learns now be trainable, and make its optimizer anew."""
        self.counters["updates"] = 0
        number, network = self.counters["layer"], self.network
        alone = number < self.depth
        network.requires_grad_(False)
        if alone:
            learning = [network.layers[number], *([network.output] if self._with_classes(number) else [])]
            network.down.biases[number].requires_grad_(True)
        else:
            learning = [network, *([network.down] if self.fine == "up-down" else [])]
        for module in learning:
            module.requires_grad_(True)
        if not alone and self.fine == "back-propagation":
            network.down.requires_grad_(False)
        self.optimizers = {"network": self.descent.make_optimizer(network)}

    def _with_classes(self, number: int) -> bool:
        return self.fine == "up-down" and number == self.depth - 1

    @property
    def descent(self) -> Descent:
        """How a gradient becomes an update in the phase that the rule is in."""
        return self.pretraining if self.counters["layer"] < self.depth else self.fine_tuning

    def step(self, batch: Batch) -> dict[str, Tensor]:
        number, inputs = self.counters["layer"], batch["inputs"]
        if self.descent is self.pretraining and number == 0 and (inputs.amin() < 0 or inputs.amax() > 1):
            raise DataError(
                "units that are on or off cannot stand for these numbers",
                expected="values from 0 to 1, such as the pixels of images",
                found=f"values from {inputs.amin().item():.4g} to {inputs.amax().item():.4g}",
                remedy="give images without --standardise, or choose mlp",
            )
        if "targets" not in batch:
            raise DataError(
                "this system learns from labelled data",
                found="samples without targets",
                remedy="give targets, or choose rbm, which needs none",
            )
        if number < self.depth and not self.counters["updates"]:
            self._match_means(number, inputs)
        self.counters["updates"] = 1
        objective = self._classify if self.fine == "back-propagation" else self._wake_and_sleep
        if number < self.depth:
            objective = self._contrast
        measured = descend(self.optimizers["network"], batch, objective, self.descent)
        if number < self.depth:
            self.network.tie(number)
        return measured

    def judge(self, outputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """Return the loss and the accuracy of outputs that are already there, (batch, classes)."""
        return {"loss": cross_entropy(outputs, targets), "accuracy": accuracy(outputs, targets)}

    def _classify(self, batch: Batch) -> dict[str, Tensor]:
        return self.judge(self.network(batch["inputs"]), batch["targets"])

    @torch.no_grad()
    def _match_means(self, number: int, inputs: Tensor) -> None:
        """Start what a layer expects below at log odds of the first batch, so that units need not learn them."""
        below = self.network.up_to(inputs, number)
        self.network.down.biases[number].copy_(torch.logit((below.sum(0) + 1) / (len(below) + 2)))

    def _contrast(self, batch: Batch) -> dict[str, Tensor]:
        number = self.counters["layer"]
        with torch.no_grad():
            below = self.network.up_to(batch["inputs"], number)
        return self._contrast_of(number, below, self._classes(batch) if self._with_classes(number) else None)

    def _classes(self, batch: Batch) -> Tensor:
        return F.one_hot(batch["targets"], self.network.output.out_features).to(self.network.output.weight)

    def _contrast_of(self, number: int, below: Tensor, classes: Tensor | None) -> dict[str, Tensor]:
        """Return the mean of F(v) - F(v') of a layer, and how far v' is from v."""
        then, named = self._dreams(number, below, classes)
        measured = {} if "chains" in self.tensors else {"reconstruction_error": F.mse_loss(then, below)}
        return {"loss": self._contrast_between(number, (below, classes), (then, named)), **measured}

    def _contrast_between(
        self, number: int, data: tuple[Tensor, Tensor | None], dreams: tuple[Tensor, Tensor | None]
    ) -> Tensor:
        """Return the mean of F over the data less that over dreams, (), both units below a layer and classes."""
        energy = self.network.free_energy
        return energy(number, *data).mean() - energy(number, *dreams).mean()

    def _dreams(self, number: int, below: Tensor, classes: Tensor | None) -> tuple[Tensor, Tensor | None]:
        if classes is not None and "chains" in self.tensors:
            return self._run_on()
        for number_of_step in range(self.gibbs_steps):
            if number_of_step:
                below = sample_bernoulli(below)
            below, classes = self.network.gibbs_step(number, below, classes)
        return below, classes

    @torch.no_grad()
    def _run_on(self) -> tuple[Tensor, Tensor]:
        """Move the chains of the top pair on, and return where they are: units (chains, units) and classes."""
        network = self.network
        chains = self.tensors["chains"].to(network.output.weight)
        below, classes = chains[:, : network.top], chains[:, network.top :]
        for _ in range(self.gibbs_steps):
            mean, shares = network.gibbs_step(self.depth - 1, below, classes)
            assert shares is not None
            below = sample_bernoulli(mean)
            classes = F.one_hot(shares.multinomial(1)[:, 0], shares.shape[1]).to(shares)
        self.tensors["chains"] = torch.cat([below, classes], dim=1)
        return below, classes

    def _wake_and_sleep(self, batch: Batch) -> dict[str, Tensor]:
        network, top = self.network, self.depth - 1
        with torch.no_grad():
            awake = [batch["inputs"].flatten(1)]
            for layer in list(network.layers)[:top]:
                awake.append(sample_bernoulli(torch.sigmoid(layer(awake[-1]))))
            classes = self._classes(batch)
            above, named = self._dreams(top, awake[-1], classes)
            asleep = [sample_bernoulli(above)]
            for weight, bias in zip(
                reversed(list(network.down.weights)), reversed(list(network.down.biases)[:-1]), strict=True
            ):
                asleep.insert(0, sample_bernoulli(torch.sigmoid(F.linear(asleep[0], weight, bias))))
        contrast = self._contrast_between(top, (awake[-1], classes), (above, named))
        wake = sleep = contrast.new_zeros(())
        for number, (low, high) in enumerate(pairwise(awake)):
            expected = F.linear(high, network.down.weights[number], network.down.biases[number])
            wake = wake + _surprise(expected, low)
        for layer, (low, high) in zip(list(network.layers)[:top], pairwise(asleep), strict=True):
            sleep = sleep + _surprise(layer(low), high)
        return {"loss": contrast + wake + sleep, "wake": wake, "sleep": sleep}


def _surprise(logits: Tensor, states: Tensor) -> Tensor:
    """Return the mean over samples of -log p(states) in nats, both (batch, units)."""
    return F.binary_cross_entropy_with_logits(logits, states, reduction="sum") / len(states)
