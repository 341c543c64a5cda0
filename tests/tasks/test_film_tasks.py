"""Films are classified and continued: from files of every form, with controls, pictures and plain errors."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import ganglion
from ganglion.data.formats.films.clips import read_clip
from ganglion.data.sources.generators import generate
from ganglion.errors import DataError, UsageError
from ganglion.figures import save_film
from ganglion.runs.run import Run
from ganglion.runs.writing import write
from ganglion.tasks.answers import Film, Images, Rows

QUICK: dict[str, Any] = {"threads": 1, "steps": 4, "batch_size": 8, "evaluate_every": 4}
WATCHER: dict[str, Any] = {**QUICK, "image_size": 16, "channels": (4,), "features": 8, "hidden_features": 8}
FORECASTER: dict[str, Any] = {**QUICK, "longest_side": 16, "hidden_channels": (4,), "patch_size": 4}


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("watcher")
    return ganglion.train("video-classifier", generate("moving-digits", count=80), out=folder / "run", **WATCHER)


@pytest.fixture(scope="module")
def by_frame(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("by-frame")
    return ganglion.train("video-classifier", generate("turning-digits", count=40), out=folder / "run", **WATCHER)


@pytest.fixture(scope="module")
def continued(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("forecaster")
    return ganglion.train("convlstm", generate("bouncing-digits", count=24), out=folder / "run", **FORECASTER)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return save_film(np.asarray(generate("moving-digits", count=4).inputs)[0], tmp_path / "clip.gif", 10)


def test_the_controls_stand_beside_the_score(watched: Run) -> None:
    assert {"accuracy", "shuffled_accuracy", "single_frame_accuracy"} <= set(watched.metrics)
    assert watched.metrics["single_frame_accuracy"] < 0.5
    assert {"film_strips", "over_time", "confusion_matrix"} <= set(watched.figures)


def test_a_clip_is_answered_as_a_row_a_strip_or_a_film(watched: Run, clip: Path, tmp_path: Path) -> None:
    answer = watched.answer("predict", inputs=[str(clip)])
    assert isinstance(answer, Rows)
    (row,) = answer.rows
    assert row["label"] in watched.task.label_names and row["frames"].startswith("0 ")
    json.dumps(answer.value)
    write(answer, tmp_path / "strip.png")
    with Image.open(tmp_path / "strip.png") as strip:
        assert strip.width > 1000
    write(answer, tmp_path / "labelled.gif")
    assert len(read_clip(tmp_path / "labelled.gif").frames) == 10
    film, pictures = answer.also
    assert isinstance(film, Film) and film.rate == 10 and isinstance(pictures, Images)


def test_files_arrays_and_folders_give_one_answer(watched: Run, tmp_path: Path) -> None:
    film = np.asarray(generate("moving-digits", count=4).inputs)[0]
    frames = tmp_path / "frames"
    frames.mkdir()
    for number, frame in enumerate(film):
        Image.fromarray(frame[..., 0]).save(frames / f"{number}.png")
    np.savez(tmp_path / "films.npz", inputs=film[None])
    asked = ([str(save_film(film, tmp_path / "film.gif", 8))], [str(frames)], [str(tmp_path / "films.npz")], [film])
    answers = [watched.answer("predict", inputs=one).rows[0] for one in asked]  # type: ignore[union-attr]
    assert len({(row["label"], row["probability"], row["frames"]) for row in answers}) == 1


def test_every_frame_has_its_label(by_frame: Run, clip: Path) -> None:
    (row,) = by_frame.answer("predict", inputs=[str(clip)]).rows  # type: ignore[union-attr]
    said = {part.split(" ", 1)[1] for part in row["frames"].split(", ")}
    assert "label" not in row and said <= {"up", "down", "left", "right"}
    assert by_frame.config.by_frame and by_frame.config.num_frames == 12


def test_a_film_is_continued_at_its_own_size_and_speed(continued: Run, clip: Path, tmp_path: Path) -> None:
    answer = continued.answer("predict", inputs=[str(clip)], frames=7)
    assert isinstance(answer, Film)
    assert answer.frames.shape == (7, 32, 32, 1) and answer.rate == 10
    write(answer, tmp_path / "next.gif")
    assert (tmp_path / "next.gif").stat().st_size
    whole = continued.answer("predict", inputs=[str(clip)], frames=7, whole=True)
    assert isinstance(whole, Film) and len(whole.frames) == 7 + continued.config.input_frames
    two = continued.answer("predict", inputs=[str(clip), str(clip)], frames=2)
    assert isinstance(two, Film) and two.frames.shape == (2, 32, 64, 1)
    np.testing.assert_array_equal(two.frames[:, :, :32], answer.frames[:2])
    with pytest.raises(UsageError, match="frames"):
        continued.answer("predict", inputs=[str(clip)], frames=0)


def test_a_clip_is_read_step_by_step(watched: Run, continued: Run, clip: Path) -> None:
    for run in (watched, continued):
        read, labels = run.task.steps(str(clip))
        assert read.shape[:2] == (1, len(labels))


def test_baselines_and_a_film_stand_in_the_report(continued: Run) -> None:
    assert continued.metrics["last_frame_cross_entropy"] <= continued.metrics["mean_frame_cross_entropy"] + 5
    assert continued.result["baseline"] == pytest.approx(continued.metrics["last_frame_cross_entropy"])
    assert (continued.folder / "figures" / "film.gif").is_file()
    assert "data:image/gif" in (continued.folder / "report.html").read_text()


def test_one_long_clip_is_enough_to_learn_from(tmp_path: Path) -> None:
    long = np.concatenate(list(generate("bouncing-digits", count=8).inputs))
    save_film(long, tmp_path / "long.gif", 10)
    run = ganglion.train("convlstm", tmp_path / "long.gif", out=tmp_path / "run", **FORECASTER)
    assert run.config.image_height == 16 and np.isfinite(run.metrics["cross_entropy"])


def test_clips_that_are_too_short_are_refused(continued: Run, clip: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="too short"):
        ganglion.train("convlstm", generate("moving-digits", count=20), out=tmp_path / "run", output_frames=6, **QUICK)
    with pytest.raises(DataError, match="too short to go on"):
        continued.answer("predict", inputs=[np.zeros((3, 16, 16, 1), np.uint8)])
    Image.new("L", (8, 8)).save(tmp_path / "still.gif")
    with pytest.raises(DataError, match="two frames"):
        continued.answer("predict", inputs=[str(tmp_path / "still.gif")])
