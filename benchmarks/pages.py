"""Parts of pages that are written from results, between two marks."""


def with_part(page: str, begin: str, end: str, part: str) -> str:
    """Return a page with what stands between its marks exchanged.

    >>> with_part("before <b>old<e> after", "<b>", "<e>", "new")
    'before <b>new<e> after'
    """
    before, rest = page.split(begin)
    return f"{before}{begin}{part}{end}{rest.split(end)[1]}"
