"""Bootstrapping: noise first, false alarms later, never what lies on an object, and room that is used in turn."""

import torch
from torch import Tensor, nn

from ganglion.nn.images.boxes import overlaps
from ganglion.rules.bootstrapping import Alarms, Bootstrapping, Search, squares_of
from ganglion.rules.descend import Descent

SIDE = 4


class Everything(nn.Module):
    """Takes every fourth window for what it looks for."""

    side = SIDE

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(SIDE * SIDE, 1)

    def forward(self, windows: Tensor) -> Tensor:
        return self.layer(windows.flatten(1)).tanh()

    def alarms(self, images: Tensor, most: int) -> Alarms:
        windows, boxes, places = [], [], []
        for place, image in enumerate(images[:, 0]):
            for row in range(0, image.shape[0] - SIDE + 1, SIDE):
                for column in range(0, image.shape[1] - SIDE + 1, SIDE):
                    windows.append(image[row : row + SIDE, column : column + SIDE])
                    boxes.append(torch.tensor([column, row, column + SIDE, row + SIDE]))
                    places.append(place)
        return Alarms(torch.stack(windows), torch.stack(boxes).float(), torch.tensor(places), torch.ones(len(places)))


def pictures() -> dict[str, Tensor]:
    """Two pictures (2, 1, 12, 12) of blocks of four by four pixels, each of its own shade; an object in the first."""
    shades = torch.arange(1, 19).view(2, 1, 3, 3).float() / 20
    images = shades.repeat_interleave(SIDE, 2).repeat_interleave(SIDE, 3)
    objects = torch.full((2, 2, 5), -1.0)
    objects[0, 0] = torch.tensor([4.0, 4.0, 8.0, 8.0, 0.0])
    return {"inputs": images, "targets": objects}


def rule(**options: int) -> Bootstrapping:
    torch.manual_seed(0)
    search = Search(**{"windows": 16, "noise": 5, "rounds": 2, "pictures": 4, "added": 100, "kept": 40} | options)
    return Bootstrapping(Everything(), Descent(learning_rate=1e-3), search)


def test_nothing_is_looked_for_in_the_first_phase() -> None:
    one = rule()
    assert [phase.name for phase in one.phases] == ["noise", "round 1", "round 2"]
    one.begin(one.phases[0])
    assert float(one.step(pictures())["remembered"]) == 5


def test_what_lies_on_an_object_is_never_remembered() -> None:
    one = rule()
    one.begin(one.phases[1])
    one.step(pictures())
    assert one.counters["looked through"] == 2
    number = int(one.tensors["remembered"])
    assert number == 5 + 9 + 8
    remembered = one.tensors["nothing"][5:number]
    assert bool((remembered == remembered[:, :1, :1]).all())  # of one shade each: windows as they are
    shades = (remembered[:, 0, 0].float() / 255 * 20).round().int().tolist()
    assert sorted(shades) == [shade for shade in range(1, 19) if shade != 5]  # the middle block of the first picture


def test_a_round_looks_through_so_many_pictures_and_adds_no_more_than_it_may() -> None:
    one = rule(added=12)
    one.begin(one.phases[2])
    numbers = [int(one.step(pictures())["remembered"]) for _ in range(4)]
    assert numbers == [11, 17, 17, 17]


def test_the_oldest_make_way() -> None:
    one = rule(kept=10)
    one.begin(one.phases[1])
    before = one.tensors["nothing"][:5].clone()
    measured = one.step(pictures())
    assert float(measured["remembered"]) == 10 and not torch.equal(one.tensors["nothing"][:5], before)


def test_boxes_are_cut_out_and_those_of_no_class_do_not_count() -> None:
    one = rule(windows=200)
    windows, counts = one._shown(pictures()["inputs"], pictures()["targets"])
    assert bool((counts == 1).all())
    assert float((windows - 5 / 20).abs().median()) < 0.02  # turned and shifted a little, the block of shade 5
    nothing = {**pictures(), "targets": torch.full((2, 2, 5), -1.0)}
    assert not one._shown(nothing["inputs"], nothing["targets"])[1].any()
    assert torch.isfinite(one.step(nothing)["loss"])
    assert torch.isfinite(one.step({**nothing, "targets": torch.zeros(2, 0, 5)})["loss"])


def test_squares_keep_area_and_middle() -> None:
    boxes = torch.tensor([[0.0, 0.0, 8.0, 2.0], [3.0, 4.0, 9.0, 10.0]])
    middle_x, middle_y, side = squares_of(boxes).unbind(1)
    torch.testing.assert_close(side**2, torch.tensor([16.0, 36.0]))
    square = torch.stack([middle_x - side / 2, middle_y - side / 2, middle_x + side / 2, middle_y + side / 2], dim=1)
    assert float(overlaps(square[1:], boxes[1:])) == 1
