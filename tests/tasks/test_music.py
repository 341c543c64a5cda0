"""The task of music: what is asked for begins a tune, which is measured and heard, and whose MIDI others read."""

import io
import json
import wave
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ganglion.data.dataset import Dataset
from ganglion.data.fields import Field
from ganglion.data.formats.abc import read_tune
from ganglion.data.preprocessing.texts import END
from ganglion.data.settings import DataSettings
from ganglion.data.sources.generators import generate
from ganglion.errors import DataError, GanglionError
from ganglion.figures import save
from ganglion.models.recurrent.music_rnn import TINY, build
from ganglion.runs.writing import write
from ganglion.tasks.answers import Text
from ganglion.tasks.measures.tunes import grams, judge_tunes
from ganglion.tasks.music import Generate, Music
from ganglion.tasks.shared.texts.performance import midi, perform, sound

TUNE = ["X:1", "M:4/4", "L:1/8", "K:G", '|:"G"GABc d4-|d2BG "D7"A4:|', '"Em"e8|"G"G8|]']


@cache
def prepared() -> Music:
    tunes = generate("tunes", count=60)
    return Music.prepare(tunes, TINY, DataSettings(batch_size=16), seed=0)


class Writer(nn.Module):
    """Writes the same tune after any end, and goes on with it after any beginning of it."""

    def __init__(self, task: Music, text: str) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))
        self.task, self.text = task, text + END

    def read(self, inputs: Tensor, states: Any = None) -> tuple[Tensor, Any]:
        states = states or [""] * len(inputs)
        told, outputs = [], torch.full((*inputs.shape, self.task.signs.num_tokens), -20.0)
        for row, (numbers, before) in enumerate(zip(inputs.tolist(), states, strict=True)):
            past = (before + "".join(self.task.signs.named(numbers))).rpartition(END)[2]
            said = self.text[len(past)] if len(past) < len(self.text) else END
            outputs[row, -1, self.task.signs.tokens.index(said)] = 20.0
            told.append(past)
        return outputs, told


def asked(network: nn.Module, **question: Any) -> Text:
    return prepared().generate(network.eval(), Generate(**question))


SAME = 'M:4/4\nL:1/8\nK:G\n|:"G"G2 A2 B4|"D7"A2 G2 "G"G4:|\n'


def test_a_tune_is_written_as_a_whole_file_of_abc() -> None:
    answer = asked(Writer(prepared(), SAME), tunes=2)
    assert answer.text == "\n".join(f"X:{n}\nT:Tune {n} in G\n{SAME}" for n in (1, 2)) and not answer.notes


def test_key_metre_and_opening_begin_the_tune(tmp_path: Path) -> None:
    network = Writer(prepared(), SAME)
    answer = asked(network, key="D", metre="6/8", opening="|:D2F A2d|", drafts=1)
    assert "M:6/8\nL:1/8\nK:D\n|:D2F A2d|" in answer.text
    assert "\nK:Em\n" in asked(network, key="Emin", drafts=1).text
    unusual = asked(network, key="Ebmix", metre="7/8", drafts=1)
    assert "M:7/8\n" in unusual.text and "\nK:Ebmix\n" in unusual.text
    assert any("no training tune is in Ebmix" in note for note in unusual.notes)
    (tmp_path / "begun.abc").write_text("X:1\nT:Begun\nM:3/4\nL:1/4\nK:F\nFAc|\n")
    assert "M:3/4\nL:1/4\nK:F\nFAc|" in asked(network, opening=str(tmp_path / "begun.abc"), drafts=1).text


@pytest.mark.parametrize(
    ("question", "message"),
    [
        ({"key": "H"}, "no key"),
        ({"metre": "x"}, "no metre"),
        ({"opening": "GAB|c?d"}, "no ABC"),
        ({"opening": "missing.abc"}, "does not exist"),
    ],
)
def test_refuses_what_cannot_begin_a_tune(question: dict[str, str], message: str) -> None:
    with pytest.raises(GanglionError, match=message) as caught:
        asked(build(prepared().config).home, **question)
    if question.get("opening") == "GAB|c?d":
        assert caught.value.where == "--opening, line 1, column 6"


def test_a_tune_that_cannot_be_counted_is_drawn_anew_and_said() -> None:
    crooked = Writer(prepared(), SAME.replace('"D7"', 'E7|"D7"'))
    assert "wrong length" in asked(crooked, drafts=2).notes[0]
    broken = asked(Writer(prepared(), SAME.replace("B4", '"')), drafts=1)
    assert "no ABC" in broken.notes[0] and broken.text.startswith("X:1\nT:Tune 1\nM:4/4")


def test_measures_by_hand() -> None:
    right = read_tune(TUNE)
    crooked = read_tune(["M:4/4", "L:1/8", "K:C", "|C8|D8|^F7|G8|"])
    found = judge_tunes([right, crooked, None], set(grams(right)))
    assert found["parse_rate"] == pytest.approx(2 / 3)
    assert found["right_bars"] == pytest.approx((len(right.right) + 3) / (len(right.right) + 4))
    assert found["in_key"] == pytest.approx((len(right.pitches) + 3) / (len(right.pitches) + 4))
    assert found["copied_8_grams"] == 1.0 and len(grams(crooked)) == 0


def test_the_network_and_the_chain_are_judged_on_the_same_signs() -> None:
    task = prepared()
    rule = build(task.config)
    measures, baseline = task.evaluate(rule, "test"), task.baseline()
    assert set(measures) >= set(baseline) and np.isfinite(list(measures.values())).all()
    assert baseline["loss"] < measures["loss"] == pytest.approx(np.log(task.signs.num_tokens), rel=0.1)


def test_files_of_all_kinds(tmp_path: Path) -> None:
    answer = asked(Writer(prepared(), SAME))
    for name in ("tune.abc", "tune.txt", "tune.mid", "tune.wav"):
        write(answer, tmp_path / name)
    assert (tmp_path / "tune.abc").read_text() == (tmp_path / "tune.txt").read_text() == answer.text
    assert (tmp_path / "tune.mid").read_bytes()[:4] == b"MThd"
    with wave.open(str(tmp_path / "tune.wav")) as file:
        seconds = file.getnframes() / file.getframerate()
    assert seconds == pytest.approx(16 * 60 / 108, abs=0.3)  # four bars of four beats, with their repeat


def test_ties_repeats_and_chords_sound() -> None:
    performance = perform([read_tune(TUNE)])
    assert [float(note.length) for note in performance.melody[:5]] == [0.125] * 4 + [0.75]
    assert float(performance.melody[-1].start) == 5.0 and performance.melody[-1].pitch == 67
    assert performance.accompaniment[0].pitch % 12 == 7
    samples = sound(performance)
    assert np.abs(samples).max() == pytest.approx(0.9)
    quarter = samples[: int(22_050 * performance.seconds / 8)]
    loudest = np.abs(np.fft.rfft(quarter * np.hanning(len(quarter)), 1 << 16)).argmax() * 22_050 / (1 << 16)
    assert loudest == pytest.approx(392.0, rel=0.03)  # the G above the middle C


def test_midi_as_music21_reads_it() -> None:
    music21 = pytest.importorskip("music21")
    performance = perform([read_tune(TUNE)])
    file = music21.midi.MidiFile()
    file.openFileLike(io.BytesIO(midi(performance)))
    file.read()
    assert len(file.tracks) == 3 and file.ticksPerQuarterNote == 480
    now, begun = 0, []
    for event in file.tracks[1].events:
        now += event.time if event.isDeltaTime() else 0
        if event.isNoteOn():
            begun.append((now / 1920, event.pitch))
    assert begun == [(float(note.start), note.pitch) for note in performance.melody]


def test_a_restored_task_writes_the_same_and_figures_are_drawn(tmp_path: Path) -> None:
    task = prepared()
    torch.manual_seed(0)
    network = build(task.config).home.eval()
    again = Music.restore(json.loads(json.dumps(task.state())), task.config)
    question = Generate(key="G", drafts=1, seed=4)
    assert again.generate(network, question).text == task.generate(network, question).text

    class Rule:
        home = Writer(task, SAME)

    for name, figure in task.figures(Rule()).items():  # type: ignore[arg-type]
        save(figure, tmp_path / f"{name}.png")
    assert {path.stem for path in tmp_path.iterdir()} == set(task.captions)


def test_tunes_are_asked_about(tmp_path: Path) -> None:
    task, network = prepared(), build(prepared().config).home.eval()
    path = tmp_path / "two.abc"
    path.write_text("\n".join([*TUNE, "", "X:2", "T:Crooked", "M:4/4", "L:1/8", "K:Am", "A8|A8|A7|A8|A8|"]))
    rows = task.predict(network, task.verbs["predict"](inputs=[str(path)])).rows
    assert [row["key"] for row in rows] == ["G", "Am"] and [row["wrong_bars"] for row in rows] == [[], [3]]
    with pytest.raises(DataError, match="no ABC"):
        task.predict(network, task.verbs["predict"](inputs=["K:C\nC?|"]))


def test_refuses_too_little_music() -> None:
    short = Dataset(name="a", fields={"tunes": Field(kind="texts", values=["K:C\nC|\n"] * 2)})
    with pytest.raises(DataError, match="shorter than a window"):
        Music.prepare(short, TINY, DataSettings(validation=0.0, test=0.0), seed=0)
