"""Films last as long as they should, show what they were given, and begin again for ever."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageSequence

from ganglion import figures
from ganglion.errors import MissingExtraError, UsageError

RANDOM = np.random.default_rng(0)


def ball(frames: int = 12) -> np.ndarray:
    """A red square that moves over a blue ground."""
    film = np.zeros((frames, 20, 30, 3), np.uint8)
    film[..., 2] = 200
    for time, frame in enumerate(film):
        frame[4:8, time : time + 4] = (255, 0, 0)
    return film


def read(path: Path) -> tuple[list[np.ndarray], list[int], int]:
    with Image.open(path) as image:
        shown, times = [], []
        for frame in ImageSequence.Iterator(image):
            shown.append(np.asarray(frame.convert("RGB")))
            times.append(frame.info.get("duration", 0))
        return shown, times, image.info.get("loop", -1)


def test_a_gif_shows_the_frames_at_their_speed(tmp_path: Path) -> None:
    shown, times, loop = read(figures.save_film(ball(), tmp_path / "new" / "ball.gif", 30))
    np.testing.assert_array_equal(shown, ball())
    assert set(times) == {30, 40} and sum(times) == 400  # 12 frames of a thirtieth of a second
    assert loop == 0  # for ever


def test_shades_of_grey_are_exact_and_numbers_are_scaled(tmp_path: Path) -> None:
    grey = RANDOM.integers(0, 256, (5, 16, 16), dtype=np.uint8)
    shown, _, _ = read(figures.save_film(grey, tmp_path / "grey.gif"))
    np.testing.assert_array_equal(np.array(shown)[..., 1], grey)
    shown, _, _ = read(figures.save_film(list(grey / 255), tmp_path / "numbers.gif"))
    np.testing.assert_array_equal(np.array(shown)[..., 1], grey)


def test_a_webp_is_close_and_for_ever(tmp_path: Path) -> None:
    shown, _, loop = read(figures.save_film(ball(), tmp_path / "ball.webp", 30))
    assert len(shown) == 12 and loop == 0
    assert np.abs(np.array(shown).astype(int) - ball()).mean() < 8


def test_frames_are_left_out_of_films_that_are_too_fast(tmp_path: Path) -> None:
    _, times, _ = read(figures.save_film(ball(), tmp_path / "fast.gif", 120))
    assert len(times) == 4 and sum(times) == 100


def test_one_frame_is_a_film(tmp_path: Path) -> None:
    shown, _, _ = read(figures.save_film(ball(1), tmp_path / "still.gif"))
    np.testing.assert_array_equal(shown, ball(1))


def test_an_mp4_is_written_where_its_package_is(tmp_path: Path) -> None:
    av = pytest.importorskip("av", reason="the extra film is not installed")
    with av.open(str(figures.save_film(ball()[:, :19, :29], tmp_path / "ball.mp4", 10))) as film:
        (stream,) = film.streams.video
        assert stream.average_rate == 10
        shown = np.array([frame.to_ndarray(format="rgb24") for frame in film.decode(stream)])
    assert shown.shape == (12, 20, 30, 3)
    assert np.abs(shown[:, :19, :29].astype(int) - ball()[:, :19, :29]).mean() < 12


def test_without_the_package_an_mp4_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(MissingExtraError, match=r"ganglion\[film\]"):
        figures.save_film(ball(), tmp_path / "ball.mp4")


def test_what_is_no_film_is_refused(tmp_path: Path) -> None:
    for frames, name, speed in (
        ([], "none.gif", 25),
        ([ball()[0], ball()[0, :5]], "sizes.gif", 25),
        (ball(), "ball.avi", 25),
        (ball(), "slow.gif", 0),
    ):
        with pytest.raises(UsageError):
            figures.save_film(frames, tmp_path / name, speed)
    assert not list(tmp_path.iterdir())


def test_a_sheet_shows_every_image_in_its_place() -> None:
    images = RANDOM.integers(0, 256, (5, 32, 16, 3), dtype=np.uint8)
    drawn = figures.sheet(images, columns=3)
    assert drawn.shape == (2 * (128 + 2) + 2, 3 * (64 + 2) + 2, 3)
    np.testing.assert_array_equal(drawn[132:260:4, 68:132:4], images[4])
    assert (drawn[132:, 134:] == 255).all()  # where a sixth would be


def test_sheets_and_films_need_no_matplotlib() -> None:
    code = "import sys; from ganglion.figures import save_film, sheet; print('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "False"
