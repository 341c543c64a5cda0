"""Replay of frames: each is kept once, as bytes, and stacks of them are put together when they are drawn."""

from functools import partial
from typing import Any, final

import numpy as np
import torch
from torch import Generator, Tensor

from ganglion.core import Batch, Segment
from ganglion.data.environments.memory import ReplayMemory

SEGMENT_BYTES = 8 << 20
"""About how large a segment of a checkpoint is."""


@final
class FrameMemory(ReplayMemory):
    """The latest transitions of environments that step together, each frame of them stored once.

    An observation is its environment's latest `stack` frames, (stack * channels, height, width); the first frame of an
    episode stands for those before it. Row t * environments + i, modulo the capacity, holds what environment i did at
    step t and the newest frame that it had seen. The observation of that row is that frame and those of the rows before
    it, the next observation that of the row after it.

    So of a full memory the latest step and the oldest `stack` steps are no transitions: the former is the next
    observation of the step before, and of the latter frames are gone. The last frame of an episode that was cut off is
    in no row, and is kept apart; that of one that terminated is never looked at.

    Rows never change once the next ones are written. So checkpoints hold them in segments, which are written once.

    Args:
        capacity: frames, a multiple of the environments.
        environments: how many step together.
        stack: frames in an observation.
    """

    def __init__(self, capacity: int, environments: int, stack: int) -> None:
        super().__init__(capacity)
        self.stride, self.stack = environments, stack
        self.total = 0
        """Transitions added so far."""
        self.ages = torch.zeros(environments, dtype=torch.uint8)
        """Frames before the newest one that are of the running episodes, at most `stack` - 1."""
        self.last_frames: dict[int, Tensor] = {}
        """Of episodes that were cut off, by the number of their last transition."""
        self._segments: dict[int, Segment] = {}
        """Those that are complete, by their number."""

    @property
    def drawable(self) -> int:
        return min(self.total, self.capacity - self.stack * self.stride)

    def fallen_out(self) -> np.ndarray:
        oldest = self.total - self.drawable
        return np.arange(max(0, oldest - self.stride), oldest) % self.capacity

    def add(self, transitions: Batch) -> np.ndarray:
        """Store a transition of each environment, (environments,) and return the rows."""
        newest, following = (self._newest(transitions[name]) for name in ("observations", "next_observations"))
        ended, terminated = transitions["ended"], transitions["terminated"]
        rows = super().add(
            {
                "frames": newest,
                "ages": self.ages,
                **{name: transitions[name] for name in ("actions", "rewards", "terminated", "ended")},
            }
        )
        # In sight at once; if the episode goes on, the next call writes the same frame again.
        self.storage["frames"][self._after(rows)] = following
        for number in (ended & ~terminated).nonzero().flatten().tolist():
            self.last_frames[self.total + number] = following[number].clone()
        self.ages = torch.where(ended, 0, (self.ages + 1).clamp_max(self.stack - 1)).to(torch.uint8)
        self.total += self.stride
        self._forget(self.total - self.capacity)
        return rows

    def _newest(self, observations: Tensor) -> Tensor:
        """Return the newest frame, (environments, channels, height, width), of each observation."""
        return observations.unflatten(1, (self.stack, -1))[:, -1]

    def _after(self, rows: np.ndarray) -> np.ndarray:
        return (rows + self.stride) % self.capacity

    def _forget(self, before: int) -> None:
        """Let go of what belongs to transitions before that of this number."""
        while self.last_frames and (first := next(iter(self.last_frames))) < before:
            del self.last_frames[first]
        while self._segments and ((first := next(iter(self._segments))) + 1) * self._per_segment <= before:
            del self._segments[first]

    def draw(self, count: int, generator: Generator) -> Tensor:
        back = torch.randint(self.drawable, (count,), generator=generator)
        return (self.position - 1 - back) % self.capacity

    def take(self, rows: Tensor, *names: str) -> Batch:
        made = {"observations": self._observed, "next_observations": self._following}
        return {name: made[name](rows) if name in made else self.storage[name][rows] for name in names}

    def _observed(self, rows: Tensor) -> Tensor:
        """Return the observations (batch, stack * channels, height, width) of rows (batch,)."""
        return self._stacked(rows, self.storage["ages"][rows].long())

    def _following(self, rows: Tensor) -> Tensor:
        """Return the observations after the transitions of rows (batch,)."""
        ended = self.storage["ended"][rows]
        after = (rows + self.stride) % self.capacity
        found = self._stacked(after, self.storage["ages"][rows].long() + 1, torch.where(ended, rows, after))
        if self.last_frames:
            numbers = self.total - 1 - (self.position - 1 - rows) % self.capacity
            for place in ended.nonzero().flatten().tolist():
                frame = self.last_frames.get(int(numbers[place]))
                if frame is not None:
                    found[place, -frame.shape[0] :] = frame
        return found

    def _stacked(self, rows: Tensor, ages: Tensor, newest: Tensor | None = None) -> Tensor:
        """Return the frames that end at rows (batch,), of which `ages` (batch,) before are of the same episode."""
        back = torch.arange(self.stack - 1, -1, -1).minimum(ages.unsqueeze(1))  # (batch, stack)
        places = (rows.unsqueeze(1) - self.stride * back) % self.capacity
        if newest is not None:
            places[:, -1] = newest
        frames = self.storage["frames"]
        return frames.index_select(0, places.flatten()).view(len(rows), -1, *frames.shape[2:])

    @property
    def _per_segment(self) -> int:
        """Rows of a segment."""
        return max(1, SEGMENT_BYTES // (self.storage["frames"][0].nbytes or 1))

    def state_dict(self) -> dict[str, Any]:
        """Return all rows in segments, and what there is beside them."""
        state: dict[str, Any] = {"total": self.total, "ages": self.ages, "segments": [], "last_frames": {}}
        if not self.total:
            return state
        length, last = self._per_segment, self.total - 1
        for number in range(max(0, self.total - self.capacity) // length, last // length + 1):
            stop = min((number + 1) * length, self.total)
            kept = self._segments.get(number) or Segment(partial(self._rows, number * length, stop))
            if stop == (number + 1) * length:
                self._segments[number] = kept
            state["segments"].append({"stop": stop, "rows": kept})
        state["following"] = self.storage["frames"][(self.total + np.arange(self.stride)) % self.capacity]
        numbers = sorted(self.last_frames)
        if numbers:
            frames = torch.stack([self.last_frames[number] for number in numbers])
            state["last_frames"] = {"numbers": torch.tensor(numbers), "frames": frames}
        return state

    def _rows(self, start: int, stop: int) -> Batch:
        """Return what is left of the transitions of these numbers."""
        places = np.arange(max(start, self.total - self.capacity), stop) % self.capacity
        return {name: values[places] for name, values in self.storage.items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.total, self.ages = state["total"], state["ages"]
        self.position, self.size = self.total % self.capacity, min(self.total, self.capacity)
        self._segments = {}
        for each in state["segments"]:
            self._load(each["stop"], each["rows"])
        if self.total:
            self.storage["frames"][(self.total + np.arange(self.stride)) % self.capacity] = state["following"]
        kept = state["last_frames"]
        self.last_frames = dict(zip(kept["numbers"].tolist(), kept["frames"], strict=True)) if kept else {}

    def _load(self, stop: int, segment: Segment) -> None:
        rows = segment.read()
        self._allocate(rows)
        length, start = self._per_segment, stop - len(rows["frames"])
        first = max(start, self.total - self.capacity)  # a segment may be older than what is left of it
        places = np.arange(first, stop) % self.capacity
        for name, values in rows.items():
            self.storage[name][places] = values[first - start :]
        if stop % length == 0:
            number = stop // length - 1
            self._segments[number] = Segment(partial(self._rows, number * length, stop), segment.digest)
