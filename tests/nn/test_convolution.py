"""Output sizes against torch for many windows, and the worked convolutions of the textbooks."""

import itertools

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganglion.errors import ShapeError
from ganglion.nn import check_images, output_size, same_padding


def sizes() -> list[tuple[int, int, int, int]]:
    ranges = itertools.product(range(1, 13), range(1, 6), range(1, 4), range(0, 4))
    return [(n, f, s, p) for n, f, s, p in ranges if n + 2 * p >= f]


def test_output_size_equals_torch_for_every_padding() -> None:
    for n, f, s, p in sizes():
        assert output_size(n, f, s, p) == F.conv1d(torch.zeros(1, 1, n), torch.zeros(1, 1, f), None, s, p).shape[-1]
        assert output_size(n, f, s, p) == (n + 2 * p - f) // s + 1


def test_valid_is_no_padding() -> None:
    for n, f, s, p in sizes():
        if p == 0:
            assert output_size(n, f, s, "valid") == output_size(n, f, s, 0)
            assert output_size(n, f, s) == nn.Conv1d(1, 1, f, s, padding="valid")(torch.zeros(1, 1, n)).shape[-1]


def test_same_keeps_every_stride_th_position() -> None:
    for n, f, s, _ in sizes():
        before, after = same_padding(n, f, s)
        assert 0 <= after - before <= 1
        padded = F.pad(torch.zeros(1, 1, n), (before, after))
        found = F.conv1d(padded, torch.zeros(1, 1, f), stride=s).shape[-1]
        assert found == -(-n // s) == output_size(n, f, s, "same")
    assert all(nn.Conv1d(1, 1, f, padding="same")(torch.zeros(1, 1, 9)).shape[-1] == 9 for f in (1, 3, 5))


def test_pooling_sizes() -> None:
    for n in range(2, 30):
        assert output_size(n, 2, stride=2) == nn.MaxPool2d(2)(torch.zeros(1, n, n)).shape[-1]


def test_window_larger_than_the_map_is_refused() -> None:
    with pytest.raises(ShapeError, match="at least 5"):
        output_size(4, 5)


def test_images_of_another_shape_are_refused() -> None:
    check_images(torch.zeros(7, 1, 8, 8), channels=1, size=8)
    with pytest.raises(ShapeError, match=r"\(batch, 1, 8, 8\)"):
        check_images(torch.zeros(7, 8, 8, 1), channels=1, size=8)


def convolve(image: Tensor, kernel: Tensor) -> list[list[float]]:
    """Slide the filter over the image as a convolutional layer does."""
    layer = nn.Conv2d(1, 1, kernel_size=3, bias=False)
    layer.weight.data = kernel[None, None]
    return layer(image[None, None])[0, 0].tolist()


def test_filter_on_a_five_by_five_image() -> None:
    image = torch.tensor([[1, 1, 1, 0, 0], [0, 1, 1, 1, 0], [0, 0, 1, 1, 1], [0, 0, 1, 1, 0], [0, 1, 1, 0, 0.0]])
    kernel = torch.tensor([[1, 0, 1], [0, 1, 0], [1, 0, 1.0]])
    assert convolve(image, kernel) == [[4, 3, 4], [2, 4, 3], [2, 3, 4]]


def test_vertical_edge() -> None:
    image = torch.tensor([10.0, 10, 10, 0, 0, 0]).repeat(6, 1)
    kernel = torch.tensor([1.0, 0, -1]).repeat(3, 1)
    assert convolve(image, kernel) == [[0, 30, 30, 0]] * 4


def test_horizontal_edge() -> None:
    left, right = torch.tensor([10.0, 10, 10, 0, 0, 0]), torch.tensor([0.0, 0, 0, 10, 10, 10])
    image = torch.stack([left] * 3 + [right] * 3)
    kernel = torch.tensor([[1.0, 1, 1], [0, 0, 0], [-1, -1, -1]])
    edge = [30, 10, -10, -30]
    assert convolve(image, kernel) == [[0, 0, 0, 0], edge, edge, [0, 0, 0, 0]]
