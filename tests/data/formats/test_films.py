"""Films of every form come out as their frames; what is no film is refused, and says why."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganglion.data.catalogue import read
from ganglion.data.dataset import Dataset
from ganglion.data.fields import UNJUDGED
from ganglion.data.formats.films.clips import LONGEST_SIDE, VIDEOS, read_clip
from ganglion.data.settings import DataSettings
from ganglion.data.sources.generators import generate
from ganglion.data.sources.moving_digits import film_of
from ganglion.errors import DataError
from ganglion.figures import save_film

RANDOM = np.random.default_rng(0)
FILM = RANDOM.integers(0, 255, (5, 12, 16, 1), dtype=np.uint8)


def write(path: Path, film: np.ndarray = FILM, rate: float = 10) -> Path:
    """Write a film as a file, or as a folder of frames where the path has no ending."""
    path.parent.mkdir(parents=True, exist_ok=True)
    frames = [Image.fromarray(frame[..., 0] if frame.shape[-1] == 1 else frame) for frame in film]
    if path.suffix in (".png", ".gif") and len(film) == 1:
        frames[0].save(path)
    elif path.suffix == ".png":
        frames[0].save(path, save_all=True, append_images=frames[1:], duration=1000 / rate)
    elif path.suffix:
        save_film(film, path, rate)
    else:
        path.mkdir()
        for number, frame in enumerate(frames):
            frame.save(path / f"frame{number + 7}.png")  # 10 comes after 9
    return path


def films(folder: Path) -> Dataset:
    return read(str(folder), DataSettings(), kind="films")


@pytest.mark.parametrize("name", ["film.gif", "film.png", "film"])
def test_frames_come_back_in_order_and_at_their_speed(name: str, tmp_path: Path) -> None:
    clip = read_clip(write(tmp_path / name))
    np.testing.assert_array_equal(clip.frames, FILM)
    assert clip.rate == (10 if "." in name else 0)


@pytest.mark.parametrize("name", ["film.webp", "film.mp4"])
def test_films_that_lose_a_little_are_close(name: str, tmp_path: Path) -> None:
    if name.endswith(VIDEOS):
        pytest.importorskip("av", reason="the extra film is not installed")
    still = np.repeat(np.repeat(FILM[:, :3, :4], 4, 1), 4, 2)
    clip = read_clip(write(tmp_path / name, still))
    assert clip.frames.shape[:3] == still.shape[:3] and clip.rate == 10
    assert np.abs(clip.frames.astype(int) - still).mean() < 12


def test_colours_and_large_frames(tmp_path: Path) -> None:
    colour = np.zeros((3, 200, 300, 3), np.uint8)
    colour[..., 0] = np.array([255, 128, 0])[:, None, None]
    clip = read_clip(write(tmp_path / "wide.gif", colour))
    assert clip.frames.shape[-1] == 3 and max(clip.frames.shape[1:3]) == LONGEST_SIDE


def test_classes_and_parts_are_folders(tmp_path: Path) -> None:
    for part, count in (("train", 3), ("test", 2)):
        for label in ("left", "right"):
            for number in range(count):
                write(tmp_path / part / label / f"{number}{'.gif' if label == 'left' else ''}")
    found = films(tmp_path)
    assert (len(found), len(found.test_inputs or ()), found.label_names) == (6, 4, ("left", "right"))
    assert found.targets is not None and found.targets.tolist() == [0, 0, 0, 1, 1, 1]
    assert read(str(tmp_path), DataSettings(), kind="films").fingerprint == found.fingerprint


def test_a_table_gives_every_frame_a_class(tmp_path: Path) -> None:
    write(tmp_path / "one.gif")
    write(tmp_path / "two")
    (tmp_path / "labels.csv").write_text("clip,frame,label\none.gif,0,walk\none.gif,3,run\ntwo,1,walk\n")
    labels = films(tmp_path).fields["frame_labels"]
    assert labels.names == ("run", "walk")
    assert [one.tolist() for one in labels.values] == [[1, 1, 1, 0, 0], [UNJUDGED, 1, 1, 1, 1]]


def test_arrays_are_films_with_a_class_each_or_at_every_frame(tmp_path: Path) -> None:
    many = RANDOM.integers(0, 255, (6, 4, 8, 8), dtype=np.uint8)
    np.savez(tmp_path / "each.npz", inputs=many, targets=np.arange(6) % 2)
    found = films(tmp_path / "each.npz")
    assert found.main.values.shape == (6, 4, 8, 8, 1) and found.label_names == ("0", "1")
    np.savez(
        tmp_path / "every.npz", inputs=many[..., None, :, :], labels=np.tile(np.array(["a", "b", "b", "a"]), (6, 1))
    )
    labels = films(tmp_path / "every.npz").fields["frame_labels"]
    assert labels.names == ("a", "b") and np.asarray(labels.values)[0].tolist() == [0, 1, 1, 0]
    np.savez(tmp_path / "uneven.npz", inputs=many, targets=np.arange(5))
    with pytest.raises(DataError, match="differ in number"):
        films(tmp_path / "uneven.npz")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda folder: write(folder / "a" / "still.gif", FILM[:1]), "at least two frames"),
        (lambda folder: write(folder / "one frame", FILM[:1]), "at least two frames"),
        (lambda folder: Image.new("L", (3, 3)).save(write(folder / "clip") / "frame9.png"), "differ in size"),
        (lambda folder: [write(folder / name) for name in ("a/b.gif", "c/d.gif", "stray.gif")], "beside the folders"),
        (lambda folder: (folder / "cut.gif").write_bytes(write(folder / "b.gif").read_bytes()[:300]), "cannot be read"),
        (lambda folder: (folder / "notes.txt").write_text("nothing"), "no films"),
        (lambda folder: np.save(folder / "flat.npy", np.zeros((3, 3))), "no films"),
    ],
)
def test_what_is_no_film_is_refused(make, said: str, tmp_path: Path) -> None:
    make(tmp_path)
    found = next(tmp_path.glob("*.npy"), tmp_path)
    with pytest.raises(DataError, match=said) as caught:
        films(found)
    assert "expected" in str(caught.value) or "found" in str(caught.value)


def test_rows_that_name_nothing_are_refused_with_their_line(tmp_path: Path) -> None:
    write(tmp_path / "one.gif")
    for row, said in (("two.gif,0,walk", "line 3"), ("one.gif,99,walk", "from 0 to 4"), ("one.gif,x,walk", "line 3")):
        (tmp_path / "labels.csv").write_text(f"clip,frame,label\none.gif,0,run\n{row}\n")
        with pytest.raises(DataError, match=said):
            films(tmp_path)


def test_digits_that_go_round_say_nothing_in_a_single_frame() -> None:
    found = generate("moving-digits", count=1600)
    inputs, targets = np.asarray(found.inputs, dtype=float), found.targets
    means = np.stack([inputs[targets == way].mean((0, 1)) for way in range(8)])
    assert np.ptp(means, axis=0).max() < 30  # of 255, by chance


def test_digits_bounce_within_the_frame_at_a_steady_pace() -> None:
    dot = np.full((1, 1), 255, np.uint8)
    film = film_of([dot], np.random.default_rng(1), 32, 40, (2.0, 2.5))
    places = np.array([np.argwhere(frame)[0] for frame in film], dtype=float)
    steps = np.linalg.norm(np.diff(places, axis=0), axis=1)
    assert (film > 0).sum(axis=(1, 2)).tolist() == [1] * 40 and np.median(steps) == pytest.approx(2.25, abs=0.5)


def test_test_films_show_other_digits() -> None:
    found = generate("bouncing-digits", count=40)
    brightest = [sorted(np.asarray(film)[0].ravel().tolist())[-60:] for film in (*found.inputs, *found.test_inputs)]
    assert not any(one in brightest[:40] for one in brightest[40:])
