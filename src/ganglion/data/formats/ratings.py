"""Ratings: tables with a row for each time that somebody rated something, and a second table of what things are called.

Which column is whose is found by the names of the columns or, where these say nothing, by what stands in them.
"""

import re
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ganglion.data.dataset import Dataset
from ganglion.data.digests import fingerprint
from ganglion.data.fields import Field
from ganglion.data.formats.tables import Table, is_numeric, missing_in, read_table
from ganglion.data.formats.tables.reading import SUFFIXES
from ganglion.data.settings import DataSettings
from ganglion.errors import ConfigurationError, DataError, UsageError
from ganglion.files import named
from ganglion.findings import Finding
from ganglion.settings import unknown_name

USERS = ("user", "users", "reviewer", "customer", "member", "reader", "viewer", "listener", "account", "person", "who")
ITEMS = (
    *("item", "items", "movie", "film", "product", "book", "isbn", "asin", "song", "track", "artist", "game"),
    *("article", "business", "anime", "show", "recipe", "joke", "title", "name", "what"),
)
RATINGS = ("rating", "ratings", "score", "stars", "star", "vote", "grade", "points", "preference")
TIMES = ("timestamp", "time", "date", "day", "year", "when", "unixreviewtime", "reviewed")
TITLES = ("title", "name", "titles", "names", "label")
MOST_LEVELS = 101
"""Different values at most of a column that is taken for ratings without being called so: from 0 to 100."""
FAR_FROM_ALL = 1.0
"""Widths of the scale of nearly all ratings beyond which one lies outside it."""
NEARLY_ALL = (0.001, 0.999)
EXAMPLES = 3
WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")


class Roles(NamedTuple):
    """The columns of a table of ratings; no ratings where it only says who chose what."""

    users: str
    items: str
    ratings: str | None
    reason: str


def read_ratings(path: Path, settings: DataSettings) -> Dataset:
    """Read a table of ratings, or the one of a folder, with the titles that `titles` or a second table there gives.

    A rating that is missing is left out, which is a finding; of several ratings of one thing by one person the last
    counts. A table of two columns, who and what, is one of choices: each is a rating of 1.

    Raises:
        DataError: no columns of users, items and ratings can be told apart, or the titles do not fit.
    """
    tables, beside = _tables_of(path, settings) if path.is_dir() else ([path], [])
    table = read_table(tables[0], settings)
    roles = find_roles(table, settings)
    notes = [*table.notes[:1], f"users from {roles.users!r}, items from {roles.items!r}, {_said(roles)}"]
    if path.is_dir():
        notes.append(f"read from {tables[0].name}")
    columns = [_named_cells(table[name]) for name in (roles.users, roles.items)]
    ratings = np.ones(len(table)) if roles.ratings is None else _numbers(table, roles.ratings)
    findings: list[Finding] = []
    kept = _complete(table, columns, ratings, roles, findings)
    kept = _last_of_each(columns, kept, notes)
    fields, numbers = {}, []
    for role, cells in zip(("users", "items"), columns, strict=True):
        names = sorted(set(cells[kept].tolist()), key=_by_number)
        number = {name: place for place, name in enumerate(names)}
        numbers.append(np.array([number[cell] for cell in cells[kept].tolist()], dtype=np.int64))
        called = roles.users if role == "users" else roles.items
        fields[role] = Field(kind="classes", values=numbers[-1], names=tuple(names), called=called)
    values = ratings[kept].astype(np.float32)
    findings += outlying(values)
    fields["ratings"] = Field(kind="ratings", values=values, called=roles.ratings or "")
    keys = fields["items"].names
    titles = Path(settings.titles) if settings.titles else next(iter(beside), None)
    if titles is not None:
        found = read_titles(titles, keys, roles.items, settings, asked=settings.titles is not None)
        if found is not None:
            fields["items"] = Field(kind="classes", values=numbers[1], names=found, called=roles.items)
            notes.append(f"titles of the items from {titles.name}")
    return Dataset(
        name=path.stem,
        fields=fields,
        source=str(path),
        fingerprint=fingerprint(*numbers, values, [*fields["users"].names, *fields["items"].names]),
        notes=tuple(notes),
        findings=tuple(findings),
    )


def _said(roles: Roles) -> str:
    given = "each row is a choice, without a rating" if roles.ratings is None else f"ratings from {roles.ratings!r}"
    return f"{given} ({roles.reason})"


def find_roles(table: Table, settings: DataSettings) -> Roles:
    """Return which columns of a table are users, items and ratings: as asked, by their names, or by their values.

    Without names, ratings are the numbers of few different values, and of the two columns that recur most, the first
    is the users and the second the items; what is different in nearly all rows is a time or a remark.
    """
    left = [name for name in table.names if name not in settings.drop]
    if settings.columns:
        if len(settings.columns) != 2:
            raise UsageError(
                "ratings need two columns beside their own",
                where="--columns",
                expected="the column of users and the one of items",
                found=", ".join(settings.columns),
                remedy="--columns USER ITEM --target RATING",
            )
        left = [*settings.columns, *(name for name in left if name not in settings.columns)]
        for name in settings.columns:
            table[name]
    if settings.target not in (None, "none"):
        table[str(settings.target)]
    words = {name: {*map(str.lower, WORD.findall(name)), name.lower()} for name in left}
    asked = dict(zip(("users", "items"), settings.columns, strict=False))
    users = asked.get("users") or _called(words, USERS, taken=())
    items = asked.get("items") or _called(words, ITEMS, taken=(users,))
    ratings = _called(words, RATINGS, taken=(users, items)) if settings.target is None else settings.target
    ratings = None if ratings == "none" else ratings
    if users and items and (ratings or settings.target == "none"):
        return Roles(users, items, ratings, "as asked" if settings.columns or settings.target else "by their names")
    times = [name for name in left if words[name] & set(TIMES)]
    others = [name for name in left if name not in (users, items, ratings, *times)]
    if users and items and not any(is_numeric(table.columns[table.names.index(name)]) for name in others):
        return Roles(users, items, None, "by their names")
    return _by_values(table, [name for name in left if name not in times], (users, items, ratings))


def _called(words: dict[str, set[str]], known: tuple[str, ...], taken: tuple[str | None, ...]) -> str | None:
    """Return the first column, none of those taken, that is called like something known, sooner known ones first."""
    return next((name for one in known for name in words if name not in taken and one in words[name]), None)


def _by_values(table: Table, left: list[str], found: tuple[str | None, str | None, str | None]) -> Roles:
    users, items, ratings = found
    columns = {name: table.columns[table.names.index(name)] for name in left}
    distinct = {name: len(set(column[~missing_in(column)].tolist())) for name, column in columns.items()}
    recurring = [name for name in left if distinct[name] <= max(1, len(table) // 2)]
    if ratings is None:
        levels = [
            name
            for name in recurring
            if name not in (users, items) and is_numeric(columns[name]) and 1 < distinct[name] <= MOST_LEVELS
        ]
        fewest = sorted(levels, key=lambda name: distinct[name])
        ratings = fewest[0] if fewest and (len(fewest) == 1 or distinct[fewest[0]] < distinct[fewest[1]]) else None
    ids = [name for name in recurring if name not in (users, items, ratings)]
    missing = 2 - sum(name is not None for name in (users, items))
    if ratings is None or len(ids) != missing:
        raise DataError(
            "which columns of this table are users, items and ratings is open",
            where=table.source,
            expected="columns called user, item and rating, or two that recur and one of numbers of few values",
            found=", ".join(f"{name!r} of {distinct[name]} different values" for name in left[:8]),
            remedy="say which with --columns USER ITEM --target RATING, or --target none where there are no ratings",
        )
    users = users or ids.pop(0)
    return Roles(users, items or ids.pop(0), ratings, "by what stands in them; --columns USER ITEM says otherwise")


def _named_cells(column: np.ndarray) -> np.ndarray:
    """Return what users or items are called, (rows,) of objects: whole numbers without a point, None where missing."""
    cells = column.tolist()
    return np.array([_name(cell) for cell in cells], dtype=object)


def _name(cell: object) -> str | None:
    if isinstance(cell, float):
        return None if cell != cell else f"{cell:.0f}" if cell == int(cell) else f"{cell:g}"
    return None if cell is None or not str(cell).strip() else " ".join(str(cell).split())


def _by_number(name: str) -> tuple[int, int, str]:
    return (0, int(name), name) if name.isdecimal() and len(name) < 20 else (1, 0, name)


def _numbers(table: Table, name: str) -> np.ndarray:
    column = table[name]
    if not is_numeric(column):
        raise DataError(
            "the ratings are no numbers",
            where=f"{table.source}, column {name}",
            expected="numbers on a scale",
            found=", ".join(sorted({repr(cell) for cell in column.tolist() if cell is not None})[:EXAMPLES]),
            remedy="name another column with --target",
        )
    return np.asarray(column, dtype=np.float64)


def _complete(
    table: Table, columns: list[np.ndarray], ratings: np.ndarray, roles: Roles, findings: list[Finding]
) -> np.ndarray:
    """Return the places of the rows that lack nothing; that others are left out is a finding."""
    missing = np.isnan(ratings) | np.any([missing_in(cells) for cells in columns], axis=0)
    if missing.all():
        expected = "rows of a user, an item and a rating"
        raise DataError("no row of this table is complete", where=table.source, expected=expected, found="none")
    places = np.flatnonzero(missing)
    if len(places):
        findings.append(table.left_out(places, "incomplete-ratings", "a user, an item or a rating"))
    return np.flatnonzero(~missing)


def _last_of_each(columns: list[np.ndarray], kept: np.ndarray, notes: list[str]) -> np.ndarray:
    """Return the places of the last rating of each thing by each person."""
    last = {
        pair: place for place, pair in zip(kept, zip(*(cells[kept] for cells in columns), strict=True), strict=True)
    }
    if len(last) < len(kept):
        notes.append(f"{len(kept) - len(last)} ratings by somebody who rated the same again: the last counts")
    return np.array(sorted(last.values()), dtype=np.int64)


def outlying(ratings: np.ndarray) -> list[Finding]:
    """Return what is found of ratings, (ratings,), that lie outside the scale of nearly all.

    >>> outlying(np.array([1.0, 2.0, 3.0, 4.0, 5.0] * 300 + [99.0]))[0].message
    'ratings outside the scale of 1 to 5: 1'
    """
    if len(ratings) < 1 / NEARLY_ALL[0]:
        return []
    low, high = (float(end) for end in np.quantile(ratings, NEARLY_ALL, method="nearest"))
    margin = FAR_FROM_ALL * (high - low)
    places = np.flatnonzero((ratings < low - margin) | (ratings > high + margin))
    if not len(places) or low == high:
        return []
    return [
        Finding(
            name="ratings-outside",
            level="stop",
            message=f"ratings outside the scale of {low:g} to {high:g}: {len(places)}",
            measure="ratings",
            value=float(len(places)),
            where=tuple(f"{ratings[place]:g}" for place in places[:EXAMPLES]),
            remedy="remove them, or --allow-problems goes on with them",
        )
    ]


def read_titles(
    path: Path, keys: tuple[str, ...], called: str, settings: DataSettings, *, asked: bool = True
) -> tuple[str, ...] | None:
    """Return what items are called by a table that has their keys and titles; a key where there is no title.

    Titles that several items have are told apart by their keys behind them.

    Args:
        keys: what the ratings call the items.
        called: the column of the ratings that they stand in; a column of that name is preferred.
        asked: whether the user named the file, so that one that does not fit is an error.

    Raises:
        DataError: the file has no column of these keys, or none of titles.
    """
    table = read_table(named(path), settings if asked else DataSettings(), as_text=True)
    wanted = set(keys)
    cells = {name: [_name(cell) for cell in table.columns[number]] for number, name in enumerate(table.names)}
    shares = {name: len(wanted & set(column)) / len(wanted) for name, column in cells.items()}
    key = called if shares.get(called, 0) > 0 else max(shares, key=lambda name: shares[name])
    texts = [name for name in cells if name != key]
    words = {name: {*map(str.lower, WORD.findall(name)), name.lower()} for name in texts}
    title = _called(words, TITLES, taken=()) or max(
        texts, key=lambda name: sum(len(cell or "") for cell in cells[name]), default=None
    )
    if not shares[key] or title is None:
        if not asked:
            return None
        raise DataError(
            "these titles are not those of the rated items",
            where=str(path),
            expected=f"a column with items such as {', '.join(keys[:EXAMPLES])}, and one of titles",
            found=", ".join(table.names),
            remedy="give the table that lists the items",
        )
    titles = {item: name for item, name in zip(cells[key], cells[title], strict=True) if item and name}
    found = [titles.get(item, item) for item in keys]
    counts = Counter(found)
    return tuple(name if counts[name] == 1 else f"{name} [{item}]" for name, item in zip(found, keys, strict=True))


def _tables_of(folder: Path, settings: DataSettings) -> tuple[list[Path], list[Path]]:
    """Return the table of ratings of a folder, and the table of titles there if there is one."""
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and path.is_file())
    rated = [path for path in paths if _is_rated(path, settings)]
    if len(rated) != 1:
        raise DataError(
            "this folder does not hold one table of ratings",
            where=str(folder),
            expected="one table with columns of users, items and ratings",
            found=", ".join(path.name for path in (rated or paths)[:10]) or "no table",
            remedy="give the path of the table",
        )
    others = [path for path in paths if path != rated[0]]
    titled = [path for path in others if _has_titles(path)]
    return rated, titled[:1]


def _is_rated(path: Path, settings: DataSettings) -> bool:
    words = _header(path, settings)
    return all(any(words[name] & set(known) for name in words) for known in (USERS, ITEMS, RATINGS))


def _has_titles(path: Path) -> bool:
    words = _header(path, DataSettings())
    return any(words[name] & set(TITLES) for name in words) and not any(words[name] & set(USERS) for name in words)


def _header(path: Path, settings: DataSettings) -> dict[str, set[str]]:
    try:
        names = read_table(path, settings, as_text=True).names
    except (DataError, UsageError):
        return {}
    return {name: {*map(str.lower, WORD.findall(name)), name.lower()} for name in names}


def read_new_ratings(
    path: Path, labels: tuple[str, ...], settings: DataSettings
) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """Return new users of a table: a name, numbers of the items they rated, and the ratings, (rated,) both.

    A table without a column of users is of one, who is called like the file.

    Args:
        labels: what the items are called that a run knows.

    Raises:
        DataError: the table has no column of items and one of ratings, or nothing stands in them.
        ConfigurationError: an item is unknown.
    """
    table = read_table(path, settings)
    words = {name: {*map(str.lower, WORD.findall(name)), name.lower()} for name in table.names}
    users = _called(words, USERS, taken=())
    ratings = _called(words, RATINGS, taken=(users,))
    items = _called(words, ITEMS, taken=(users, ratings))
    if items is None or ratings is None:
        raise DataError(
            "this table does not say who thinks what of which item",
            where=str(path),
            expected="a column called item, and one called rating",
            found=", ".join(table.names),
            remedy="name its columns in the first line",
        )
    cells, values = _named_cells(table[items]), _numbers(table, ratings)
    who = _named_cells(table[users]) if users else np.full(len(table), path.stem, dtype=object)
    kept = ~(missing_in(cells) | missing_in(who) | np.isnan(values))
    if not kept.any():
        raise DataError("no row of this table is complete", where=str(path), expected="an item and a rating in a row")
    numbers = np.array([choice_of(labels, cell, "item") for cell in cells[kept]], dtype=np.int64)
    found = []
    for name in dict.fromkeys(who[kept].tolist()):
        own = who[kept] == name
        last = dict(zip(numbers[own].tolist(), values[kept][own].tolist(), strict=True))
        found.append((str(name), np.array(list(last), dtype=np.int64), np.array(list(last.values()))))
    return found


def choice_of(names: tuple[str, ...], wanted: str, what: str) -> int:
    """Return the number of a user or an item by its name, whatever its capitals; raise with the nearest name.

    >>> [choice_of(("Big (1988)", "Alien (1979)", "Aliens (1986)"), name, "item") for name in ("alien", "big (1988)")]
    [1, 0]
    """
    if wanted in names:
        return names.index(wanted)
    lower = [name.lower() for name in names]
    if wanted.lower() in lower:
        return lower.index(wanted.lower())
    for beginning in (f"{wanted.lower()} (", wanted.lower()):  # a title without its year, or its first words
        starting = [place for place, name in enumerate(lower) if name.startswith(beginning)]
        if len(starting) == 1:
            return starting[0]
    near = unknown_name(what, wanted, list(names))
    raise ConfigurationError(
        near.what,
        expected=f"one of {len(names)}, such as {', '.join(names[:EXAMPLES])}",
        remedy=near.remedy or "write it as the data does",
    )
