"""Lightning: a LightningModule around the plain network, and its Trainer with everything at its default but logging."""

import logging
import time
import warnings

import lightning
import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.sides.outcome import Outcome, judged
from benchmarks.sides.plain import NETWORKS, loss_of, outputs_of, tensors_of
from benchmarks.workloads import Workload


class Module(lightning.LightningModule):
    def __init__(self, network: nn.Module, criterion: nn.Module, learning_rate: float) -> None:
        super().__init__()
        self.network, self.criterion, self.learning_rate = network, criterion, learning_rate

    def training_step(self, batch: tuple[Tensor, Tensor], number: int) -> Tensor:
        inputs, targets = batch
        loss = self.criterion(self.network(inputs), targets)
        self.log("loss", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=self.learning_rate)


def run(workload: Workload, data: dict[str, np.ndarray]) -> Outcome:
    warnings.filterwarnings("ignore")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    torch.manual_seed(0)
    network, outcome = NETWORKS[workload.system](), Outcome()

    class Clock(lightning.Callback):
        def on_train_epoch_start(self, *arguments: object) -> None:
            self.started = time.perf_counter()

        def on_train_epoch_end(self, *arguments: object) -> None:
            outcome.epochs.append(time.perf_counter() - self.started)

    loader = DataLoader(TensorDataset(*tensors_of(workload, data)), batch_size=workload.batch_size, shuffle=True)
    trainer = lightning.Trainer(
        max_epochs=workload.epochs,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[Clock()],
    )
    trainer.fit(Module(network, loss_of(workload), workload.learning_rate), loader)
    outcome.score = judged(outputs_of(network.eval(), data["test_inputs"]), data["test_targets"])
    return outcome
