"""How probable each unit of a sample is, given all its others: what stands for a likelihood that nobody can compute."""

import torch
from torch import Tensor

from ganglion.core import DensityModel

JUDGED = 100_000_000
"""Units of the hidden layer looked at to judge one part; fewer pixels of each sample are asked for above that."""
PLACES = 40
"""How many times more that takes of units that are numbers, whose densities are summed up."""


def pseudo_log_likelihood(machine: DensityModel, visible: Tensor, judged: int = JUDGED) -> float:
    """Return the mean over samples of sum_i log p(v_i | all other units), in nats; higher is better.

    Where asking for all units would take long, every sample is asked about a few that are drawn once for all, and the
    sum is scaled up.

    Args:
        judged: units of the hidden layer that are looked at, at most.

    >>> from ganglion.nn.energy.restricted import BernoulliRBM
    >>> machine = BernoulliRBM(10, 3, deviation=0.0)
    >>> round(pseudo_log_likelihood(machine, torch.zeros(4, 10)), 4)  # ten coins
    -6.9315
    """
    samples, units = visible.shape
    asked = max(1, min(units, judged // (samples * len(machine.weight))))
    if asked == units:
        chosen = torch.arange(units, device=visible.device).expand(samples, -1)
    else:
        chosen = torch.randint(units, (samples, asked), generator=torch.Generator().manual_seed(0)).to(visible.device)
    rows = max(1, (1 << 21) // (asked * len(machine.weight)))  # as many at a time as stay in the processor's cache
    pairs = zip(visible.split(rows), chosen.split(rows), strict=True)
    total = sum(machine.conditional_log_likelihood(part, of).double().sum() for part, of in pairs)
    return float(total) * units / asked / samples
