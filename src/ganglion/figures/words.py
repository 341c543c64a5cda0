"""Words and numbers as figures and reports show them."""

import math


def text(words: object, length: int = 24) -> str:
    """Return `words` on one line, cut in the middle to `length`, so that no character is read as a formula."""
    line = " ".join(str(words).encode("utf-8", "replace").decode().split())  # Half a character cannot be drawn.
    if len(line) > length:
        # Long names of one set often differ in their ends only.
        line = line[: length - length // 3 - 1].rstrip() + "…" + line[-(length // 3) :].lstrip()
    return line.replace("$", r"\$")


def number(value: float) -> str:
    """Return a number as a reader wants it: four significant digits, thousands separated.

    >>> [number(value) for value in (0.98765, 1234567, 12.0, 1.5e-7)]
    ['0.9877', '1,234,567', '12', '1.5e-07']
    """
    if not math.isfinite(value):
        return str(value)
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
