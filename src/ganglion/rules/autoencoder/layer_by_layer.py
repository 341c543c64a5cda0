"""Greedy pre-training: layer after layer, each as an autoencoder of what the one before gives; then all at once."""

import copy
from typing import final

import torch
from torch import Tensor
from torch.nn import functional

from ganglion.core import Batch, LearningRule, Phase
from ganglion.errors import ConfigurationError
from ganglion.nn.coding.codes import DenseCoder
from ganglion.rules.autoencoder.reconstruction import ReconstructionLoss, corrupted
from ganglion.rules.descend import Descent, descend
from ganglion.rules.losses import find_loss

FINE_TUNING = "fine-tuning"
PRETRAINED = "pretrained."
"""Before the names of the weights as pre-training left them, among the tensors of the rule."""


@final
class LayerByLayer(LearningRule):
    """Lower L(back_k(forth_k(corrupt(h_k))), h_k) for one layer k after the other, then L(f(corrupt(x)), x) for all.

    h_k is what the layers before k, which stay as they are, make of x. Its loss is squared error for k > 0. Every layer
    is a phase of the run, and so is fine-tuning; of the weights as pre-training left them a copy is kept.

    Args:
        network: f, whose layer k there and back is `forth` and `back`.
        descent: how a gradient becomes an update while all layers learn.
        pretraining_descent: the same while one does; `descent` if not given.
        loss: L between inputs and outputs, by name.
        pretraining: share of the run that is spent on single layers, the same on each; 0 trains all at once.
        noise: standard deviation of Gaussian noise on what each layer sees.
        masking: share of the values that are set to zero in what each layer sees.

    Raises:
        ConfigurationError: a share of pre-training that leaves nothing, or one below 0.

    References:
        Bengio, Lamblin, Popovici and Larochelle (2007), Greedy layer-wise training of deep networks.
        Vincent et al. (2010), Stacked denoising autoencoders.
    """

    def __init__(
        self,
        network: DenseCoder,
        descent: Descent,
        *,
        pretraining_descent: Descent | None = None,
        loss: ReconstructionLoss = "squared-error",
        pretraining: float = 0.5,
        noise: float = 0.0,
        masking: float = 0.0,
    ) -> None:
        if not 0 <= pretraining < 1:
            raise ConfigurationError("pretraining must lie from 0 to below 1", found=str(pretraining))
        self.network, self.loss = network, find_loss(loss)
        self.fine_tuning, self.pretraining = descent, pretraining_descent or descent
        self.noise, self.masking = noise, masking
        self.networks = {"network": network}
        self.optimizers = {"network": descent.make_optimizer(network)}
        self.counters = {"layer": network.depth}
        self.tensors = {}
        if pretraining:
            share = pretraining / network.depth
            layers = [Phase(name=f"layer {number + 1}", share=share) for number in range(network.depth)]
            self.phases = (*layers, Phase(name=FINE_TUNING, share=1 - pretraining))

    def begin(self, phase: Phase) -> None:
        number = self.phases.index(phase)
        self.counters["layer"] = number
        alone = number < self.network.depth
        learning = self.network.pair(number) if alone else self.network
        self.optimizers = {"network": self.descent.make_optimizer(learning)}
        if not alone:
            state = self.network.state_dict()
            self.tensors = {PRETRAINED + name: values.detach().clone() for name, values in state.items()}

    @property
    def descent(self) -> Descent:
        """How a gradient becomes an update in the phase that the rule is in."""
        return self.pretraining if self.counters["layer"] < self.network.depth else self.fine_tuning

    def step(self, batch: Batch) -> dict[str, Tensor]:
        return descend(self.optimizers["network"], batch, self._objective, self.descent)

    def judge(self, outputs: Tensor, inputs: Tensor) -> dict[str, Tensor]:
        """Return the loss of outputs that are already there, in the shape of the inputs."""
        return {"loss": self.loss(outputs, inputs)}

    def after_each_layer(self, inputs: Tensor) -> list[Tensor]:
        """Return what pre-training left of inputs (batch, ...) after one layer there and back, two, and so on."""
        if not self.tensors:
            return []
        network, left = copy.deepcopy(self.network).eval(), []
        network.load_state_dict({name.removeprefix(PRETRAINED): one for name, one in self.tensors.items()})
        with torch.no_grad():
            hidden = inputs.flatten(1).to(next(network.parameters()).device)
            for number in range(network.depth):
                hidden = network.forth(hidden, number)
                rebuilt = hidden
                for one in reversed(range(number + 1)):
                    rebuilt = network.back(rebuilt, one)
                left.append((rebuilt.sigmoid() if network.logistic else rebuilt).view_as(inputs).cpu())
        return left

    def _objective(self, batch: Batch) -> dict[str, Tensor]:
        inputs, number = batch["inputs"], self.counters["layer"]
        if number == self.network.depth:
            return self.judge(self.network(corrupted(inputs, self.noise, self.masking)), inputs)
        hidden = inputs.flatten(1)
        with torch.no_grad():
            for one in range(number):
                hidden = self.network.forth(hidden, one)
        seen = corrupted(hidden, self.noise, self.masking)
        rebuilt = self.network.back(self.network.forth(seen, number), number)
        return {"loss": functional.mse_loss(rebuilt, hidden)} if number else self.judge(rebuilt, hidden)
