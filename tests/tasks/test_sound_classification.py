"""Recordings told apart: judged beside templates, drawn, asked about in files of any rate; what is odd is said."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.io import wavfile

from ganglion.cli import main
from ganglion.data.preprocessing import WaveformPreprocessing
from ganglion.data.settings import DataSettings
from ganglion.data.sources.generators import generate
from ganglion.errors import DataError
from ganglion.models.recurrent.spoken_words import TINY, SpokenWords, build
from ganglion.runs.session import Session, prepare
from ganglion.tasks.shared.listening import asked_sounds
from ganglion.tasks.sound_classification import Predict, SoundClassification, spoken_for, stretched

RATE = 8000


@cache
def task() -> SoundClassification:
    return SoundClassification.prepare(generate("voices", count=60), TINY, DataSettings(), seed=0)


def test_sizes_follow_from_the_data_and_measures_are_known() -> None:
    assert (task().config.num_classes, task().config.sample_rate) == (10, RATE)
    torch.manual_seed(0)
    measures = task().evaluate(build(task().config), "test")
    assert set(measures) <= {measure.name for measure in task().measures}
    assert measures["template_accuracy"] > task().baseline()["accuracy"]
    assert any("s a sound, at most" in note for note in task().notes)


def test_long_sounds_are_cut_and_that_is_said() -> None:
    short = SoundClassification.prepare(generate("voices", count=60), replace(TINY, window=0.3), DataSettings(), seed=0)
    assert int(short.data.columns("train")["inputs"].lengths.max()) == 2400  # type: ignore[union-attr]
    assert any("cut after 0.3 s" in note for note in short.notes)


def test_draws_what_spoke_for_answers() -> None:
    torch.manual_seed(0)
    drawn = task().figures(build(task().config))
    assert {"evidence", "confusion_matrix"} <= set(drawn) <= set(task().captions)
    shown = [panel for panel in drawn["evidence"].axes if panel.images]
    assert len(shown) >= 4 and len(shown) % 2 == 0


def test_evidence_is_the_slope_times_what_is_there() -> None:
    """Of a network whose answer is the sum over all frames of one band, that band and no other."""

    class Sums(SpokenWords):
        def answer(self, features: torch.Tensor, frames: torch.Tensor) -> torch.Tensor:
            return features[:, :, 3].sum(1, keepdim=True)

    frames, parts = spoken_for(Sums(TINY), torch.randn(1600), 0)
    torch.testing.assert_close(parts[:, 3], frames[:, 3])
    assert not parts[:, :3].any() and not parts[:, 4:].any()


def test_templates_are_of_one_length() -> None:
    frames = torch.randn(17, 4)
    assert stretched(frames).shape == (24, 4)
    torch.testing.assert_close(stretched(frames, 17), frames)


def test_a_restored_task_answers_alike_whatever_else_is_asked() -> None:
    torch.manual_seed(0)
    network = SpokenWords(task().config)
    restored = SoundClassification.restore(task().state(), task().config)
    sounds = list(task().data.raw("test").values[:5])
    every = restored.predict(network, Predict(inputs=sounds)).value
    assert every == task().predict(network, Predict(inputs=sounds)).value
    assert [restored.predict(network, Predict(inputs=[one])).value[0] for one in sounds] == every


def test_files_of_any_rate_are_brought_to_that_of_training(tmp_path: Path) -> None:
    tone = (8000 * np.sin(2 * np.pi * 300 * np.arange(4410) / 44100)).astype(np.int16)
    wavfile.write(tmp_path / "high.wav", 44100, np.stack([tone] * 2, axis=1))
    wavfile.write(tmp_path / "silent.wav", RATE, np.zeros(900, np.int16))
    wavfile.write(tmp_path / "low.wav", 4000, tone[:400])
    sound = WaveformPreprocessing(deviation=1.0, rate=RATE, most=700)
    found = asked_sounds([str(tmp_path)], sound)
    assert [len(one) for one in found.samples] == [800, 800, 900]
    assert [Path(name["input"]).name for name in found.names] == ["high.wav", "low.wav", "silent.wav"]
    said = "; ".join(found.notes)
    for words in ("silent.wav", "2 channels", "4,000, 44,100 a second are resampled to 8,000", "lower rate", "cut"):
        assert words in said
    with pytest.raises(DataError, match="does not exist"):
        asked_sounds([str(tmp_path / "none.wav")], sound)


def test_an_array_without_length_is_refused() -> None:
    network = SpokenWords(task().config)
    with pytest.raises(DataError, match="no length"):
        task().predict(network, Predict(inputs=[np.zeros(0, np.float32)]))


def test_trains_and_answers_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    voices = generate("voices", count=60)
    assert voices.targets is not None
    for place, (sound, word) in enumerate(zip(voices.inputs, voices.targets, strict=True)):
        folder = tmp_path / "words" / voices.label_names[word]
        folder.mkdir(parents=True, exist_ok=True)
        wavfile.write(folder / f"{place}.wav", RATE, sound)
    tiny = {"channels": (4,), "hidden_features": 8, "bands": 16, "steps": 2, "threads": 1}
    session = prepare("spoken-words", tmp_path / "words", out=tmp_path / "run", **tiny)
    assert isinstance(session, Session)
    session.trainer.fit()
    session.files.unlock()
    assert main(["predict", str(tmp_path / "run"), str(next((tmp_path / "words" / "mana").iterdir())), "--json"]) == 0
    assert '"label"' in capsys.readouterr().out
    (tmp_path / "bad.wav").write_bytes(b"RIFF")
    assert main(["predict", str(tmp_path / "run"), str(tmp_path / "bad.wav")]) in (1, 2)
    assert "WAV" in capsys.readouterr().err
