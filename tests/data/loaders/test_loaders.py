"""Order, place and noise of batches: functions of seed, epoch and sample alone."""

import os
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from ganglion.core import Loader
from ganglion.data.formats.images.folders import ImageFiles
from ganglion.data.loaders.augment import Augment
from ganglion.data.loaders.in_memory import InMemoryLoader
from ganglion.data.loaders.noise import mixed_seed, uniforms
from ganglion.data.loaders.streaming import StreamingLoader
from ganglion.data.preprocessing import ImagePreprocessing
from ganglion.errors import CheckpointError, DataError

pytestmark = pytest.mark.filterwarnings("ignore:This process.*fork:DeprecationWarning")  # From Python 3.12 on.


def memory_loader(size: int = 10, batch_size: int | str = 3, seed: int = 0, **options: object) -> InMemoryLoader:
    return InMemoryLoader({"inputs": torch.arange(float(size))}, batch_size, seed, **options)  # type: ignore[arg-type]


@pytest.fixture
def files(tmp_path: Path) -> ImageFiles:
    random = np.random.default_rng(0)
    paths = []
    for number in range(10):
        paths.append(tmp_path / f"{number}.png")
        Image.fromarray(random.integers(0, 256, (6, 5, 3), dtype=np.uint8)).save(paths[-1])
    return ImageFiles(tuple(paths), (6, 5), 3)


def stream(files: ImageFiles, workers: int = 0, seed: int = 0, batch_size: int = 3) -> StreamingLoader:
    transform = ImagePreprocessing(image_size=8, channels=1)
    targets = {"targets": torch.arange(len(files))}
    return StreamingLoader(files, transform, targets, batch_size, seed, Augment("shift-flip"), workers)


def test_every_sample_comes_once_an_epoch_in_a_new_order() -> None:
    loader: Loader = memory_loader()
    epochs = [torch.cat([batch["index"] for batch in loader]).tolist() for _ in range(2)]
    assert sorted(epochs[0]) == sorted(epochs[1]) == list(range(10))
    assert epochs[0] != epochs[1] != list(range(10))
    assert loader.epoch == 2
    assert loader.batches_per_epoch == 4


def test_batches_hold_what_their_index_says() -> None:
    for batch in memory_loader():
        assert torch.equal(batch["inputs"], batch["index"].float())


def test_given_index_is_kept() -> None:
    loader = InMemoryLoader({"inputs": torch.zeros(4), "index": torch.tensor([7, 8, 9, 10])}, 2, 0)
    assert sorted(torch.cat([batch["index"] for batch in loader]).tolist()) == [7, 8, 9, 10]


def test_order_depends_on_the_seed_and_not_on_the_batch_size() -> None:
    orders = [
        torch.cat([batch["index"] for batch in memory_loader(50, size, seed)]).tolist()
        for size, seed in ((3, 0), (7, 0), (3, 1))
    ]
    assert orders[0] == orders[1]
    assert orders[0] != orders[2]


def test_without_shuffling_the_order_is_the_sets() -> None:
    assert torch.cat([batch["index"] for batch in memory_loader(shuffle=False)]).tolist() == list(range(10))


def test_all_is_one_batch_of_the_same_memory() -> None:
    loader = memory_loader(batch_size="all")
    (batch,) = list(loader)
    assert batch["inputs"].data_ptr() == loader.tensors["inputs"].data_ptr()


def test_the_global_random_state_is_left_alone(files: ImageFiles) -> None:
    state = torch.get_rng_state()
    list(memory_loader())
    list(stream(files))
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("stop", [1, 2, 4, 5, 9])
def test_a_saved_place_continues_exactly(stop: int) -> None:
    def batches(loader: InMemoryLoader, count: int) -> list[list[int]]:
        seen: list[list[int]] = []
        while len(seen) < count:
            for batch in loader:
                seen.append(batch["index"].tolist())
                if len(seen) == count:
                    break
        return seen

    whole, first, second = memory_loader(), memory_loader(), memory_loader()
    expected = batches(whole, 12)
    assert batches(first, stop) == expected[:stop]
    second.load_state_dict(first.state_dict())
    assert batches(second, 12 - stop) == expected[stop:]


def test_a_place_in_other_data_is_refused() -> None:
    state = memory_loader().state_dict()
    for other in (memory_loader(size=11), memory_loader(batch_size=4), memory_loader(seed=1)):
        with pytest.raises(CheckpointError, match="saved with another"):
            other.load_state_dict(state)


def test_tensors_of_different_length_and_empty_ones_are_refused() -> None:
    with pytest.raises(DataError, match="number of samples"):
        InMemoryLoader({"inputs": torch.zeros(3), "targets": torch.zeros(4)}, 2, 0)
    with pytest.raises(DataError, match="no samples"):
        InMemoryLoader({"inputs": torch.zeros(0)}, 2, 0)


def test_noise_is_uniform_and_uncorrelated() -> None:
    noise = uniforms(3, 1, torch.arange(20_000), 4).double()
    assert (noise >= 0).all()
    assert (noise < 1).all()
    # Tolerances are five standard errors of 20,000 draws.
    assert torch.allclose(noise.mean(0), torch.full((4,), 0.5).double(), atol=5 * (1 / 12 / 20_000) ** 0.5)
    others = [uniforms(3, 2, torch.arange(20_000), 4), uniforms(4, 1, torch.arange(20_000), 4)]
    columns = torch.cat([noise, *[other.double() for other in others]], dim=1)
    correlations = torch.corrcoef(columns.T) - torch.eye(12)
    assert correlations.abs().max() < 5 / 20_000**0.5


def test_noise_follows_the_published_generator() -> None:
    # First outputs of SplitMix64 from state 0, as published with the algorithm.
    assert mixed_seed(0) == 0xE220A8397B1DCDAF


def test_noise_equals_the_generator_in_unbounded_integers() -> None:
    def splitmix(state: int) -> int:
        state = (state ^ (state >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
        state = (state ^ (state >> 27)) * 0x94D049BB133111EB % 2**64
        return state ^ (state >> 31)

    key = mixed_seed(5, 2)
    counters = [index * 3 + number for index in (0, 1, 123_456_789) for number in (1, 2, 3)]
    expected = [(splitmix((key + counter * 0x9E3779B97F4A7C15) % 2**64) >> 40) / 2**24 for counter in counters]
    assert uniforms(5, 2, torch.tensor([0, 1, 123_456_789]), 3).flatten().tolist() == expected


def test_augmentation_only_moves_and_mirrors() -> None:
    images = torch.arange(64.0).reshape(1, 1, 8, 8).expand(200, 1, 8, 8)
    changed = Augment("shift-flip")({"inputs": images, "index": torch.arange(200)}, seed=0, epoch=0)["inputs"]
    padded = torch.nn.functional.pad(images[:1], (1, 1, 1, 1), mode="replicate")
    possible = {
        tuple(view[..., y : y + 8, x : x + 8].flatten().tolist())
        for view in (padded, padded.flip(3))
        for y in range(3)
        for x in range(3)
    }
    seen = {tuple(image.flatten().tolist()) for image in changed}
    assert seen == possible
    assert len(possible) == 18


def test_augmentation_changes_with_the_epoch_and_not_with_the_batch() -> None:
    images = {"inputs": torch.rand(12, 1, 16, 16)}
    small, large = (InMemoryLoader(images, size, 0, Augment("shift-flip")) for size in (5, 12))
    for same_epoch in range(2):
        by_index = [
            dict(
                zip(
                    torch.cat([b["index"] for b in batches]).tolist(),
                    torch.cat([b["inputs"] for b in batches]),
                    strict=True,
                )
            )
            for batches in (list(small), list(large))
        ]
        assert all(torch.equal(by_index[0][place], by_index[1][place]) for place in range(12)), same_epoch
    first = Augment("shift")(images | {"index": torch.arange(12)}, 0, 0)["inputs"]
    assert not torch.equal(first, Augment("shift")(images | {"index": torch.arange(12)}, 0, 1)["inputs"])


def test_workers_do_not_change_a_bit(files: ImageFiles) -> None:
    loaders = stream(files, workers=0), stream(files, workers=2)
    for _ in range(2):
        for alone, helped in zip(*loaders, strict=True):
            assert alone.keys() == helped.keys()
            assert all(torch.equal(alone[name], helped[name]) for name in alone)


def test_streaming_gives_what_memory_gives(files: ImageFiles) -> None:
    inputs = ImagePreprocessing(image_size=8, channels=1)(files[:])
    memory = InMemoryLoader({"inputs": inputs}, 3, 0, Augment("shift-flip"))
    for streamed, held in zip(stream(files), memory, strict=True):
        assert torch.equal(streamed["inputs"], held["inputs"])
        assert torch.equal(streamed["index"], held["index"])


@pytest.mark.parametrize("workers", [0, 2])
def test_a_streaming_place_continues_without_reading_what_was_seen(files: ImageFiles, workers: int) -> None:
    expected = [batch["index"].tolist() for batch in stream(files)]
    first = stream(files, workers)
    iterator = iter(first)
    seen = [next(iterator)["index"].tolist() for _ in range(2)]
    second = stream(files, workers)
    second.load_state_dict(first.state_dict())
    for place in np.concatenate(seen):
        files.paths[place].unlink()
    assert [batch["index"].tolist() for batch in second] == expected[2:]
    assert second.epoch == 1


@pytest.mark.parametrize("workers", [0, 2])
def test_a_damaged_file_is_named(files: ImageFiles, workers: int) -> None:
    files.paths[4].write_bytes(files.paths[4].read_bytes()[:60])
    with pytest.raises(DataError, match=r"4\.png"):
        list(stream(files, workers))


def die(raw: np.ndarray) -> Tensor:
    """Stand for a decoder that takes its process with it."""
    os.kill(os.getpid(), signal.SIGKILL)
    return torch.from_numpy(raw)


def test_a_dead_worker_is_an_error_that_names_its_file(files: ImageFiles) -> None:
    loader = StreamingLoader(files, die, {}, 10, seed=0, workers=1, shuffle=False)
    with pytest.raises(DataError, match="died") as caught:
        list(loader)
    assert "9.png" in caught.value.where
