"""Joining and losing each other: who is heard, what is refused, and what is said."""

import time
from collections import Counter
from pathlib import Path

import pytest

import ganglion
from ganglion.cli import main
from ganglion.errors import UsageError
from ganglion.training.processes.joining import Heart, team_of
from ganglion.training.settings import TrainerSettings
from tests.warm import WarmProcess

BEAT, SILENCE = 0.01, 0.2


class Store(Counter[str]):
    """What a store of torch is asked, in this process; it can be reached for so many calls."""

    def __init__(self, calls: float = float("inf"), hangs: bool = False) -> None:
        super().__init__()
        self.calls, self.hangs = calls, hangs

    def add(self, name: str, number: int) -> int:
        self.calls -= 1
        if self.calls < 0 and self.hangs:
            time.sleep(4 * SILENCE)
        if self.calls < 0:
            raise RuntimeError("connection closed")
        self[name] += number
        return self[name]


def heard(store: Store, *, beats: bool = False, leaves: bool = False) -> list[int | None]:
    """Return whom the last of three processes takes for gone within three times the silence it bears."""
    gone: list[int | None] = []
    heart = Heart(store, 2, 3, gone.append, beat=BEAT, silence=SILENCE)
    store["left 1"] = int(leaves)
    heart.start()
    end = time.monotonic() + 3 * SILENCE
    while time.monotonic() < end:
        store["beat 1"] += int(beats)
        time.sleep(BEAT / 2)
    heart.stop()
    return gone


def test_a_process_that_is_silent_is_taken_for_lost() -> None:
    assert set(heard(Store())) == {1}


def test_one_that_beats_or_has_left_is_not() -> None:
    assert heard(Store(), beats=True) == []
    assert heard(Store(), leaves=True) == []


def test_a_store_that_does_not_answer_went_with_the_launcher() -> None:
    assert set(heard(Store(calls=9), beats=True)) == {None}
    assert set(heard(Store(calls=9, hangs=True), beats=True)) == {None}


def test_a_heart_says_when_it_leaves() -> None:
    store = Store()
    heard(store, beats=True)
    assert store["left 2"] == 1 and store["beat 2"] > 3


def in_world_of(size: int, monkeypatch: pytest.MonkeyPatch, rank: int = 0) -> None:
    for name, value in (("RANK", rank), ("WORLD_SIZE", size), ("MASTER_ADDR", "127.0.0.1"), ("MASTER_PORT", 1)):
        monkeypatch.setenv(name, str(value))


def test_slices_that_processes_cannot_share_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    in_world_of(3, monkeypatch)
    with pytest.raises(UsageError, match="divided evenly"):
        team_of(TrainerSettings(exact_world=4))


def test_a_system_without_gradients_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="follows no gradient"):
        ganglion.train("mdp", exact_world=2, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_other_commands_are_refused_once(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for rank in (0, 1):
        in_world_of(2, monkeypatch, rank)
        assert main(["evaluate", "runs/none"]) == 2
        said = capsys.readouterr().err
        assert ("several processes cannot share the command 'evaluate'" in said) == (rank == 0), said


def test_processes_that_were_asked_for_different_things_say_in_what(warm: WarmProcess, place: Path) -> None:
    outcome = warm.run("tests.processes.runs:differ", str(place / "run"))
    assert outcome.status == 0, outcome.errors
    for one in outcome.value:
        assert one["status"] == UsageError.exit_code, one
        assert "they differ in trainer" in one["errors"], one
    assert not (place / "run").exists()
