"""Filters on pictures whose edges are known, and the picture that is drawn of them."""

import numpy as np
import pytest
from PIL import Image

from ganglion.errors import ConfigurationError, ShapeError
from ganglion.inspect import filtered
from ganglion.nn import FILTERS
from tests.cli.conftest import command as command
from tests.cli.outcome import Command


def photo() -> np.ndarray:
    """Return a bright square, reddish, on dark ground."""
    pixels = np.full((40, 60, 3), 20, np.uint8)
    pixels[10:30, 20:40] = (240, 200, 200)
    return pixels


def test_edges_are_where_they_are_and_have_their_sign() -> None:
    found = filtered(photo()).responses
    assert list(found) == list(FILTERS)
    for name in ("prewitt-x", "sobel-x", "scharr-x"):
        assert (found[name][15:25, 19:21] > 0.5).all() and (found[name][15:25, 39:41] < -0.5).all()
        assert np.abs(found[name][15:25, 25:35]).max() < 1e-5 and np.abs(found[name][:5]).max() < 1e-5
        assert np.allclose(found[name][12:28, 22:38], 0, atol=1e-5)
        assert np.allclose(found[name[:-1] + "y"][9:11, 25:35].mean(), found[name][15:25, 19:21].mean())
    assert np.allclose(found["edge-detect"], -found["laplacian"], atol=1e-5)
    assert found["edge-detect"][10, 25] > 0 > found["edge-detect"][9, 25]


def test_what_sums_to_one_is_a_picture_in_colour_and_the_rest_sees_its_brightness() -> None:
    found = filtered(photo(), ["gaussian", "sobel-x", "gaussian"])
    assert found.responses["gaussian"].shape == (40, 60, 3) and found.responses["sobel-x"].shape == (40, 60)
    np.testing.assert_allclose(found.responses["gaussian"][20, 30] * 255, (240, 200, 200), rtol=1e-5)
    bright = (0.299 * 220 + 0.587 * 180 + 0.114 * 180) / 255
    np.testing.assert_allclose(found.responses["sobel-x"][20, 20], 4 * bright, rtol=1e-5)


def test_large_photos_are_shrunk_and_no_photo_is_refused() -> None:
    assert filtered(np.zeros((700, 1400, 1), np.uint8)).photo.shape == (160, 320, 1)
    assert filtered(np.zeros((1, 5000, 1), np.uint8), ["emboss"]).photo.shape == (1, 320, 1)
    assert filtered(np.full((1, 1, 3), 0.5), ["emboss"]).responses["emboss"] == pytest.approx(0.5)
    with pytest.raises(ShapeError, match="no photo"):
        filtered(np.zeros((4, 4)))
    with pytest.raises(ConfigurationError, match="emboss"):
        filtered(photo(), ["embos"])


@pytest.mark.parametrize("chosen", [(), ("emboss",), ("sobel-x", "gaussian", "laplacian")])
def test_the_command_draws_them(command: Command, tmp_path, chosen: tuple[str, ...]) -> None:
    path, out = tmp_path / "square.png", tmp_path / "drawn.png"
    Image.fromarray(photo()).save(path)
    words = ["--filters", *chosen] if chosen else []
    document = command("inspect", "filters", path, *words, "--out", out, "--json").json
    assert list(document["filters"]) == list(chosen or FILTERS) and document["out"] == str(out)
    if not chosen:
        assert document["filters"]["sobel-x"]["kernel"] == [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]
        assert -document["filters"]["sobel-x"]["smallest"] == pytest.approx(document["filters"]["sobel-x"]["largest"])
    with Image.open(out) as drawn:
        colours = np.asarray(drawn.convert("RGB")).reshape(-1, 3)
    assert len(np.unique(colours, axis=0)) > 20


def test_a_wrong_picture_or_name_gets_one_error(command: Command, tmp_path) -> None:
    text, picture, out = tmp_path / "text.png", tmp_path / "picture.png", tmp_path / "out.png"
    text.write_text("no picture")
    Image.fromarray(photo()).save(picture)
    for words, said in (((text,), "cannot be read"), ((tmp_path / "none.png",), "does not exist"), (
        (picture, "--filters", "sobel"), "sobel-x")):  # fmt: skip
        refused = command("inspect", "filters", *words, "--out", out)
        assert refused.code in (1, 2) and said in refused.err and not out.exists()
