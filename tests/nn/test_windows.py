"""Windows: light and shades against scipy and least squares, cut-outs against pixels, pyramids against sizes."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy.stats import rankdata

from ganglion.nn.images.windows import at_all_places, cut_out, equalised, lit_evenly, oval, scaled_down


def test_equal_shades_share_their_rank() -> None:
    """Few shades fall into as many of the 256 steps; scipy's mean ranks say where they belong."""
    windows = torch.from_numpy(np.random.default_rng(0).integers(0, 12, (5, 20, 20)).astype(np.float32))
    inside = oval(20).ravel()
    for window, found in zip(windows.flatten(1).numpy(), equalised(windows).flatten(1).numpy(), strict=True):
        ranks = (rankdata(window[inside]) - 0.5) / inside.sum()
        np.testing.assert_allclose(found[inside], 2 * ranks - 1, atol=1e-6)


def test_brightness_and_contrast_do_not_matter() -> None:
    windows = torch.rand(4, 20, 20)
    changed = equalised(windows * 0.3 + 0.5)
    assert float((equalised(windows) - changed).abs().mean()) < 1e-3
    assert bool((equalised(torch.full((1, 20, 20), 0.7)) == 0).all())


def test_kernels_and_torch_rank_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    windows = lit_evenly(torch.rand(300, 20, 20))
    compiled = equalised(windows)
    monkeypatch.setenv("GANGLION_FAST", "0")
    torch.testing.assert_close(equalised(windows), compiled, atol=1e-6, rtol=0)


def test_gradients_go_through_as_if_shades_were_spread_evenly() -> None:
    windows = torch.rand(2, 20, 20, requires_grad=True)
    equalised(windows)[0, 10, 10].backward()
    assert windows.grad is not None
    inside = windows.detach()[0][torch.from_numpy(oval(20))]
    assert float(windows.grad[0, 10, 10]) == pytest.approx(float(2 / (inside.max() - inside.min())))
    assert int((windows.grad != 0).sum()) == 1


def test_the_plane_is_that_of_least_squares() -> None:
    window = np.random.default_rng(1).random((20, 20))
    inside = oval(20)
    down, across = np.mgrid[0:20, 0:20]
    design = np.stack([across, down, np.ones((20, 20))], axis=2)
    best, *_ = np.linalg.lstsq(design[inside], window[inside], rcond=None)
    found = lit_evenly(torch.from_numpy(window).float()[None])[0].numpy()
    np.testing.assert_allclose(found, window - design @ best, atol=1e-5)


def test_pyramids_shrink_by_the_factor_until_windows_do_not_fit() -> None:
    sizes = [tuple(one.shape[2:]) for one in scaled_down(torch.zeros(1, 1, 100, 130), 1.2, least=20)]
    assert sizes[0] == (100, 130) and min(sizes[-1]) >= 20 and min(sizes[-1]) / 1.2 < 20.5
    assert all(one[0] / after[0] == pytest.approx(1.2, abs=0.04) for one, after in pairwise(sizes))
    bright = list(scaled_down(torch.ones(1, 1, 60, 60), 1.2, least=20))[-1]
    torch.testing.assert_close(bright, torch.ones_like(bright))


def test_cut_outs_turn_and_mirror_what_they_show() -> None:
    image = torch.rand(2, 30, 30)
    boxes = torch.tensor([[15.0, 15.0, 20.0]] * 3)
    places, still = torch.tensor([1, 1, 1]), torch.zeros(3, dtype=torch.bool)
    turned = cut_out(image, places, boxes, torch.tensor([0.0, np.pi / 2, np.pi]), still, side=20)
    torch.testing.assert_close(turned[2], turned[0].rot90(2), atol=1e-4, rtol=0)
    torch.testing.assert_close(turned[1], turned[0].rot90(1), atol=1e-4, rtol=0)
    mirrored = cut_out(image, places[:1], boxes[:1], torch.zeros(1), torch.ones(1, dtype=torch.bool), side=20)
    torch.testing.assert_close(mirrored[0], turned[0].flip(1), atol=1e-5, rtol=0)


def test_cut_outs_of_smooth_pictures_are_what_lies_there() -> None:
    """A slope keeps its values under any smoothing: across the box from its left edge to its right one."""
    slope = torch.arange(60.0).expand(1, 60, 60).contiguous() + 0.5
    found = cut_out(
        slope, torch.tensor([0]), torch.tensor([[30.0, 25.0, 40.0]]), torch.zeros(1), torch.zeros(1) > 0, 20
    )
    torch.testing.assert_close(found[0, 3], 10 + 40 * (torch.arange(20) + 0.5) / 20, atol=1e-3, rtol=0)


def test_windows_lie_at_multiples_of_the_stride() -> None:
    images = torch.rand(2, 26, 41)
    windows = at_all_places(images, 20, 2)
    assert windows.shape == (2, 4, 11, 20, 20)
    assert torch.equal(windows[1, 3, 10], images[1, 6:26, 20:40])
