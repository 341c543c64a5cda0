"""Sequences of different lengths in one batch: their ends, their reversal, and the packed form of torch."""

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence


def padding(lengths: Tensor, steps: int) -> Tensor:
    """Return which steps lie past the end of their sequence, (time, batch).

    >>> padding(torch.tensor([1, 3]), 3).int().tolist()
    [[0, 0], [1, 0], [1, 0]]
    """
    return torch.arange(steps, device=lengths.device)[:, None] >= lengths


def cleared(sequences: Tensor, past_end: Tensor | None) -> Tensor:
    """Return sequences (time, batch, ...) with zeros past their ends, through which no gradient flows.

    Both may have the batch first as well.
    """
    if past_end is None:
        return sequences
    return sequences.masked_fill(past_end.view(*past_end.shape, *[1] * (sequences.dim() - 2)), 0)


def reversed_in_time(sequences: Tensor, lengths: Tensor | None) -> Tensor:
    """Return sequences (time, batch, ...) read from their last step to their first; what lies past the end stays.

    >>> reversed_in_time(torch.tensor([[1, 4], [2, 5], [0, 6]]), torch.tensor([2, 3])).tolist()
    [[2, 6], [1, 5], [0, 4]]
    """
    if lengths is None:
        return sequences.flip(0)
    steps, batch = sequences.shape[:2]
    time = torch.arange(steps, device=sequences.device)[:, None]
    source = torch.where(padding(lengths, steps), time, lengths - 1 - time)  # (time, batch)
    rows = source * batch + torch.arange(batch, device=sequences.device)
    return sequences.flatten(0, 1).index_select(0, rows.flatten()).unflatten(0, (steps, batch))


def unpacked(sequences: PackedSequence) -> tuple[Tensor, Tensor]:
    """Return packed sequences as (time, batch, ...) in the order of the batch, and their lengths."""
    padded, lengths = pad_packed_sequence(sequences)
    return padded, lengths.to(padded.device)


def packed_like(padded: Tensor, lengths: Tensor, like: PackedSequence) -> PackedSequence:
    """Pack (time, batch, ...) in exactly the order of another packed sequence of the same lengths."""
    if like.sorted_indices is not None:
        padded, lengths = padded.index_select(1, like.sorted_indices), lengths[like.sorted_indices]
    data = pack_padded_sequence(padded, lengths.cpu()).data
    return PackedSequence(data, like.batch_sizes, like.sorted_indices, like.unsorted_indices)
