"""Pooling of regions: any box of a map as a grid of fixed size, by the largest value in each of its parts."""

import torch
from torch import Tensor, nn


class RegionPooling(nn.Module):
    """The largest value in each of `side` x `side` parts of every box of a map.

    A box is scaled to the map and widened to whole places, at least one. Part i of a length h begins at
    floor(i h / side) and ends at ceil((i + 1) h / side), so parts may share a place and none is empty.

    Maxima are looked up, not searched: tables of where the maxima over windows of 1, 2, 4, ... places lie are made
    once for the whole map, and those of four windows cover any part. Gradients reach the place of the maximum, of
    several equal ones one.

    Args:
        side: parts in each direction.
        scale: places of the map for each pixel of the image that boxes are measured in.

    Source: Girshick, Fast R-CNN (2015), section 2.1.

    >>> pooling = RegionPooling(side=2, scale=0.5)
    >>> maps = torch.arange(16.0).reshape(1, 1, 4, 4)
    >>> pooling(maps, torch.tensor([[[0.0, 0, 8, 4], [2.0, 2, 4, 4]]]))[0, :, 0].tolist()
    [[[1.0, 3.0], [5.0, 7.0]], [[5.0, 5.0], [5.0, 5.0]]]
    """

    def __init__(self, side: int, scale: float) -> None:
        super().__init__()
        self.side, self.scale = side, scale

    def forward(self, maps: Tensor, boxes: Tensor) -> Tensor:
        """Return (images, boxes, channels, side, side) of maps (images, channels, height, width).

        Args:
            boxes: left, top, right, bottom in pixels of the image `(images, boxes, 4)`.
        """
        images, channels, height, width = maps.shape
        left, top, right, bottom = (boxes * self.scale).unbind(2)
        first_row, rows, row_level = self._parts(top, bottom, height)
        first_column, columns, column_level = self._parts(left, right, width)
        with torch.no_grad():
            values, places = (table.flatten(2) for table in _maxima(maps))  # over levels of rows and columns, and map
            level = row_level.unsqueeze(3) * width.bit_length() + column_level.unsqueeze(2)  # (images, boxes, s, s)
            best: Tensor | None = None
            chosen: Tensor | None = None
            for row in (first_row, first_row + rows - (1 << row_level)):
                for column in (first_column, first_column + columns - (1 << column_level)):
                    entry = (level * height + row.unsqueeze(3)) * width + column.unsqueeze(2)
                    entry = entry.flatten(1).unsqueeze(1).expand(-1, channels, -1)
                    value, place = values.gather(2, entry), places.gather(2, entry)
                    if best is not None and chosen is not None:
                        place = torch.where(value > best, place, chosen)
                        value = torch.maximum(value, best)
                    best, chosen = value, place
        assert chosen is not None
        pooled = maps.flatten(2).gather(2, chosen)  # (images, channels, boxes * side * side)
        return pooled.view(images, channels, boxes.shape[1], self.side, self.side).transpose(1, 2)

    def _parts(self, start: Tensor, end: Tensor, size: int) -> tuple[Tensor, Tensor, Tensor]:
        """Return first place, length and level of each part of sides from start to end `(images, boxes)`.

        Each is (images, boxes, side); the level is the logarithm of the widest window that fits into the part.
        """
        first = start.floor().long().clamp(0, size - 1)
        length = (end.ceil().long().clamp(1, size) - first).clamp(min=1)
        number = torch.arange(self.side, device=start.device)
        begin = number * length.unsqueeze(2) // self.side
        finish = ((number + 1) * length.unsqueeze(2) + self.side - 1) // self.side
        lengths = finish - begin
        level = sum((lengths >= (1 << power)).long() for power in range(1, size.bit_length()))
        return first.unsqueeze(2) + begin, lengths, level + torch.zeros_like(lengths)


def _maxima(maps: Tensor) -> tuple[Tensor, Tensor]:
    """Return the maxima of maps (..., height, width) over windows, and their places: (..., i, j, height, width) both.

    Windows begin at each place, are 2^i places high and 2^j wide, and end with the map at the latest.
    """
    height, width = maps.shape[-2:]
    places = torch.arange(height * width, device=maps.device).view(height, width).expand_as(maps)
    rows = [(maps, places)]
    for power in range(height.bit_length() - 1):
        rows.append(_with_later(*rows[-1], 1 << power, -2))
    by_row = [torch.stack(part, dim=-3) for part in zip(*rows, strict=True)]
    columns = [(by_row[0], by_row[1])]
    for power in range(width.bit_length() - 1):
        columns.append(_with_later(*columns[-1], 1 << power, -1))
    values, found = (torch.stack(part, dim=-3) for part in zip(*columns, strict=True))
    return values, found


def _with_later(values: Tensor, places: Tensor, step: int, axis: int) -> tuple[Tensor, Tensor]:
    """Return the larger of each value and the one `step` further along an axis, and its place: (..., height, width)."""
    size = values.shape[axis]
    earlier, later = values.narrow(axis, 0, size - step), values.narrow(axis, step, size - step)
    is_later = later > earlier
    here = torch.where(is_later, places.narrow(axis, step, size - step), places.narrow(axis, 0, size - step))
    ends = [part.narrow(axis, size - step, step) for part in (values, places)]
    return (
        torch.cat([torch.maximum(earlier, later), ends[0]], dim=axis),
        torch.cat([here, ends[1]], dim=axis),
    )
