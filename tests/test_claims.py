"""The claims: every system has one, and what the pages say is what the result file holds."""

import json

from benchmarks import claims, doctor
from ganglion.inspect.adversarial import SIGNS
from ganglion.models import names

MEASURED = json.loads(claims.RESULTS.read_text(encoding="utf-8"))


def test_every_system_has_a_claim_and_every_claim_a_system() -> None:
    assert {claim.system for claim in claims.claims()} == set(names())
    known = [claim.name for claim in claims.claims()]
    assert len(known) == len(set(known))
    assert set(MEASURED["rows"]) <= set(known)


def test_the_first_screen_has_ten_and_says_what_was_measured() -> None:
    text = claims.README.read_text(encoding="utf-8")
    assert len(claims.FIRST_SCREEN) <= 10 and set(claims.FIRST_SCREEN) <= {claim.name for claim in claims.claims()}
    assert claims.first_screen(text, MEASURED) == text, "run `python -m benchmarks.claims write`"


def test_the_page_is_current() -> None:
    assert claims.PAGE.read_text(encoding="utf-8") == claims.page(MEASURED), "run `python -m benchmarks.claims write`"


def test_returns_are_averaged_over_seeds_with_the_interval_of_the_textbooks() -> None:
    row = {"score_name": "mean_return", "higher_is_better": True, "scores": [-100.0, -110.0, -120.0]}
    # t of two degrees of freedom at 97.5 % is 4.303, and 4.303 * 10 / sqrt(3) = 24.8.
    assert claims.score(row) == "mean return **-110** ± 25 (mean of 3 seeds, 95 % interval)"
    assert "±" not in claims.score(row | {"scores": [-100.0]})


def test_measuring_fits_into_six_hours() -> None:
    seconds = sum(claims.expected(claim, MEASURED["rows"]) for claim in claims.claims())
    assert seconds <= claims.HOURS * 3600


def test_a_long_claim_is_measured_once_and_one_that_does_not_fit_is_left(monkeypatch, capsys, tmp_path) -> None:  # type: ignore[no-untyped-def]
    claim = claims.Claim("mlp", "digits")
    assert claims.expected(claim, {"mlp/digits": {"seconds": 100.0}}) == 300
    assert claims.expected(claim, {"mlp/digits": {"seconds": 2000.0}}) == 2000
    monkeypatch.setattr(claims, "RESULTS", tmp_path / "claims.json")
    claims.measure_all([claim], {"rows": {"mlp/digits": {"seconds": 9e4}}}, busy=False)
    assert "left out" in capsys.readouterr().out and not claims.RESULTS.exists()


def test_the_page_of_the_doctor_is_current_and_its_cases_cover_every_warning() -> None:
    rows = list(json.loads(doctor.RESULTS.read_text(encoding="utf-8")).values())
    assert doctor.PAGE.read_text(encoding="utf-8") == doctor.page(rows), "run `python -m benchmarks.doctor write`"
    broken = {case.illness for case in doctor.CASES} - {doctor.HEALTHY}
    assert broken == {sign.name for sign in SIGNS if sign.level == "warn"}
    judged = [row for row in rows if row["seed"] % 2]
    ill, well = ([row for row in judged if (row["illness"] == doctor.HEALTHY) is sound] for sound in (False, True))
    assert sum(map(doctor.is_right, ill)) >= 0.95 * len(ill)
    assert sum(map(doctor.is_right, well)) >= 0.95 * len(well)
