"""Files of tunes in ABC: faults are named by their line, and what is odd but sound is read."""

from pathlib import Path

from tests.hostile.case import accepted, put, refused

TUNE = "X:1\nT:One\nM:4/4\nL:1/8\nK:G\nGABc d4|e8|]\n\n"
NEVER = "X:1\nK:C\n" + "A" * 4_000 + '"never closed\n'


def broken(name: str, content: str, *said: str) -> None:
    refused("tunes", name, *said)(lambda folder: put(folder / "t.abc", content))


broken("a sign that is none", "X:1\nK:C\nABc|\nde ? f|\n", "no ABC", "t.abc, line 4, column 4")
broken("a chord that is never closed", "X:1\nK:C\n[CEG\n", "no ABC", "line 3, column 1")
broken("quotation marks that are never closed", NEVER, "no ABC", "line 3, column 4001")
broken("no key", "X:1\nT:One\nABc|\n", "before a field K:", "line 3")
broken("a key that there is not", "X:1\nK:H\nABc|\n", "no key", "line 2")
broken("a metre of noughts", "X:1\nM:0/0\nK:C\nABc|\n", "no metre", "line 2")
broken("fields without music", "X:1\nT:One\nK:C\n", "no notes")
broken("several voices", "X:1\nK:C\nV:1\nABc|\nV:2\nCDE|\n", "several voices", "line 5")
broken("a note as long as a life", "X:1\nK:C\nA999999|\n", "no length that can be played", "line 3")
broken("a number of many digits", "X:1\nK:C\nA" + "9" * 9_000 + "|\n", "line 3")
broken("as many slashes", "X:1\nK:C\nA" + "/" * 9_000 + "|\n", "no ABC", "line 3, column 8")
broken("a length over nothing", "X:1\nL:1/0\nK:C\nABc|\n", "no length", "line 2")
broken("empty", "", "no field K:")
broken("bytes", "\x00\x01\x02" * 50, "not a text")


@accepted("tunes", "a broken tune among sound ones", "left out", "line 10, column 3")
def _(folder: Path) -> Path:
    return put(folder / "t.abc", TUNE + "X:2\nK:C\nAB!|\n\nX:3\nK:C\nCDE|\n")


@accepted("tunes", "line ends of Windows, the same tune twice", "stand there twice, read once: 1")
def _(folder: Path) -> Path:
    return put(folder / "t.abc", (TUNE + TUNE + "X:2\nK:C\nCDE|\n").replace("\n", "\r\n"))
