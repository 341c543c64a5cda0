"""What the gates of recurrent layers do while a text or a series is read."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from ganglion import figures
from ganglion.errors import UsageError
from ganglion.inspect.through_time import recorded, recurrent_cells
from ganglion.inspect.untouched import untouched
from ganglion.tables import Table, Tabled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHUT, OPEN = 0.1, 0.9
"""A gate below the one lets next to nothing pass, above the other nearly all."""


@dataclass(frozen=True)
class Activity:
    """One gate, candidate or state of one layer: values (steps, units) between the ends of its range."""

    layer: str
    name: str
    values: np.ndarray

    @property
    def is_gate(self) -> bool:
        return self.name.endswith("gate")

    @property
    def shut(self) -> float:
        """Share of steps and units at which the gate lets next to nothing pass."""
        return float((self.values < SHUT).mean())

    @property
    def open(self) -> float:
        """Share of steps and units at which the gate lets nearly all pass."""
        return float((self.values > OPEN).mean())


@dataclass(frozen=True)
class Gates(Tabled):
    """The gates and states of all layers over one sample."""

    activities: tuple[Activity, ...]
    labels: tuple[str, ...] = ()
    """What was read at each step: characters, words or numbers."""

    @property
    def figures(self) -> "dict[str, Figure]":
        """Draw a figure for each layer: a panel for each gate and state, units by row, steps by column."""
        layers = dict.fromkeys(activity.layer for activity in self.activities)
        return {
            layer: figures.gates(
                {one.name: one.values.T for one in self.activities if one.layer == layer}, self.labels, title=layer
            )
            for layer in layers
        }

    def to_dict(self) -> dict[str, Any]:
        """Return the means over units of every step, as JSON values."""
        rows = [
            {"layer": one.layer, "name": one.name, "mean": one.values.mean(axis=1).tolist()}
            | ({"shut": one.shut, "open": one.open} if one.is_gate else {})
            for one in self.activities
        ]
        return {"labels": list(self.labels), "activities": rows}

    def tables(self) -> tuple[Table, ...]:
        rows = [
            (
                one.layer,
                one.name,
                f"{one.values.mean():.3f}",
                f"{one.values.min():.3f}",
                f"{one.values.max():.3f}",
                *((f"{one.shut:.0%}", f"{one.open:.0%}") if one.is_gate else ("", "")),
            )
            for one in self.activities
        ]
        header = ("layer", "part", "mean", "least", "most", f"below {SHUT:g}", f"above {OPEN:g}")
        return (Table(header, rows, title="Gates and states over one sample", words=("layer", "part")),)


def gates(network: nn.Module, inputs: Tensor, labels: Sequence[str] = ()) -> Gates:
    """Read one sample and record every gate, candidate and state of every recurrent layer, in evaluation mode.

    Args:
        network: a network with recurrent layers of `ganglion.nn`; those without gates show their states only.
        inputs: what the network takes; of a batch the first sample is shown.
        labels: what is read at each step, for the axis of the pictures.

    Raises `UsageError` if the network has no recurrent layer, or one whose states are maps.

    >>> from ganglion.nn.recurrent import LSTM
    >>> found = gates(LSTM(1, 4), torch.zeros(1, 6, 1))
    >>> [(activity.name, activity.values.shape) for activity in found.activities][:2]
    [('input gate', (6, 4)), ('forget gate', (6, 4))]
    """
    with untouched(network, evaluating=True) as call, torch.no_grad(), recorded(network) as records:
        call(inputs)
        activities = []
        for name, cell in recurrent_cells(network).items():
            parts = [cell.activities(*step) for step in records[name].steps]
            for part in parts[0] if parts else ():
                values = torch.stack([found[part][0] for found in parts])
                if values.dim() != 2:
                    raise UsageError(f"the layer {name} keeps maps, not units", where=type(network).__name__)
                activities.append(Activity(name, part, values.cpu().float().numpy()))
    return Gates(tuple(activities), tuple(labels))
