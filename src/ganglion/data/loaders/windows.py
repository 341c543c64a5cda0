"""Windows of long series, gathered when they are put into a batch: a column of a loader that copies nothing before."""

from dataclasses import dataclass, replace
from typing import final

import torch
from torch import Tensor


@final
@dataclass(frozen=True)
class Windows:
    """Stretches of one length out of rows `(rows, columns)`, of which some columns are hidden from a step on.

    >>> windows = Windows(torch.arange(6.0).reshape(6, 1), torch.tensor([0, 3]), length=3)
    >>> windows.index_select(0, torch.tensor([1])).ravel().tolist()
    [3.0, 4.0, 5.0]
    """

    values: Tensor
    """All rows `(rows, columns)`."""
    starts: Tensor
    """First row of each window `(windows,)` int64."""
    length: int
    """Rows of a window."""
    hidden_columns: int = 0
    """Columns, the first ones, that are 0 from the step `hidden_from` on: what is not known by then."""
    hidden_from: int = 0

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def device(self) -> torch.device:
        return self.values.device

    @property
    def nbytes(self) -> int:
        return self.values.nbytes + self.starts.nbytes

    def to(self, device: torch.device) -> "Windows":
        return replace(self, values=self.values.to(device), starts=self.starts.to(device))

    def index_select(self, axis: int, places: Tensor) -> Tensor:
        """Return the windows at some places `(batch, length, columns)`; the only axis is 0, as for a tensor."""
        steps = torch.arange(self.length, device=self.values.device)
        batch = self.values[self.starts[places][:, None] + steps]
        if self.hidden_columns:
            batch[:, self.hidden_from :, : self.hidden_columns] = 0
        return batch

    def __getitem__(self, places: Tensor | int) -> Tensor:
        """Return the window at one place `(length, columns)`, or those at some `(batch, length, columns)`."""
        if isinstance(places, int):
            return self.index_select(0, torch.tensor([places]))[0]
        return self.index_select(0, places)
