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
