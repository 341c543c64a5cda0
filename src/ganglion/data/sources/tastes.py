"""Ratings made on the spot: people with tastes, films of genres, and who saw what."""

import numpy as np

from ganglion.data.dataset import Dataset
from ganglion.data.fields import Field

GENRES = ("comedy", "crime", "romance", "science fiction", "horror", "western")
ADJECTIVES = (
    *("Silent", "Golden", "Broken", "Hidden", "Last", "Burning"),
    *("Crooked", "Distant", "Lucky", "Midnight", "Paper", "Second"),
)
NOUNS = ("Harbour", "Letter", "Garden", "Witness", "Bridge", "Promise", "Train", "Mirror", "Summer", "Stranger")
PEOPLE = 240
SPREAD_OF_LIKING, SPREAD_OF_KINDNESS, STRENGTH_OF_TASTE, NOISE = 0.35, 0.3, 0.75, 0.45
"""In points of the scale from 1 to 5."""


def film_ratings(random: np.random.Generator, count: int | None) -> Dataset:
    """Whole ratings from 1 to 5 = 3.4 + how liked a film is + how kind a person is + taste for its genres + noise.

    Each film has one or two genres, each person likes some and dislikes others. Films differ in how many see them, and
    people see sooner what they like.
    """
    titles = tuple(f"The {adjective} {noun}" for adjective in ADJECTIVES for noun in NOUNS)
    films = len(titles)
    genres = np.zeros((films, len(GENRES)))
    first, second = random.integers(len(GENRES), size=(2, films))
    genres[np.arange(films), first] += 0.7
    genres[np.arange(films), second] += 0.3
    taste = random.normal(0, STRENGTH_OF_TASTE, (PEOPLE, len(GENRES)))
    liked = random.normal(0, SPREAD_OF_LIKING, films)
    kindness = random.normal(0, SPREAD_OF_KINDNESS, PEOPLE)
    opinion = 3.4 + liked + kindness[:, None] + taste @ genres.T  # (people, films)
    seen = random.gumbel(size=opinion.shape) + random.normal(0, 0.8, films) + 1.5 * (taste @ genres.T)
    pairs = np.sort(np.argsort(-seen, axis=None)[: min(count or 8000, opinion.size)])
    people, places = np.unravel_index(random.permutation(pairs), opinion.shape)
    ratings = (opinion[people, places] + random.normal(0, NOISE, len(people))).round().clip(1, 5)
    names = tuple(f"{title} ({GENRES[genre]})" for title, genre in zip(titles, first, strict=True))
    fields = {
        "users": Field(kind="classes", values=people, names=tuple(f"person {n}" for n in range(1, PEOPLE + 1))),
        "items": Field(kind="classes", values=places, names=names, called="film"),
        "ratings": Field(kind="ratings", values=ratings.astype(np.float32)),
    }
    return Dataset(name="", fields=fields)
