"""Loaders hand out any fields: images with masks and boxes, ragged ones, files, and fields without pairs."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ganglion.core import Phase
from ganglion.data.formats.images.folders import ImageFiles
from ganglion.data.loaders.augment import Augment
from ganglion.data.loaders.derived import GaussianNoise
from ganglion.data.loaders.epochs import EpochLoader
from ganglion.data.loaders.in_memory import InMemoryLoader
from ganglion.data.loaders.streaming import StreamingLoader
from ganglion.data.preprocessing import ImagePreprocessing, Ragged
from ganglion.errors import ConfigurationError, DataError

pytestmark = pytest.mark.filterwarnings("ignore:This process.*fork:DeprecationWarning")  # From Python 3.12 on.
KINDS = {"inputs": "images", "target": "images", "masks": "masks", "boxes": "boxes"}


def scenes(count: int = 60, side: int = 16) -> dict[str, torch.Tensor | Ragged]:
    """Return images of one white rectangle each, its mask, its box, and the image at twice the size."""
    random = np.random.default_rng(0)
    images, boxes = torch.zeros(count, 1, side, side), []
    for image in images:
        left, top = random.integers(3, 6, 2).tolist()
        right, bottom = random.integers(8, 12, 2).tolist()
        image[0, top:bottom, left:right] = 1
        boxes.append(torch.tensor([[left, top, right, bottom, 0.0]]))
    large = images.repeat_interleave(2, 2).repeat_interleave(2, 3)
    return {"inputs": images, "masks": images[:, 0].long(), "boxes": Ragged.of(boxes, -1), "target": large}


def around(image: torch.Tensor) -> list[int]:
    """Return left, top, right and bottom edge of what is white."""
    rows, columns = (torch.nonzero((image > 0.5).any(dim)).flatten() for dim in (1, 0))
    return [int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1]


@pytest.mark.parametrize("kind", ["shift", "flip", "shift-flip"])
def test_images_masks_and_boxes_move_together(kind: str) -> None:
    loader = InMemoryLoader(scenes(), 7, 0, Augment(kind, KINDS), kinds=KINDS)  # type: ignore[arg-type]
    changed = 0
    for batch in loader:
        assert torch.equal(batch["inputs"][:, 0].long(), batch["masks"])
        assert torch.equal(batch["target"][:, :, ::2, ::2], batch["inputs"])
        assert torch.equal(batch["target"][:, :, 1::2, 1::2], batch["inputs"])
        for image, boxes in zip(batch["inputs"], batch["boxes"], strict=True):
            assert boxes[0, :4].tolist() == around(image[0])
        original = scenes()["inputs"]
        assert isinstance(original, torch.Tensor)
        changed += int((batch["inputs"] != original[batch["index"]]).flatten(1).any(1).sum())
    assert changed > 20


def test_boxes_that_leave_the_image_are_cut_or_go() -> None:
    images = torch.rand(200, 1, 16, 16)
    boxes = torch.tensor([[0, 4, 1, 8, 0], [12, 4, 16, 8, 1], [-1, -1, -1, -1, -1.0]]).expand(200, -1, -1)
    batch = Augment("shift", KINDS)({"inputs": images, "boxes": boxes, "index": torch.arange(200)}, 0, 0)["boxes"]
    gone = batch[:, 0, 4] == -1
    assert 0.1 < gone.float().mean() < 0.7 and (batch[gone, 0] == -1).all()
    assert (batch[:, 1, 2] <= 16).all() and (batch[:, 1, 0] < batch[:, 1, 2]).all()
    assert (batch[:, 2] == -1).all()


def test_sizes_that_are_no_multiples_cannot_move_together() -> None:
    tensors = {"inputs": torch.zeros(4, 1, 16, 16), "target": torch.zeros(4, 1, 24, 24)}
    with pytest.raises(ConfigurationError, match="moved together"):
        list(InMemoryLoader(tensors, 2, 0, Augment("shift", KINDS)))  # type: ignore[arg-type]


def test_ragged_fields_are_padded_with_their_lengths() -> None:
    samples = [torch.arange(length) + 1 for length in (3, 1, 4, 2)]
    loader = InMemoryLoader({"inputs": Ragged.of(samples), "targets": torch.arange(4)}, 3, 0)
    for batch in loader:
        for row, length, place in zip(batch["inputs"], batch["inputs_lengths"], batch["targets"], strict=True):
            assert torch.equal(row[:length], samples[place]) and not row[length:].any()


def test_a_phase_decides_the_size_of_images_masks_and_boxes_and_is_resumed() -> None:
    def loader() -> InMemoryLoader:
        derived = {"noisy": GaussianNoise()}
        return InMemoryLoader(scenes(), 7, 0, Augment("shift", KINDS), derived=derived, kinds=KINDS)  # type: ignore[arg-type]

    first, second = loader(), loader()
    first.begin(Phase(name="small", sizes={"image_size": 8}))
    iterator = iter(first)
    for _ in range(3):
        batch = next(iterator)
    shapes = {name: tuple(batch[name].shape[1:]) for name in ("inputs", "target", "masks", "noisy")}
    assert shapes == {"inputs": (1, 8, 8), "target": (1, 8, 8), "masks": (8, 8), "noisy": (1, 8, 8)}
    for image, boxes in zip(batch["inputs"], batch["boxes"], strict=True):
        assert np.allclose(boxes[0, :4], around(image[0] + 0.01), atol=1)
    second.load_state_dict(first.state_dict())
    for left, right in zip(iterator, second, strict=True):
        assert left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)
    first.begin(Phase(name="whole"))
    assert next(iter(first))["inputs"].shape[2:] == (16, 16)
    assert "image_size" not in first.state_dict()


# Fields without pairs.


@pytest.fixture
def folders(tmp_path: Path) -> dict[str, ImageFiles]:
    random = np.random.default_rng(0)
    found = {}
    for name, count in (("source", 10), ("target", 4)):
        paths = [tmp_path / f"{name}-{number}.png" for number in range(count)]
        for path in paths:
            Image.fromarray(random.integers(0, 256, (6, 6, 3), dtype=np.uint8)).save(path)
        found[name] = ImageFiles(tuple(paths), (6, 6), 3)
    return found


def unpaired(folders: dict[str, ImageFiles], where: str, workers: int = 0, batch_size: int = 3) -> EpochLoader:
    both, convert = ("source", "target"), ImagePreprocessing(image_size=6, channels=3)
    if where == "memory":
        tensors = {name: convert(files[:]) for name, files in folders.items()}
        return InMemoryLoader(tensors, batch_size, 5, unpaired=both)
    return StreamingLoader(folders, convert, {}, batch_size, 5, workers=workers, unpaired=both)


def places(loader: EpochLoader, name: str, epochs: int) -> list[int]:
    return [place for _ in range(epochs) for batch in loader for place in batch[f"{name}_index"].tolist()]


def test_fields_without_pairs_have_their_own_order_and_every_value_its_turn(folders: dict[str, ImageFiles]) -> None:
    source = places(unpaired(folders, "memory"), "source", 2)
    target = places(unpaired(folders, "memory"), "target", 2)
    assert sorted(source[:10]) == sorted(source[10:]) == list(range(10))
    assert source[:10] != source[10:]
    assert all(sorted(target[start : start + 4]) == [0, 1, 2, 3] for start in range(0, 20, 4))
    assert target == places(unpaired(folders, "memory", batch_size=4), "target", 2)
    assert len({tuple(target[start : start + 4]) for start in range(0, 20, 4)}) > 1


@pytest.mark.parametrize("workers", [0, 2])
def test_files_without_pairs_stream_as_they_lie_in_memory(folders: dict[str, ImageFiles], workers: int) -> None:
    held, streamed = unpaired(folders, "memory"), unpaired(folders, "files", workers)
    for _ in range(2):
        for left, right in zip(held, streamed, strict=True):
            assert left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)
    again = unpaired(folders, "files", workers)
    iterator = iter(streamed)
    next(iterator)
    again.load_state_dict(streamed.state_dict())
    assert [b["target_index"].tolist() for b in iterator] == [b["target_index"].tolist() for b in again]


def test_a_damaged_file_of_any_field_is_named(folders: dict[str, ImageFiles]) -> None:
    folders["target"].paths[2].write_bytes(b"nothing")
    with pytest.raises(DataError, match=r"target-2\.png"):
        list(unpaired(folders, "files"))


def test_paired_files_and_tensors_stand_in_one_order(folders: dict[str, ImageFiles]) -> None:
    files = {"source": folders["source"], "target": folders["source"]}
    convert = ImagePreprocessing(image_size=6, channels=3)
    for batch in StreamingLoader(files, convert, {"targets": torch.arange(10)}, 3, 0):
        assert torch.equal(batch["source"], batch["target"]) and torch.equal(batch["targets"], batch["index"])
