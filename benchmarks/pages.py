"""Results that are kept by name, and the parts of pages that are written from them, between two marks."""

import json
from pathlib import Path
from typing import Any


def results_in(path: Path) -> dict[str, dict[str, Any]]:
    """Return what was found so far, by name; nothing before anything was measured."""
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def with_part(page: str, begin: str, end: str, part: str) -> str:
    """Return a page with what stands between its marks exchanged.

    >>> with_part("before <b>old<e> after", "<b>", "<e>", "new")
    'before <b>new<e> after'
    """
    before, rest = page.split(begin)
    return f"{before}{begin}{part}{end}{rest.split(end)[1]}"
