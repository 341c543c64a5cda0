"""Radial basis functions, learnt in stretches: centres and widths from the data alone, then the output, then all."""

from collections.abc import Callable
from typing import Literal, final

import torch
from torch import Tensor

from ganglion.core import Batch, LearningRule, Phase
from ganglion.errors import ConfigurationError, DataError
from ganglion.nn.radial import RadialBasisNetwork, neighbour_widths, squared_distances
from ganglion.rules.descend import Descent, descend

PLACING, OUTPUT, FINE_TUNING = "centres", "output", "fine-tuning"
Placement = Literal["k-means", "samples"]
Loss = Callable[[Tensor, Tensor], Tensor]


@final
class RadialBasis(LearningRule):
    """Place centres c_j by k-means or on samples, widths s_j by the nearest centres; solve or descend for the output.

    k-means: every c_j moves to the mean of the samples that are nearer to it than to any other centre. Of batches that
    are not the whole, the mean is one over about the latest pass.
    Output: W, b minimise sum |W phi(x) + b - t|^2 + ridge |W|^2 over all samples of a pass, by an orthogonal
    triangle R that takes in batch after batch; or they descend the loss.
    Fine-tuning: centres, widths and output descend the loss together.

    Args:
        network: the units and their output.
        descent: how a gradient becomes an update.
        loss: of outputs and targets.
        codes: what the outputs shall come to, (batch, outputs), of targets (batch, ...); for least squares.
        measures: of outputs and targets, by name.
        num_samples: of the training part.
        placement: `k-means`, or `samples` drawn by chance.
        neighbours: nearest centres that a width is the mean distance of.
        overlap: factor of that width.
        placing: share of the run for k-means.
        least_squares: solve for the output instead of descending to it.
        ridge: how dear large output weights are.
        fine_tuning: share of the run in which all descends.

    Raises:
        ConfigurationError: more centres than samples, or shares that leave nothing to the output.

    Sources: Broomhead and Lowe (1988); Moody and Darken (1989).
    """

    freezes = False

    def __init__(
        self,
        network: RadialBasisNetwork,
        descent: Descent,
        *,
        loss: Loss,
        codes: Loss,
        num_samples: int,
        measures: dict[str, Loss] | None = None,
        placement: Placement = "k-means",
        neighbours: int = 2,
        overlap: float = 1.0,
        placing: float = 0.3,
        least_squares: bool = True,
        ridge: float = 1e-6,
        fine_tuning: float = 0.0,
    ) -> None:
        units = len(network.centres)
        if units > num_samples:
            raise ConfigurationError(
                "there are more centres than samples to place them on",
                expected=f"at most {num_samples}, the samples of the training part",
                found=str(units),
                remedy=f"lower hidden_units to {num_samples} or fewer",
            )
        if placing + fine_tuning >= 1:
            raise ConfigurationError(
                "nothing of the run is left for the output",
                expected="placing and fine_tuning that sum to less than 1",
                found=f"{placing} and {fine_tuning}",
            )
        self.network, self.descent, self.loss, self.codes = network, descent, loss, codes
        self.measures = dict(measures or {})
        self.num_samples, self.placement = num_samples, placement
        self.neighbours, self.overlap = neighbours, overlap
        self.least_squares, self.ridge = least_squares, ridge
        shares = {PLACING: placing, OUTPUT: 1 - placing - fine_tuning, FINE_TUNING: fine_tuning}
        self.phases = tuple(
            Phase(name=name, share=share, roles=("network",)) for name, share in shares.items() if share > 0
        )
        self.networks = {"network": network}
        self.optimizers = {}
        self.counters = {"phase": 0, "placed": 0, "seen": 0, "passes": 0}
        size = units + 1 + network.output.out_features
        self.tensors = {
            "members": torch.zeros(units, dtype=torch.float64),
            "triangle": torch.zeros(size, size, dtype=torch.float64),
        }
        self._become(self.phases[-1])

    def begin(self, phase: Phase) -> None:
        self._become(phase)

    def _become(self, phase: Phase) -> None:
        self.counters["phase"] = self.phases.index(phase)
        self.counters |= {"seen": 0, "passes": 0}
        learning = self.network.output if phase.name == OUTPUT else self.network
        descends = phase.name == FINE_TUNING or (phase.name == OUTPUT and not self.least_squares)
        self.optimizers = {"network": self.descent.make_optimizer(learning)} if descends else {}

    def step(self, batch: Batch) -> dict[str, Tensor]:
        inputs = batch["inputs"].flatten(1)
        if self.counters["placed"] < len(self.network.centres):
            self._place(inputs)
        waits = self.counters["placed"] < len(self.network.centres)
        if waits or self.phases[self.counters["phase"]].name == PLACING:
            return self.move_centres(inputs)
        if self.optimizers:
            return descend(self.optimizers["network"], batch, self._objective, self.descent)
        return self.solve(batch)

    def judge(self, outputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """Return the loss and the measures of outputs that are already there, (batch, outputs)."""
        measured = {name: measure(outputs, targets) for name, measure in self.measures.items()}
        return {"loss": self.loss(outputs, targets), **measured}

    @torch.no_grad()
    def _place(self, inputs: Tensor) -> None:
        """Set centres that have no place yet on samples of a batch, far from each other where k-means shall begin."""
        placed = self.counters["placed"]
        count = min(len(self.network.centres) - placed, len(inputs))
        if self.placement == "k-means" and count < len(inputs):
            from sklearn.cluster import kmeans_plusplus  # a network is built without it

            seed = int(torch.randint(2**31 - 1, ()))
            chosen = torch.from_numpy(kmeans_plusplus(inputs.double().cpu().numpy(), count, random_state=seed)[1])
        else:
            chosen = torch.randperm(len(inputs))[:count]
        self.network.centres[placed : placed + count] = inputs[chosen.to(inputs.device)].to(self.network.centres)
        self.counters["placed"] = placed + count
        self._widen()

    def _widen(self) -> None:
        """Set the widths of the centres that have a place by their neighbours."""
        placed = self.counters["placed"]
        self.network.widths.data[:placed] = neighbour_widths(
            self.network.centres.data[:placed], self.neighbours, self.overlap
        )

    @torch.no_grad()
    def move_centres(self, inputs: Tensor) -> dict[str, Tensor]:
        """Move every centre to the mean of its samples, inputs (batch, d); return their mean squared distance."""
        centres = self.network.centres[: self.counters["placed"]]
        nearest = squared_distances(inputs, centres).min(1)
        if self.placement == "k-means":
            members = self.tensors["members"][: len(centres)].to(inputs.device)
            members *= max(0.0, 1 - len(inputs) / self.num_samples)  # what a whole pass later is forgotten
            found = torch.bincount(nearest.indices, minlength=len(centres))
            total = torch.zeros_like(centres).index_add_(0, nearest.indices, inputs.to(centres))
            share = found / (members + found).clamp_min(1e-30)
            step = share.unsqueeze(1) * (total / found.clamp_min(1).unsqueeze(1) - centres)
            centres += step.to(centres)
            self.tensors["members"][: len(centres)] = (members + found).to(self.tensors["members"])
            self._widen()
        return {"loss": nearest.values.mean()}

    @torch.no_grad()
    def solve(self, batch: Batch) -> dict[str, Tensor]:
        """Take a batch into the least squares, and set the output to their solution.

        R'R = sum over samples of [phi 1 t]'[phi 1 t] + ridge: its left part, against its right, has the solution of
        the samples. On a second pass the output stays until all samples were seen again.
        """
        if "targets" not in batch:
            raise DataError(
                "this system learns from labelled data",
                found="samples without targets",
                remedy="give targets, or choose a system that needs none",
            )
        answers = self.network.responses(batch["inputs"]).double()
        codes = self.codes(self.network.output(answers.to(self.network.output.weight)), batch["targets"]).double()
        units = answers.shape[1]
        rows = torch.cat([answers, answers.new_ones(len(answers), 1), codes.reshape(len(answers), -1)], dim=1)
        if self.counters["seen"] == 0:
            triangle = torch.zeros_like(self.tensors["triangle"])
            triangle[:units, :units].fill_diagonal_(self.ridge**0.5)
            self.tensors["triangle"] = triangle
        triangle = torch.linalg.qr(torch.cat([self.tensors["triangle"].to(rows), rows]), mode="r").R
        self.tensors["triangle"] = triangle
        self.counters["seen"] += len(rows)
        whole = self.counters["seen"] >= self.num_samples
        if whole or not self.counters["passes"]:
            left, right = triangle[:, : units + 1], triangle[:, units + 1 :]
            solution = torch.linalg.lstsq(left.cpu(), right.cpu(), driver="gelsd").solution.to(
                self.network.output.weight
            )
            self.network.output.weight.copy_(solution[:units].T)
            self.network.output.bias.copy_(solution[units])
        if whole:
            self.counters |= {"seen": 0, "passes": self.counters["passes"] + 1}
        return self.judge(self.network(batch["inputs"]), batch["targets"])

    def _objective(self, batch: Batch) -> dict[str, Tensor]:
        return self.judge(self.network(batch["inputs"]), batch["targets"])
