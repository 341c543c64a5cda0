"""A memory that keeps each frame once draws what one that keeps whole observations draws."""

from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from torch import Generator

from ganglion.data.environments import frame_memory
from ganglion.data.environments.frame_memory import FrameMemory
from ganglion.data.environments.frames import StandardFrames
from ganglion.data.environments.memory import ReplayMemory, multi_step
from ganglion.data.environments.priorities import Priorities
from ganglion.data.environments.replay import ReplayLoader
from ganglion.data.environments.vector import Environments
from ganglion.errors import ConfigurationError
from ganglion.training import checkpoint
from ganglion.training.checkpoint import digest
from tests.games import Script

STACK, SIZE = 4, 36


class Noise(Script):
    """Pictures of noise, so that each is another, in episodes of lengths of chance."""

    def __init__(self, truncates: bool) -> None:
        super().__init__(shape=(36, 36), truncates=truncates)

    def _show(self) -> np.ndarray:
        return self.np_random.integers(0, 256, (36, 36), dtype=np.uint8)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[np.ndarray, dict]:
        shown = super().reset(seed=seed)
        self.end = int(self.np_random.integers(2, 30))
        self.lives = {0: 3, self.end // 2: 2}
        return shown


def noise(truncates: bool = False) -> Callable[[], gymnasium.Env]:
    return lambda: StandardFrames(Noise(truncates), no_ops=0, skip=1, size=SIZE, stack=STACK)


def filled(count: int, steps: int, capacity: int, truncates: bool) -> tuple[FrameMemory, ReplayMemory]:
    """Return both memories after the same steps."""
    environments = Environments(noise(truncates), count, seed=0, life_is_end=True)
    frames, whole = FrameMemory(capacity, count, STACK), ReplayMemory(capacity)
    for _ in range(steps):
        transitions = environments.step(torch.zeros(count, dtype=torch.int64))
        assert (frames.add(transitions) == whole.add(transitions)).all()
    return frames, whole


def same(frames: dict, whole: dict) -> None:
    """Compare two batches; what comes after an end is nothing that anything is learnt from."""
    going = ~whole["terminated"]
    for name in whole:
        rows = going if name == "next_observations" else slice(None)
        torch.testing.assert_close(frames[name][rows], whole[name][rows], rtol=0, atol=0)


@pytest.mark.parametrize("truncates", [False, True])
@pytest.mark.parametrize(("count", "steps"), [(1, 20), (1, 63), (3, 21), (3, 100), (3, 333)])
def test_every_transition_that_can_be_drawn_is_that_of_a_memory_of_whole_observations(
    count: int, steps: int, truncates: bool
) -> None:
    frames, whole = filled(count, steps, 60, truncates)
    back = np.arange(frames.drawable)
    rows = torch.from_numpy((frames.position - 1 - back) % 60)
    names = ("observations", "actions", "rewards", "next_observations", "terminated")
    same(frames.take(rows, *names), whole.take(rows, *names))
    for ahead in (2, 3, 5):
        same(multi_step(frames, rows, ahead, count, 0.9), multi_step(whole, rows, ahead, count, 0.9))
    assert frames.drawable == min(steps * count, 60 - STACK * count)


def test_all_that_can_be_drawn_is_drawn_alike_and_nothing_else() -> None:
    frames, _ = filled(3, 100, 60, False)
    drawn = frames.draw(20_000, Generator().manual_seed(0))
    counts = torch.bincount(drawn, minlength=60)
    there = (counts > 0).nonzero().flatten()
    assert len(there) == frames.drawable == 48
    assert counts[there].min() > 320 and counts[there].max() < 520  # 417 are expected, 20 their deviation


def test_each_frame_is_kept_once_so_that_a_million_fit_into_eight_gigabytes() -> None:
    frames, whole = filled(1, 200, 100, True)
    assert frames.storage["frames"].nbytes * 2 * STACK == sum(
        whole.storage[name].nbytes for name in ("observations", "next_observations")
    )
    row = sum(values[0].nbytes for values in frames.storage.values()) - SIZE**2 + 84**2
    assert 1_000_000 * row < 8e9


def test_priorities_never_draw_what_has_fallen_out() -> None:
    environments = Environments(noise(), 3, seed=0)
    loader = ReplayLoader(
        environments,
        lambda shown: torch.zeros(len(shown), dtype=torch.int64),
        capacity=60,
        batch_size=64,
        seed=0,
        epsilon=lambda _: 1.0,
        discount=0.9,
        stack=STACK,
        prioritise=lambda capacity: Priorities(capacity, 0.6, lambda _: 0.5, lambda: torch.rand(64)),
    )
    for _, batch in zip(range(200), loader, strict=False):
        age = (loader.memory.position - 1 - batch["index"]) % 60
        assert age.max() < loader.memory.drawable


@pytest.fixture
def short_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frame_memory, "SEGMENT_BYTES", 16 * SIZE**2)  # 16 frames


@pytest.mark.usefixtures("short_segments")
@pytest.mark.parametrize("steps", [5, 20, 37, 100, 111])
def test_a_memory_comes_back_from_a_checkpoint_to_the_same_bits(tmp_path, steps: int) -> None:  # type: ignore[no-untyped-def]
    frames, _ = filled(2, steps, 60, True)
    path = checkpoint.save(tmp_path, 1, {"loader": frames.state_dict()})
    state = checkpoint.load(path)["loader"]
    back = FrameMemory(60, 2, STACK)
    back.load_state_dict(state)
    assert digest(back.state_dict()) == digest(frames.state_dict()) == digest(state)
    environments = Environments(noise(True), 2, seed=5)
    for _ in range(70):  # and both go on alike, past what was loaded
        transitions = environments.step(torch.zeros(2, dtype=torch.int64))
        frames.add(transitions), back.add(transitions)
        drawn = [memory.draw(16, Generator().manual_seed(1)) for memory in (frames, back)]
        batches = [multi_step(memory, drawn[0], 3, 2, 0.9) for memory in (frames, back)]
        assert digest(batches[0]) == digest(batches[1]) and torch.equal(*drawn)


@pytest.mark.usefixtures("short_segments")
def test_a_save_writes_what_is_new_and_removes_what_no_checkpoint_names(tmp_path) -> None:  # type: ignore[no-untyped-def]
    environments, memory = Environments(noise(True), 2, seed=0), FrameMemory(60, 2, STACK)
    written: list[set[str]] = []
    for step in range(1, 30):
        for _ in range(4):  # 8 frames, half a segment
            memory.add(environments.step(torch.zeros(2, dtype=torch.int64)))
        before = set(written[-1]) if written else set()
        checkpoint.save(tmp_path, step, {"loader": memory.state_dict()})
        checkpoint.prune(tmp_path, 1, set())
        written.append({file.name for file in (tmp_path / "segments").iterdir()})
        assert len(written[-1] - before) <= 1, "only the newest segment is written"
        assert len(written[-1]) <= 60 // 16 + 2, "old ones are removed"
        loaded = checkpoint.load(tmp_path / f"step-{step:06d}")["loader"]
        assert digest(loaded["following"]) == digest(memory.state_dict()["following"])
    back = FrameMemory(60, 2, STACK)
    back.load_state_dict(loaded)
    assert digest(back.state_dict()) == digest(memory.state_dict())


def test_an_impossible_capacity_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="cannot hold one step"):
        ReplayLoader(
            Environments(noise(), 2, seed=0),
            lambda shown: torch.zeros(len(shown), dtype=torch.int64),
            capacity=11,
            batch_size=4,
            seed=0,
            epsilon=lambda _: 1.0,
            discount=0.9,
            stack=STACK,
        )
