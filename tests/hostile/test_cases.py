"""Hostile and odd data: refused in words, within two seconds and 300 MB, or read with a note."""

import os
import shutil
from pathlib import Path

import pytest

from tests.hostile.bounded import attempt, attempt_bounded
from tests.hostile.case import CASES, Case
from tests.hostile.entries import contents, read_and_judge, tell_and_judge
from tests.hostile.table import KINDS, PATH  # which knows all that have cases

CROWD = 10_000


@pytest.mark.parametrize("case", CASES, ids=str)
def test_data(case: Case, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    source = case.make(folder)
    crowded = len(os.listdir(folder)) > CROWD
    before = {} if crowded else contents(tmp_path)
    outcome = attempt(case.through or tell_and_judge, source, case.wanted)
    assert not outcome.defect, outcome.defect
    alone = case.through or read_and_judge
    judged = outcome if outcome.is_bounded() else attempt_bounded(alone, source, case.wanted)
    assert judged.is_bounded(), f"{judged.seconds:.1f} s, {judged.bytes >> 20} MB"
    if case.accepted:
        assert outcome.error is None, str(outcome.error)
        assert all(words in outcome.value for words in case.said), outcome.value
    else:
        assert outcome.error is not None, f"accepted: {outcome.value}"
        assert all(words in str(outcome.error) for words in case.said), str(outcome.error)
        assert len(str(outcome.error).splitlines()) > 1, f"says too little: {outcome.error}"
        assert str(outcome.error).replace("\n", "").isprintable()
    if case.through is not None:
        return
    status = next(line for line in outcome.output.splitlines() if line.startswith("exit code"))
    assert status == "exit code 0" if case.accepted else status in ("exit code 1", "exit code 2"), outcome.output
    assert "Traceback" not in outcome.output and "defect" not in outcome.output, outcome.output
    assert crowded or contents(tmp_path) == before
    shutil.rmtree(tmp_path)


def test_the_table_in_the_documentation_counts_the_same_cases() -> None:
    lines = PATH.read_text(encoding="utf-8").splitlines()
    said = {cells[1].strip(): cells[2].strip() for line in lines if len(cells := line.split("|")) > 3}
    for kind, title in KINDS.items():
        expected = sum(case.kind == kind for case in CASES)
        assert said[title] == f"{expected:,}", "run `python -m tests.hostile.table 10000`"
