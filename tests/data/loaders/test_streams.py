"""Streams: each row reads on where it was, nothing is read twice in an epoch, and the place can be saved."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ganglion.data.loaders.streams import StreamLoader
from ganglion.errors import CheckpointError, DataError


@given(length=st.integers(2, 300), streams=st.integers(1, 8), window=st.integers(1, 20), epoch=st.integers(0, 3))
def test_rows_read_on_and_targets_are_one_step_later(length: int, streams: int, window: int, epoch: int) -> None:
    loader = StreamLoader(np.arange(length), streams, window, seed=0)
    loader.epoch = epoch
    batches = list(loader)
    assert len(batches) == loader.batches_per_epoch
    inputs = torch.cat([batch["inputs"] for batch in batches], dim=1)  # (streams, steps)
    targets = torch.cat([batch["targets"] for batch in batches], dim=1)
    assert torch.equal(targets, inputs + 1)
    assert (inputs.diff(dim=1) == 1).all()
    assert len(inputs.unique()) == inputs.numel()
    assert targets.max() < length
    missed = length - 1 - inputs.numel()
    assert 0 <= missed < len(inputs) + window
    assert [bool(batch["starts"].all()) for batch in batches] == [number == 0 for number in range(len(batches))]


def test_windows_end_elsewhere_in_another_epoch() -> None:
    loader = StreamLoader(np.arange(1000), streams=4, window=50, seed=0)
    begins = []
    for _ in range(4):
        begins.append(int(list(loader)[0]["inputs"][0, 0]))  # noqa: RUF015 -- the epoch must come to its end
    assert loader.epoch == 4
    assert len(set(begins)) > 1 and max(begins) < 50


def test_goes_on_from_a_saved_place() -> None:
    loader = StreamLoader(np.arange(500) % 7, streams=4, window=10, seed=3)
    whole = [batch["inputs"] for _ in range(3) for batch in loader]
    loader = StreamLoader(np.arange(500) % 7, streams=4, window=10, seed=3)
    taken = [batch["inputs"] for _, batch in zip(range(5), loader, strict=False)]
    state = loader.state_dict()
    again = StreamLoader(np.arange(500) % 7, streams=4, window=10, seed=3)
    again.load_state_dict(state)
    taken += [batch["inputs"] for _ in range(3) for batch in again]
    assert all(torch.equal(one, other) for one, other in zip(whole, taken, strict=True))


def test_refuses_the_place_in_another_text() -> None:
    state = StreamLoader(np.arange(500), streams=4, window=10, seed=0).state_dict()
    with pytest.raises(CheckpointError, match="window"):
        StreamLoader(np.arange(500), streams=4, window=12, seed=0).load_state_dict(state | {"size": 44})


def test_a_short_text_has_fewer_streams() -> None:
    loader = StreamLoader(np.arange(30), streams=64, window=10, seed=0)
    assert loader.batch_size == 2
    with pytest.raises(DataError, match="two tokens"):
        StreamLoader(np.arange(1), streams=1, window=10, seed=0)


def test_numbers_beyond_a_byte_survive() -> None:
    batch = next(iter(StreamLoader(np.arange(40_000, 41_000), streams=2, window=10, seed=0)))
    assert batch["inputs"].min() >= 40_000
