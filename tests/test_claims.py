"""The claims: every system has one, and what the pages say is what the result file holds."""

import json

from benchmarks import claims
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
