"""Numbers as a reader wants them, on the progress line and in tables."""


def number(value: float) -> str:
    """Return a measurement with about three digits.

    >>> number(0.98765), number(213.456), number(0.0000123), number(0.0)
    ('0.988', '213', '1.23e-05', '0')
    """
    return f"{value:.3f}" if 0.01 <= abs(value) < 10 else f"{value:.3g}"


def clock(seconds: float) -> str:
    """Return a time span as a clock shows it.

    >>> clock(7.2), clock(125), clock(7260)
    ('0:07', '2:05', '2:01:00')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def span(seconds: float) -> str:
    """Return a time span in words, in the unit that suits it.

    >>> span(30), span(90), span(60), span(7200), span(9000), span(400_000)
    ('30 seconds', '1.5 minutes', '1 minute', '2 hours', '2.5 hours', '4.6 days')
    """
    units = (("day", 86_400, 172_800), ("hour", 3600, 5400), ("minute", 60, 60), ("second", 1, 0))
    unit, size = next((unit, size) for unit, size, least in units if seconds >= least)
    count = f"{seconds / size:.2g}"
    return f"{count} {unit}{'' if count == '1' else 's'}"


def about(seconds: float) -> str:
    """Return an estimate in words, no more exact than it can be.

    >>> about(0.4), about(47), about(185), about(14_000)
    ('about a second', 'about 50 seconds', 'about 3 minutes', 'about 4 hours')
    """
    if seconds < 1.5:
        return "about a second"
    digits = 10 ** max(0, len(str(int(seconds))) - 1)
    if seconds < 60:
        seconds = min(60, max(1, round(seconds / digits)) * digits)
    elif seconds < 5400:
        seconds = 60 * round(seconds / 60)
    elif seconds < 172_800:
        seconds = 3600 * round(seconds / 3600)
    return f"about {span(seconds)}"


def short(count: float) -> str:
    """Return a count with three digits and the letter of its size.

    >>> short(87.4), short(1234), short(56_789), short(2.5e6)
    ('87', '1.23k', '56.8k', '2.5M')
    """
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if count >= size:
            return f"{count / size:.3g}{letter}"
    return f"{count:.0f}"


def words(name: str) -> str:
    """Return an identifier as words.

    >>> words("mean_return")
    'mean return'
    """
    return name.replace("_", " ")
