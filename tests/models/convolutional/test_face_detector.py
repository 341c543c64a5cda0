"""The face detector: published counts, one answer for a window wherever it lies, and faces that it learns to find."""

from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import ganglion
from ganglion.core import LearningRule
from ganglion.data.loaders.in_memory import InMemoryLoader
from ganglion.data.preprocessing import BoxPreprocessing, ImagePreprocessing
from ganglion.data.sources.generators import generate
from ganglion.errors import DataError
from ganglion.models.convolutional.face_detector import SIDE, TINY, WindowNetwork, build
from ganglion.nn.images.boxes import overlaps
from ganglion.nn.images.windows import at_all_places, equalised, lit_evenly
from tests.contract.rows import Row

FACES = generate("pasted-faces", count=30)


@cache
def columns() -> dict[str, Any]:
    """Pictures with faces (24, 1, 120, 160) and their boxes."""
    return {
        "inputs": ImagePreprocessing(image_size=(120, 160), channels=1)(FACES.inputs),
        "targets": BoxPreprocessing(image_size=(120, 160), num_classes=1)(FACES.fields["boxes"].values),
    }


@torch.no_grad()
def share_of_faces_found_first(rule: LearningRule) -> float:
    """Share of the faces of held-out pictures that are among the surest boxes, as many as there are faces."""
    images = ImagePreprocessing(image_size=(120, 160), channels=1)(FACES.test_fields["inputs"].values)
    found = rule.home.find(images)  # type: ignore[operator]
    truth = [torch.from_numpy(one.corners) for one in FACES.test_fields["boxes"].values]
    faces = sum(map(len, truth))
    least = torch.cat([one[:, 5] for one in found]).sort(descending=True).values[:faces].min()
    right = [
        (overlaps(one[one[:, 5] >= least][:, :4], there) > 0.5).any(0) for one, there in zip(found, truth, strict=True)
    ]
    return float(torch.cat(right).float().mean())


ROW = Row(
    loader=lambda: InMemoryLoader(columns(), batch_size=8, seed=0),
    steps=90,
    measure=share_of_faces_found_first,
    threshold=0.6,
    counts=(({}, "network", 2_905), ({"copies": 3}, "network", 4_357)),
    options={"batch_size": 8, "monitor": "detection_rate", "image_size": 64},
    data=FACES,
    exempt={"learns": "learns from noise alone before its first round begins; it is learnt below, in rounds"},
)


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.full)])
def test_false_alarms_teach_it_what_noise_does_not(seed: int) -> None:
    """Of five faces in other photographs; over seeds 0 to 3 rounds find four or all of them, noise alone none."""
    torch.manual_seed(seed)
    rule = build(TINY)
    found = []
    for phase in rule.phases:
        rule.begin(phase)
        loader = ROW.loader()
        for _ in range(10):
            for batch in loader:
                rule.step(batch)
        found.append(share_of_faces_found_first(rule))
    assert found[0] < 0.3 and found[-1] >= ROW.threshold


def test_the_published_count_is_that_of_its_fields() -> None:
    """Four squares of 100 pixels, sixteen of 25 and six stripes of 100, a bias each, twice; and one output of all."""
    units = 2 * (4 * (100 + 1) + 16 * (25 + 1) + 6 * (100 + 1))
    assert units + 2 * 26 + 1 == 2905
    network = WindowNetwork(copies=2)
    assert network.squares.weight.shape[:2] == (2, 2)
    assert network.small_squares.weight.shape[:2] == (4, 4)
    assert network.stripes.weight.shape[:2] == (6, 1)


def test_stripes_overlap_and_reach_from_top_to_bottom() -> None:
    network = WindowNetwork(copies=1)
    seen: list[list[int]] = []
    for row in range(SIDE):
        picture = torch.zeros(1, 1, SIDE, SIDE)
        picture[0, 0, row] = 1
        lit = network.stripes(picture) - network.stripes(torch.zeros_like(picture))
        seen.append(torch.nonzero(lit[0, 0, :, 0].abs() > 1e-8).flatten().tolist())
    assert seen[0] == [0] and seen[3] == [0, 1] and seen[10] == [2, 3] and seen[19] == [5]


def test_a_window_is_answered_alike_alone_and_in_a_picture() -> None:
    torch.manual_seed(0)
    network, picture = WindowNetwork(copies=2), torch.rand(1, 1, 60, 70)
    whole = network(picture)
    matrix = network.looked(at_all_places(picture[:, 0], SIDE))
    apart = (matrix - whole[:, 0]).abs()  # in single precision a pixel may fall into the next shade
    assert (apart > 1e-5).float().mean() < 0.02 and apart.max() < 1e-3
    assert whole.shape == (1, 1, 41, 51)
    for row, column in ((0, 0), (40, 50), (13, 22)):
        alone = network(picture[:, :, row : row + SIDE, column : column + SIDE])
        torch.testing.assert_close(alone[0, 0, 0, 0], whole[0, 0, row, column], atol=1e-5, rtol=1e-4)
    network, picture = network.double(), picture.double()
    matrix = network.looked(at_all_places(picture[:, 0], SIDE))
    torch.testing.assert_close(matrix, network(picture)[:, 0], atol=1e-12, rtol=1e-12)


def test_an_output_is_the_published_equation() -> None:
    torch.manual_seed(1)
    network, picture = WindowNetwork(copies=1), torch.rand(1, 1, SIDE, SIDE)
    x = equalised(lit_evenly(picture.double()))[0, 0].float()
    hidden: list[Tensor] = []
    for layer, step, height, width in (
        (network.squares, (10, 10), 10, 10),
        (network.small_squares, (5, 5), 5, 5),
        (network.stripes, (3, 1), 5, 20),
    ):
        rows, columns = layer.weight.shape[:2]
        hidden += [
            (layer.weight[i, j, 0, 0] * x[step[0] * i :, step[1] * j :][:height, :width]).sum() + layer.bias[i, j, 0]
            for i in range(rows)
            for j in range(columns)
        ]
    y = torch.tanh((network.output.weight[0] * torch.stack(hidden).tanh()).sum() + network.output.bias[0])
    torch.testing.assert_close(network(picture)[0, 0, 0, 0], y, atol=1e-6, rtol=1e-5)


class Bright(WindowNetwork):
    """Answers to a bright square of the size of a window, by the mean inside less that around; equalises nothing."""

    def looked(self, windows: Tensor) -> Tensor:
        inner, all_ = windows[..., 4:16, 4:16].mean((-1, -2)), windows.mean((-1, -2))
        return torch.tanh(8 * (inner - all_) - 4.2)


@pytest.mark.parametrize("side", [12, 23, 40])
def test_many_windows_become_one_box_at_the_right_place_and_scale(side: int) -> None:
    picture = torch.zeros(2, 1, 96, 128)
    picture[0, 0, 30 : 30 + side, 50 : 50 + side] = 1
    found, nothing = Bright(stride=2, agreement=0.1).find(picture)
    assert len(found) == 1 and nothing.shape == (0, 6)
    grown = side * SIDE / 12  # a window answers most where the square fills its inner part
    middle, half = torch.tensor([50 + side / 2, 30 + side / 2]), grown / 2
    box = torch.cat([middle - half, middle + half])
    assert float(overlaps(found[:, :4], box[None])) > 0.6
    assert 0.5 < float(found[0, 5]) < 1


def test_false_alarms_are_windows_of_the_pictures() -> None:
    torch.manual_seed(0)
    network, images = WindowNetwork(copies=1, stride=1), torch.rand(2, 1, 30, 34)
    nn.init.constant_(network.output.bias, 5.0)  # takes everything for a face
    found = network.alarms(images, 6)
    assert bool((found.real == 1).all()) and set(found.places.tolist()) == {0, 1}
    for window, box, place in zip(found.windows, found.boxes, found.places.tolist(), strict=True):
        left, top, right, bottom = box.round().int().tolist()
        if right - left == SIDE:  # of the picture itself, not of a smaller copy
            assert torch.equal(window, images[place, 0, top:bottom, left:right])
    nn.init.constant_(network.output.bias, -5.0)
    assert not network.alarms(images, 6).real.any()


def test_a_picture_smaller_than_a_window_shows_no_face() -> None:
    (found,) = WindowNetwork().find(torch.zeros(1, 1, 12, 40))
    assert found.shape == (0, 6)
    assert not len(WindowNetwork().alarms(torch.zeros(1, 1, 12, 40), 5).real)


def test_the_windows_of_an_image_are_a_view() -> None:
    image = torch.rand(1, 40, 50)
    windows = at_all_places(image, SIDE, 3)
    assert windows.data_ptr() == image.data_ptr() and torch.equal(windows[0, 2, 4], image[0, 6:26, 12:32])


def test_boxes_of_several_classes_are_refused(tmp_path: Any) -> None:
    with pytest.raises(DataError, match="one kind of object"):
        ganglion.train("face-detector", data="shapes", out=tmp_path / "run", steps=10)


def test_a_run_finds_faces_in_a_photo_of_any_size(tmp_path: Any) -> None:
    run = ganglion.train(
        "face-detector", data=FACES, out=tmp_path / "run", steps=4, rounds=1, searched=8, image_size=96
    )
    assert {"found", "free_response", "precision_recall"} <= set(run.figures)
    assert 0 <= run.metrics["detection_rate"] <= 1
    picture = np.asarray(FACES.test_fields["inputs"].values[0])
    larger = np.kron(picture, np.ones((2, 2, 1), np.uint8))
    for row in run.predict([larger], least=0.05):
        assert row["label"] == "face" and 0 <= row["left"] < row["right"] <= larger.shape[1]
    assert len(run.predict([np.full((10, 10, 3), 90, np.uint8)], least=0.99)) == 0
