"""The face detector of Rowley, Baluja and Kanade: one small network looks at every window of a picture, at every size.

Idea:
    A window of 20 x 20 pixels shows a face that fills it, or it does not. The window is looked at everywhere in the
    picture and in ever smaller copies of it, so that faces of any size fill some window. What everything else looks
    like cannot be listed; so the network is shown what it takes for faces by mistake, again and again. Around a real
    face many windows answer, and their agreement is what counts.

Equations:
    w'    = w - (a x + b y + c), the plane fitted in an oval             the light evened out
    x_ij  = 2 rank(w'_ij) - 1, among the pixels in the oval              the shades spread
    h_k   = tanh(sum_ij in field k  v_kij x_ij + b_k)                    each unit sees one field
    y     = tanh(sum_k u_k h_k + c)                                      1 is a face, -1 is none
    L     = mean of (y - t)^2
    n     = sum of (1 + y) / 2 over windows with y > 0 that overlap by half or more
    p     = n / (n + n_0)                                                how sure a face is, at the mean of their boxes

Networks:
    network: `WindowNetwork`, from grey pictures (batch, 1, height, width) to an output for every window of 20 x 20
    (batch, 1, height - 19, width - 19). Hidden units see 4 squares of 10 x 10 pixels, 16 of 5 x 5, and 6 stripes of
    20 x 5 that overlap, `copies` units each.

Learning rule:
    Bootstrapping: half of each batch are faces, turned, scaled, shifted and mirrored a little; half is no face: random
    pixels at first, then what was taken for one. Each round is a phase of the run. Gradient descent with momentum.

Data it expects:
    Pictures with boxes of one class (Pascal VOC or COCO), whose boxes reach from the brows to the chin; or a folder
    `faces` of such cut-outs, one folder for each person if there are several pictures of one, beside a folder
    `scenery` of pictures without faces, into which they are then pasted. Faces are found from 20 pixels on.

What to expect:
    The small form on `pasted-faces`, drawn faces in photographs, where the test part is of the right third of the
    photographs: detection rate 1.0 at one false alarm a picture after 30 epochs (81 s of one core), 0.15 after the
    first phase, which knows noise alone. Faces of four unseen persons of the CMU set in unseen grey photographs:
    0.986 at one false alarm a picture and 0.91 at 0.1 (10 minutes on two busy cores, `benchmarks/cmu_faces.py`).

Departures from the paper:
    1. Faces are cut out of the pictures of each batch, with new chance each time; the paper made 15 copies of each.
    2. Each window is equalised by its own 256 shades, and outputs above 0 count by how far they are above.
    3. Boxes that overlap by half are merged, however they differ in place and scale; there is one network, and no other
       that has to agree.
    4. Training begins from random weights and is in rounds of equal length; the small form learns by Adam, and looks
       at every other pixel only.

References:
    Rowley, Baluja and Kanade, Neural network-based face detection (1998).
    Sung and Poggio, Example-based learning for view-based human face detection (1994).
"""

from collections.abc import Iterator
from typing import Annotated, NamedTuple

import torch
from torch import Tensor, nn

from ganglion.core import LearningRule
from ganglion.nn.convolution.local import LocallyConnected2d
from ganglion.nn.images.boxes import kept, overlaps
from ganglion.nn.images.windows import at_all_places, equalised, lit_evenly, scaled_down
from ganglion.rules.bootstrapping import Alarms, Bootstrapping, Search
from ganglion.rules.descend import Descent
from ganglion.settings import Count, above, at_least, settings

SIDE = 20
"""Pixels of a side of a window."""
AT_ONCE = 1 << 11
"""Windows that are looked at at once."""
MOST = 800
"""Windows of a picture that are merged, the surest."""
AGREE = 0.5
"""Overlap from which on two windows speak of the same face."""
TOUCH = 0.2
"""Overlap from which on the less sure of two faces is none, since faces rarely hide each other."""


@settings
class Config:
    """The first network of the paper, with two units for each field."""

    image_size: Annotated[int, at_least(SIDE)] | None = None
    """Longer side that pictures are brought to; their own, at most 320, if not given."""
    copies: Count = 2
    """Hidden units for each of the 26 fields; the paper's second network has 3."""
    stride: Count = 1
    """Pixels from one window to the next, across and down, at every scale."""
    scale: Annotated[float, above(1)] = 1.2
    """How much smaller each copy of the picture is than the one before."""
    agreement: Annotated[float, above(0)] = 8.0
    """Windows that have to agree for a face to be as likely as not: n_0."""
    windows: Count = 64
    """Faces, and as many windows without one, that a step learns from."""
    noise: Count = 1000
    """Windows of random pixels that training begins with."""
    rounds: Count = 10
    """Rounds after the first; each looks for false alarms and learns from them."""
    searched: Count = 120
    """Pictures that each round looks through for false alarms."""
    added: Count = 250
    """False alarms that are learnt from in addition after each round, at most."""
    remembered: Count = 8000
    """Windows without a face that are kept; the oldest make way."""
    descent: Descent = Descent(optimizer="sgd", learning_rate=0.05, optimizer_arguments=("momentum=0.9",))
    """How a gradient becomes an update."""


class Level(NamedTuple):
    """A copy of some pictures, and what the network says of its windows."""

    image: Tensor
    """(batch, height, width)."""
    outputs: Tensor
    """(batch, rows, columns)."""
    boxes: Tensor
    """Where each window lies in the picture itself, (rows, columns, 4)."""


class WindowNetwork(nn.Module):
    """How much every window of 20 x 20 pixels looks like a face, from -1 to 1.

    >>> sum(parameter.numel() for parameter in WindowNetwork(copies=2).parameters())
    2905
    >>> WindowNetwork()(torch.zeros(1, 1, 24, 30)).shape
    torch.Size([1, 1, 5, 11])
    """

    def __init__(self, copies: int = 2, stride: int = 1, scale: float = 1.2, agreement: float = 8.0) -> None:
        super().__init__()
        self.side, self.stride, self.scale, self.agreement = SIDE, stride, scale, agreement
        self.squares = LocallyConnected2d(1, copies, 10, size=SIDE, stride=10)
        self.small_squares = LocallyConnected2d(1, copies, 5, size=SIDE, stride=5)
        self.stripes = LocallyConnected2d(1, copies, (5, SIDE), size=SIDE, stride=(3, 1))
        self.output = nn.Linear(copies * (4 + 16 + 6), 1)

    def forward(self, images: Tensor) -> Tensor:
        """Return the output for every window of grey images `(batch, 1, height, width)`.

        Light and shades are in double precision: there rounding does not decide in which shade a pixel falls.
        """
        windows = at_all_places(images.squeeze(1), SIDE)
        seen = equalised(lit_evenly(windows.reshape(-1, 1, SIDE, SIDE).double())).to(images.dtype)
        return self.output(self._fields(seen).tanh()).tanh().view(windows.shape[:3]).unsqueeze(1)

    def looked(self, windows: Tensor) -> Tensor:
        """Return the same for some windows, (batch, rows, columns, 20, 20), as (batch, rows, columns), and faster.

        What the fields do to any window follows from what they do to each pixel alone: they become one matrix.
        """
        nothing = self._fields(windows.new_zeros(1, 1, SIDE, SIDE))
        pixels = self._fields(torch.eye(SIDE**2).to(windows).view(-1, 1, SIDE, SIDE)) - nothing
        lines = windows.flatten(0, 1)  # some thousand windows at a time, so that they stay in the cache
        found = []
        for part in lines.split(max(1, AT_ONCE // lines.shape[1])):
            sums = torch.addmm(nothing, equalised(lit_evenly(part.reshape(-1, SIDE, SIDE))).flatten(1), pixels)
            found.append(self.output(sums.tanh()).tanh().view(part.shape[:2]))
        return torch.cat(found).view(windows.shape[:3])

    def everywhere(self, grey: Tensor, stride: int) -> Tensor:
        """Return the output for windows of grey images (batch, height, width) that begin at every `stride`-th place."""
        return self.looked(at_all_places(grey, SIDE, stride))

    def _fields(self, seen: Tensor) -> Tensor:
        """Return what each hidden unit adds up (windows, units) of equalised windows (windows, 1, 20, 20)."""
        return torch.cat([layer(seen).flatten(1) for layer in (self.squares, self.small_squares, self.stripes)], dim=1)

    def levels(self, images: Tensor, stride: int, first: int = 0) -> Iterator[Level]:
        """Yield what is seen in images (batch, 1, height, width) at each scale, from the smallest faces on.

        Args:
            first: row and column of the first window.
        """
        for smaller in scaled_down(images, self.scale, SIDE + first):
            grey = smaller[:, 0]
            outputs = self.everywhere(grey[:, first:, first:], stride)
            factor = [images.shape[3] / grey.shape[2], images.shape[2] / grey.shape[1]]
            rows, columns = (torch.arange(size, device=images.device) * stride + first for size in outputs.shape[1:])
            corner = torch.stack(torch.meshgrid(columns, rows, indexing="xy"), dim=2)
            boxes = torch.cat([corner, corner + SIDE], dim=2) * corner.new_tensor(factor * 2, dtype=images.dtype)
            yield Level(grey[:, first:, first:], outputs, boxes)

    @torch.no_grad()
    def alarms(self, images: Tensor, most: int) -> Alarms:
        """Return windows of images (batch, 1, height, width) with outputs above 0, by chance `most` of each scale."""
        stride = 2 * self.stride
        first = int(torch.randint(0, stride, ()))
        found: list[Alarms] = []
        for level in self.levels(images, stride, first):
            outputs = level.outputs
            keys, chosen = (
                torch.where(outputs > 0, torch.rand_like(outputs), -1.0).flatten().topk(min(most, outputs.numel()))
            )
            place, row, column = torch.unravel_index(chosen, outputs.shape)
            windows = at_all_places(level.image, SIDE, stride)[place, row, column]
            found.append(Alarms(windows, level.boxes[row, column], place, (keys >= 0).to(images.dtype)))
        return Alarms(*map(torch.cat, zip(*found, strict=True))) if found else Alarms(*[images.new_zeros(0)] * 4)

    @torch.no_grad()
    def find(self, images: Tensor) -> list[Tensor]:
        """Return the faces of each of images (batch, 1, height, width), the surest first.

        A row is left, top, right, bottom, class (0) and probability `(faces, 6)`.
        """
        levels = list(self.levels(images, self.stride))
        if not levels:
            return [images.new_zeros(0, 6)] * len(images)
        outputs = torch.cat([level.outputs.flatten(1) for level in levels], dim=1)
        boxes = torch.cat([level.boxes.flatten(0, 1) for level in levels])
        return [self._merged(own, boxes) for own in outputs]

    def _merged(self, outputs: Tensor, boxes: Tensor) -> Tensor:
        """Return the faces (faces, 6) that windows (windows,) with boxes (windows, 4) speak of."""
        places = torch.nonzero(outputs > 0).flatten()
        places = places[outputs[places].topk(min(MOST, len(places))).indices]
        boxes, weights = boxes[places], (1 + outputs[places]) / 2
        agreeing = (overlaps(boxes, boxes) >= AGREE) * weights  # (windows, windows)
        number = agreeing.sum(1)
        middle = agreeing @ boxes / number.unsqueeze(1)
        best = kept(middle, number, TOUCH)
        sure = (number / (number + self.agreement))[best, None]
        return torch.cat([middle[best], torch.zeros_like(sure), sure], dim=1)


SMALL = Config(
    stride=2,
    agreement=2.0,
    rounds=5,
    searched=40,
    added=400,
    remembered=4000,
    descent=Descent(optimizer="adam", learning_rate=3e-3),
)
TINY = Config(
    image_size=160,
    copies=1,
    stride=2,
    agreement=2.0,
    windows=32,
    noise=100,
    rounds=2,
    searched=24,
    added=300,
    remembered=1000,
    descent=Descent(optimizer="adam", learning_rate=1e-2),
)


def build(config: Config) -> LearningRule:
    network = WindowNetwork(config.copies, config.stride, config.scale, config.agreement)
    search = Search(
        windows=config.windows,
        noise=config.noise,
        rounds=config.rounds,
        pictures=config.searched,
        added=config.added,
        kept=config.remembered,
    )
    return Bootstrapping(network, config.descent, search)


def examples(config: Config) -> dict[str, tuple[Tensor, ...]]:
    """Return blank inputs of every network, by role."""
    side = min(64, config.image_size or 64)
    return {"network": (torch.zeros(1, 1, side, side),)}
