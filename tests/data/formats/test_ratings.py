"""Tables of ratings as people have them: columns are found by names or values, or the question is put back."""

from pathlib import Path

import numpy as np
import pytest

from ganglion.data.catalogue import read
from ganglion.data.dataset import Dataset
from ganglion.data.settings import DataSettings
from ganglion.errors import GanglionError

RANDOM = np.random.default_rng(0)
ROWS = [(user, item) for user in range(30) for item in range(20) if RANDOM.random() < 0.5]
STARS = RANDOM.integers(1, 6, len(ROWS))


def table(path: Path, header: str, form: str = "{u},{i},{r}") -> Path:
    lines = [
        form.format(u=user + 1, i=item + 100, r=stars, t=1_500_000_000 + 7 * number)
        for number, ((user, item), stars) in enumerate(zip(ROWS, STARS, strict=True))
    ]
    path.write_text("\n".join(filter(None, [header, *lines])) + "\n", encoding="utf-8")
    return path


def rated(path: Path, **settings: object) -> Dataset:
    return read(path, DataSettings(**settings), kind="ratings")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("header", "form"),
    [
        ("userId,movieId,rating,timestamp", "{u},{i},{r},{t}"),
        ("reviewer;when;ISBN;stars", "{u};{t};{i};{r}"),
        ("book_id\tscore\tuser", "{i}\t{r}\t{u}"),
        ("", "{u}\t{i}\t{r}\t{t}"),
        ("who did it,thing,mark", "{u},{i},{r}"),
    ],
)
def test_columns_are_found(tmp_path: Path, header: str, form: str) -> None:
    dataset = rated(table(tmp_path / "ratings.csv", header, form))
    assert dataset.kind == "ratings" and len(dataset) == len(ROWS)
    users, items = (dataset.fields[name] for name in ("users", "items"))
    assert users.names[:3] == ("1", "2", "3") and items.names[0] == "100"
    assert [(int(u), int(i)) for u, i in zip(users.values, items.values, strict=True)] == ROWS
    assert np.array_equal(dataset.fields["ratings"].values, STARS)


def test_columns_are_told(tmp_path: Path) -> None:
    path = table(tmp_path / "a.csv", "a,b,c", "{i},{u},{r}")
    dataset = rated(path, columns=("b", "a"), target="c")
    assert dataset.fields["items"].names[0] == "100"
    with pytest.raises(GanglionError, match="two columns"):
        rated(path, columns=("b",))
    with pytest.raises(GanglionError, match="unknown column"):
        rated(path, columns=("b", "z"))


def test_choices_without_ratings_count_one_each(tmp_path: Path) -> None:
    dataset = rated(table(tmp_path / "a.csv", "user,song", "{u},{i}"))
    assert set(np.asarray(dataset.fields["ratings"].values).tolist()) == {1.0}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("user,item,rating\n", "no rows"),
        ("x,y\n1.5,2.25\n3.75,9.5\n", "is open"),
        ("user,item,rating\n1,2,good\n2,2,bad\n", "no numbers"),
        ("user,item,rating\n1,,3\n,2,4\n", "no row of this table is complete"),
        ("user,item,rating\n1,2\n", "cells"),
    ],
)
def test_what_is_no_table_of_ratings_is_refused(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(GanglionError, match=words):
        rated(path)


def test_doubts_are_found(tmp_path: Path) -> None:
    path = tmp_path / "odd.csv"
    lines = [f"{n % 40},{n // 40},{1 + n % 5}" for n in range(1200)] + ["3,2,", "5,1,99", "0,0,5", "0,0,1"]
    path.write_text("user,item,rating\n" + "\n".join(lines) + "\n", encoding="utf-8")
    dataset = rated(path)
    assert {finding.name for finding in dataset.findings} == {"incomplete-ratings", "ratings-outside"}
    assert any("the last counts" in note for note in dataset.notes)
    first = np.flatnonzero((dataset.fields["users"].values == 0) & (dataset.fields["items"].values == 0))
    assert np.asarray(dataset.fields["ratings"].values)[first].tolist() == [1.0]


def test_titles_come_from_a_second_table(tmp_path: Path) -> None:
    ratings = table(tmp_path / "ratings.csv", "userId,movieId,rating")
    titles = tmp_path / "movies.csv"
    names = ["Heat", "Heat", *(f"Film {n}" for n in range(2, 19))]  # the last has no title
    titles.write_text("movieId,title\n" + "".join(f"{n + 100},{name}\n" for n, name in enumerate(names)), "utf-8")
    expected = ("Heat [100]", "Heat [101]", "Film 2")
    for dataset in (rated(tmp_path), rated(ratings, titles=str(titles))):
        assert dataset.fields["items"].names[:3] == expected and dataset.fields["items"].names[-1] == "119"
    assert rated(ratings).fields["items"].names[0] == "100"
    (tmp_path / "other.csv").write_text("id,title\n900001,Nothing\n900002,Of it\n", encoding="utf-8")
    with pytest.raises(GanglionError, match="not those of the rated items"):
        rated(ratings, titles=str(tmp_path / "other.csv"))
    with pytest.raises(GanglionError, match="nothing that could be read so"):
        read("iris", DataSettings(titles=str(titles)))
