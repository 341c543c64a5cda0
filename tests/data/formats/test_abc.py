"""ABC: lengths, pitches and bars as the standard says, repeats as they are played, faults by their lines."""

from fractions import Fraction
from pathlib import Path

import pytest

from ganglion.data.catalogue import read
from ganglion.data.formats.abc import Key, read_tune
from ganglion.data.settings import DataSettings
from ganglion.errors import DataError

EIGHTH = Fraction(1, 8)


def body(music: str, *fields: str) -> list[str]:
    return ["X:1", "M:4/4", "L:1/8", *fields, "K:C", *music.split("\n")]


def lengths(music: str) -> list[Fraction]:
    return [note.length / EIGHTH for bar in read_tune(body(music)).bars for note in bar.notes]


@pytest.mark.parametrize(
    ("music", "expected"),
    [
        ("A2 B3/2 c/ d// e/4", [2, 1.5, 0.5, 0.25, 0.25]),
        ("(3ABc d", [Fraction(2, 3)] * 3 + [1]),
        ("(3:2:2A2B d", [Fraction(4, 3), Fraction(2, 3), 1]),
        ("A>B c<d A>>B", [1.5, 0.5, 0.5, 1.5, 1.75, 0.25]),
        ("[CE2G]2 z2 A", [2, 2, 2, 1]),  # the notes of a chord are as long as its first
        ("{gf}A !trill!B .c ~d (ef)", [1, 1, 1, 1, 1, 1]),
    ],
)
def test_lengths(music: str, expected: list[float]) -> None:
    assert lengths(music) == [Fraction(one) for one in expected]


def test_pitches_follow_key_accidentals_and_bars() -> None:
    tune = read_tune(["K:D", "F C c' C, | ^G G g | =F F | F _B"])
    assert tune.pitches == [66, 61, 85, 49, 68, 68, 79, 65, 65, 66, 70]


@pytest.mark.parametrize(
    ("name", "sharps"),
    [("C", 0), ("Am", 0), ("F#m", 3), ("Bb", -2), ("Ddor", 0), ("E mix", 3), ("Gmin", -2), ("none", 0)],
)
def test_keys(name: str, sharps: int) -> None:
    assert Key.named(name).sharps == sharps and len(Key.named(name).scale) == 7


def test_bars_are_judged_but_not_upbeats() -> None:
    tune = read_tune(body("A2|ABcd efga|ABcd|ABcd ef:|\nga|ABcd efga|\nM:3/4\nABc def|"))
    assert tune.right == [True, True, False, True, True, True, True]
    assert [bar.at_a_border for bar in tune.bars] == [True, False, False, True, True, False, True]
    assert read_tune(body("A2|ABcd efga|ABcd|\nABcd efga:|B3|]")).right == [True, True, False, True, False]


@pytest.mark.parametrize(
    ("music", "order"),
    [
        ("C8|D8|", "CD"),
        ("C8:|D8:|", "CCDD"),
        ("|:C8|D8:|:E8:|", "CDCDEE"),
        ("C8||D8|E8:|F8|", "CDEDEF"),
        ("|:C8|1D8:|2E8||F8|", "CDCEF"),
        ("|:C8|[1D8:|[2E8|:F8:|", "CDCEFF"),
        ("C8::D8:|", "CCDD"),
        ("C8:|\n|:D8:|", "CCDD"),
    ],
)
def test_repeats(music: str, order: str) -> None:
    names = {60: "C", 62: "D", 64: "E", 65: "F"}
    assert "".join(names[bar.notes[0].pitch] for bar in read_tune(body(music)).played()) == order


def test_what_is_learnt_has_no_titles_and_reads_the_same_again() -> None:
    tune = read_tune(
        ["X:7", "T:Secret", "S:me", "% note", "M:6/8", "K:G", "P:A", '"G" G2 A | B3 :| % end', "[M:3/4] cde|"]
    )
    assert tune.text == 'M:6/8\nL:1/8\nK:G\n"G"G2 A|B3:|\n[M:3/4] cde|\n'
    again = read_tune(tune.text.split("\n"))
    assert again.text == tune.text and again.pitches == tune.pitches
    assert [bar.length for bar in again.bars] == [bar.length for bar in tune.bars]


@pytest.mark.parametrize(
    ("lines", "message", "line"),
    [
        (body("ABc|\nAB%c\nde & fg"), "no ABC", "line 7, column 4"),
        (body('"G ABc|'), "no ABC", "line 5, column 1"),
        (body("[AB"), "no ABC", "line 5, column 1"),
        (["X:1", "K:H", "ABc"], "no key", "line 2"),
        (["X:1", "K:G#", "ABc"], "so many signs", "line 2"),
        (["X:1", "M:x/8", "K:C", "ABc"], "no metre", "line 2"),
        (["X:1", "L:1/0", "K:C", "ABc"], "no length", "line 2"),
        (["X:1", "ABc|"], "before a field K:", "line 2"),
        (["X:1", "T:none"], "no field K:", "line 1"),
        (["X:1", "K:C", "|z4|"], "no notes", "line 1"),
        (body("A999999999|"), "no length that can be played", "line 5, column 1"),
        (body(">A"), "lengthened", "line 5, column 1"),
        (["X:1", "K:C", "V:1", "ABc", "V:2", "CDE"], "several voices", "line 5"),
    ],
)
def test_faults_name_their_lines(lines: list[str], message: str, line: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        read_tune(lines)
    assert caught.value.where == line


def test_files_and_folders(tmp_path: Path) -> None:
    good = "X:{}\r\nT:a\r\nK:C\r\nCDE{}FG|\r\n\r\n"
    (tmp_path / "a.abc").write_bytes(
        "".join(good.format(n, "C" * n) for n in range(3)).encode() + b"X:9\r\nK:C\r\nC?|\r\n"
    )
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "b.abc").write_text(good.format(4, ""))
    (tmp_path / "README.md").write_text("tunes")
    one = read(tmp_path / "a.abc", DataSettings())
    assert one.kind == "tunes" and len(one) == 3
    assert any("line 18, column 2: this is no ABC" in note for note in one.notes)
    whole = read(tmp_path, DataSettings(), kind="tunes")
    assert len(whole) == 3 and any("stand there twice" in note for note in whole.notes)
    (tmp_path / "bad.abc").write_text("X:1\nK:C\nC?|\n")
    with pytest.raises(DataError, match="no ABC") as caught:
        read(tmp_path / "bad.abc", DataSettings())
    assert caught.value.where.endswith("bad.abc, line 3, column 2")
