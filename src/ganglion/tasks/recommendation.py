"""Recommendation: foretell ratings that nobody has given yet, or put items in the order that somebody wants them in."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self, final

import numpy as np
import torch
from torch import nn

from ganglion import figures
from ganglion.core import LearningRule, Loader, Measure
from ganglion.data.dataset import Dataset
from ganglion.data.formats.ratings import choice_of, read_new_ratings
from ganglion.data.loaders.columns import Columns
from ganglion.data.loaders.in_memory import InMemoryLoader
from ganglion.data.places import evenly
from ganglion.data.preprocessing import RatingPreprocessing
from ganglion.data.settings import DataSettings
from ganglion.errors import DataError, UsageError
from ganglion.rules.ratings import filled
from ganglion.settings import at_least, settings
from ganglion.tasks.answers import Rows
from ganglion.tasks.base import Part, Task
from ganglion.tasks.measures.recommendations import (
    FACTORISATION_RMSE,
    NDCG,
    RECALL,
    RMSE,
    matrix_factorisation,
    ordered,
    quality_of_order,
    root_mean_square,
)
from ganglion.tasks.questions import Given, Said
from ganglion.tasks.shared.evaluation import ask
from ganglion.tasks.shared.fitting import adapt
from ganglion.tasks.shared.ratings import OF_USERS, Known, levels_of_scale, like_the_known, nearest_levels

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BLOCK = 512
"""Rows that are filled and asked about at once."""
MOST_JUDGED = 2000
"""Users at most whose order of items is judged."""
LONGEST_LIST = 50
SHOWN_PEOPLE, SHOWN_ITEMS = 3, 8
EXAMPLES = 3

New = tuple[str, np.ndarray, np.ndarray]
"""The name of a new user, the items they rated and how, (rated,) both."""


@settings
class Predict:
    """Recommend items that a user has not rated, and foretell the ratings."""

    inputs: Given
    """Users by name; of somebody new a name with --rated, or a table of items and ratings."""
    count: Annotated[int, at_least(1)] = 10
    """Items to name for each."""
    rated: tuple[str, ...] = ()
    """What somebody new thinks of some items, as ITEM=RATING."""


@final
class Recommendation(Task):
    """Ratings are held back one by one and foretold from the others; the error is in points of the scale.

    Where the network learns an order, it is judged by how many held-out items lead the list of what a user has not
    yet chosen. The baseline is b_ui, the mean corrected by the kindness of the user and the liking of the item; for
    the order it is a list of what most users chose. No rating of the validation or the test part is ever an input.
    """

    name = "recommendation"
    reads = ("ratings",)
    takes = "ratings: a table with columns of users, items and ratings"
    fields: ClassVar = {"users": ("classes",), "items": ("classes",), "ratings": ("ratings",)}
    measures: ClassVar[tuple[Measure, ...]] = (RMSE, NDCG, RECALL, FACTORISATION_RMSE)
    verbs: ClassVar = {"predict": Predict}
    captions: ClassVar = {
        "foretold": "What was foretold for test ratings, by what was given: middle half, 80 % and the line of truth",
        "found_by_length": "Share of the held-out items that lists of so many items find, beside what is popular",
        "lists": "What some people liked best, and what is recommended to them",
    }
    next_step = 'ganglion predict {run} "A USER" --count 10'
    known: Known
    """All ratings there are, by which a restored task answers."""
    noise: float = 1.0
    """Variance of a rating around what is foretold, measured on the validation part."""

    def __init__(self, config: Any, preprocessing: Mapping[str, Any]) -> None:
        super().__init__(config, preprocessing)
        if config.learns_order:
            self.measures = (NDCG, RECALL)  # type: ignore[misc]  # the score is another

    @classmethod
    def prepare(cls, source: str | Dataset, config: Any, settings: DataSettings, seed: int) -> Self:
        dataset = cls.open(source, settings)
        scale = {"lowest": 0.0, "highest": max(1.0, float(np.max(dataset.fields["ratings"].values)))}
        data = cls.prepared(dataset, config, settings, seed, {"ratings": scale} if config.learns_order else {})
        sizes = [data.preprocessing[name].num_classes for name in ("users", "items")]
        columns = sizes[0 if config.by_items(*sizes) else 1]
        levels = levels_of_scale(np.asarray(data.raw("train", "ratings").values), data.preprocessing["ratings"])
        task = cls(adapt(config, in_features=columns, num_classes=levels), data.preprocessing)
        whole = {name: field.values for name, field in dataset.fields.items()}
        task.known = task._liked(_known(whole, data.preprocessing))
        task.holding(data)
        count, (users, items) = len(task._part("train")), task.known.shape
        share = len(task.known) / (users * items)
        return task.holding(data, f"{count} ratings to learn from; {share:.2%} of all pairs of user and item are known")

    def _liked(self, known: Known) -> Known:
        """Return the ratings that an order is learnt of; all of them to foretell ratings."""
        least = self.config.liked_from
        if not self.config.learns_order or least is None:
            return known
        if not (known.values >= least).any():
            raise DataError(
                "no rating is as good as what counts as liked",
                where="liked_from",
                expected=f"ratings from {least:g} on",
                found=f"{known.values.min():g} to {known.values.max():g}",
                remedy="a lower liked_from",
            )
        return known.take(known.values >= least)

    @classmethod
    def restore(cls, state: dict[str, Any], config: Any) -> Self:
        task = super().restore(state, config)
        task.known = Known.unpacked(state.get("known"))
        noise = state.get("noise")
        task.noise = float(noise) if isinstance(noise, int | float) and noise > 0 else task.noise
        return task

    def state(self) -> dict[str, Any]:
        return super().state() | {"known": self.known.packed(), "noise": self.noise}

    @property
    def scale(self) -> RatingPreprocessing:
        scale: RatingPreprocessing = self.preprocessing["ratings"]
        return scale

    def _part(self, part: Part) -> Known:
        """Return the ratings of a part; those of the one before where nothing was held back for it."""
        held = {name: self.data.raw(part, name).values for name in self.fields}
        return self._liked(_known(held, self.preprocessing))

    def _entries(self, known: Known) -> np.ndarray:
        """Return what the network sees of ratings (ratings,)."""
        if self.config.learns_order:
            return np.ones(len(known))
        if self.of_levels:
            return self._levels_of(known.values)
        left: np.ndarray = known.values - self._offsets(known, *known.pair)
        return left / (self.scale.highest - self.scale.lowest)

    def _offsets(self, known: Known, users: np.ndarray, items: np.ndarray) -> np.ndarray:
        """Return what is foretold of pairs of users and items (pairs,) without the network, or what that begins at."""
        if self.of_levels:
            return np.full(len(users), self.scale.lowest)
        return known.biases.of(users, items) if self.config.biases else np.full(len(users), known.biases.mean)

    @property
    def of_levels(self) -> bool:
        """Whether the network sees levels of the scale, from 1 on, instead of how far ratings are from the usual."""
        return hasattr(self.config, "num_classes")

    def _levels_of(self, ratings: np.ndarray) -> np.ndarray:
        return nearest_levels(ratings, self.scale, self.config.num_classes)

    def loader(self, rule: LearningRule, seed: int) -> Loader:
        known = self._part("train")
        places, entries, rows = known.rows(by_items=self.config.by_items(*known.shape), values=self._entries(known))
        tensors: Columns = {"places": places, "ratings": entries, "index": torch.from_numpy(rows)}
        return InMemoryLoader(tensors, self.data.settings.batch_size, seed)

    def _outputs(self, network: nn.Module, known: Known, wanted: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield numbers of rows among those wanted, (rows,), and what the network makes of them (rows, columns)."""
        places, entries, rows = known.rows(by_items=self.config.by_items(*known.shape), values=self._entries(known))
        where = {int(row): place for place, row in enumerate(rows)}
        for block in np.split(wanted, range(BLOCK, len(wanted), BLOCK)):
            there = torch.tensor([where[int(row)] for row in block if int(row) in where], dtype=torch.int64)
            dense = torch.zeros(len(block), self.config.in_features)
            if len(there):
                own = torch.tensor([int(row) in where for row in block])
                dense[own] = filled(places.padded(there)[0], entries.padded(there)[0], self.config.in_features)
            yield block, ask(network, dense).numpy()

    def _foretold(self, network: nn.Module, known: Known, users: np.ndarray, items: np.ndarray) -> np.ndarray:
        """Return the ratings, (pairs,), of items by users within the scale, from what is known."""
        row, column = (items, users) if self.config.by_items(*self.known.shape) else (users, items)
        found = np.empty(len(row))
        for block, outputs in self._outputs(network, known, np.unique(row)):
            here = np.isin(row, block)
            found[here] = outputs[np.searchsorted(block, row[here]), column[here]]
        return self._as_ratings(known, found, users, items).clip(self.scale.lowest, self.scale.highest)

    def _as_ratings(self, known: Known, outputs: np.ndarray, users: np.ndarray, items: np.ndarray) -> np.ndarray:
        """Return ratings, (pairs,), of outputs for pairs; items that nobody rated have the user's mean."""
        answers = self._offsets(known, users, items) + outputs * (self.scale.highest - self.scale.lowest)
        usual = known.biases.mean + known.biases.users[users]
        return np.where(known.rated[items] > 0, answers, usual)

    def _scores(self, network: nn.Module, known: Known, users: np.ndarray) -> np.ndarray:
        """Return what orders all items for some users (users, items): ratings, or how much sooner than others."""
        count = known.shape[1]
        found = np.empty((len(users), count), dtype=np.float32)
        wanted = np.arange(count) if self.config.by_items(*self.known.shape) else users
        start = 0
        for block, outputs in self._outputs(network, known, wanted):
            if self.config.by_items(*self.known.shape):
                found[:, block] = outputs[:, users].T
            else:
                found[start : start + len(block)] = outputs
            start += len(block)
        if self.config.learns_order:
            return found
        everything = np.arange(count)
        for place, user in enumerate(users):
            found[place] = self._as_ratings(known, found[place], np.full(count, user), everything)
        return found

    def evaluate(self, rule: LearningRule, part: Part = "validation") -> dict[str, float]:
        """Judge the network on a part; on the test part beside matrix factorisation, and by its order."""
        train, held = self._part("train"), self._part(part)
        if self.config.learns_order:
            return self._judged(rule.home, train, part)
        predicted = self._foretold(rule.home, train, *held.pair)
        measures = {"rmse": root_mean_square(predicted, held.values)}
        if part == "test":
            validation = self._part("validation")
            factors = matrix_factorisation(train, validation, self.scale.lowest, self.scale.highest)
            measures["matrix_factorisation_rmse"] = root_mean_square(factors(*held.pair), held.values)
            measures |= self._judged(rule.home, train, part)
        return measures

    def _judged(self, network: nn.Module, train: Known, part: Part) -> dict[str, float]:
        users, wanted, seen = self._lists(part)
        return quality_of_order(ordered(self._scores(network, train, users), seen), wanted)

    def _lists(self, part: Part) -> tuple[np.ndarray, list[np.ndarray], list[np.ndarray]]:
        """Return users with held-out items, these items, and those that they are known to have seen before."""
        held, earlier = self._part(part).by_user, [self._part("train").by_user]
        if part == "test" and self.has_validation:
            earlier.append(self._part("validation").by_user)
        users = np.array([user for user, items in enumerate(held) if len(items)], dtype=np.int64)
        users = users[evenly(len(users), MOST_JUDGED)]
        wanted = [held[user] for user in users]
        seen = [np.setdiff1d(np.concatenate([one[user] for one in earlier]), held[user]) for user in users]
        return users, wanted, seen

    def baseline(self) -> dict[str, float]:
        """Return what b_ui and a list of what most users rated score on the test part."""
        train, held = self._part("train"), self._part("test")
        users, wanted, seen = self._lists("test")
        popular = quality_of_order(ordered(np.tile(train.rated, (len(users), 1)), seen), wanted)
        if self.config.learns_order:
            return popular
        usual = train.biases.of(*held.pair).clip(self.scale.lowest, self.scale.highest)
        return {"rmse": root_mean_square(usual, held.values), **popular}

    def calibrate(self, rule: LearningRule) -> None:
        if not self.config.learns_order:
            held = self._part("validation")
            predicted = self._foretold(rule.home, self._part("train"), *held.pair)
            self.noise = root_mean_square(predicted, held.values) ** 2

    def figures(self, rule: LearningRule) -> "dict[str, Figure]":
        train, held = self._part("train"), self._part("test")
        drawn = {}
        if not self.config.learns_order:
            predicted = self._foretold(rule.home, train, *held.pair)
            drawn["foretold"] = figures.foretold(held.values, predicted, root_mean_square(predicted, held.values))
        users, wanted, seen = self._lists("test")
        scores = self._scores(rule.home, train, users)
        popular = np.tile(train.rated, (len(users), 1))
        curves = {"this network": _found(scores, seen, wanted), "what is popular": _found(popular, seen, wanted)}
        drawn["found_by_length"] = figures.found_by_length(curves)
        shown = users[evenly(len(users), SHOWN_PEOPLE)]
        people = []
        for user in shown.tolist():
            own = self.known.take(self.known.users == user)
            best = own.items[np.argsort(-own.values, kind="stable")][:SHOWN_ITEMS]
            named = self._recommended(self._scores(rule.home, self.known, np.array([user]))[0], own.items, SHOWN_ITEMS)
            liked = [self.preprocessing["items"].labels[item] for item in best.tolist()]
            people.append((self.preprocessing["users"].labels[user], liked, named))
        drawn["lists"] = figures.lists(people, of_ratings=not self.config.learns_order)
        return drawn

    def _recommended(self, scores: np.ndarray, seen: np.ndarray, count: int) -> list[tuple[str, float]]:
        """Return the names of the best items by scores (items,) that are not among those seen, with their scores."""
        (order,) = ordered(scores[None], [seen], min(count, len(scores) - len(np.unique(seen))))
        labels = self.preprocessing["items"].labels
        values = scores if self.config.learns_order else scores.clip(self.scale.lowest, self.scale.highest)
        return [(labels[item], float(values[item])) for item in order.tolist()]

    def predict(self, network: nn.Module, question: Predict) -> Rows:
        """Return for each user the items that are recommended, with the ratings that are foretold, best first."""
        rows = []
        for name, scores, seen in self._asked(network, question):
            for rank, (item, value) in enumerate(self._recommended(scores, seen, question.count), 1):
                said = "score" if self.config.learns_order else "rating"
                rows.append({"user": name, "rank": rank, "item": item, said: value})
        return Rows(rows)

    def _asked(self, network: nn.Module, question: Predict) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
        """Yield the users that are asked about: name, what orders the items for them, and the items they rated."""
        labels = self.preprocessing["users"].labels
        if question.rated:
            yield self._new(network, self._told(question))
            return
        for said in question.inputs:
            wanted = str(said)
            if wanted not in labels and not isinstance(said, Said) and Path(wanted).is_file():
                found = read_new_ratings(Path(wanted), self.preprocessing["items"].labels, self.settings)
                for new in found:
                    yield self._new(network, new)
                continue
            if wanted not in labels:
                raise UsageError(
                    f"there is no user {wanted!r:.60} among those that rated",
                    expected=f"one of {len(labels)} users, such as {', '.join(labels[:EXAMPLES])}",
                    remedy="for somebody new say what they think of some items: --rated 'ITEM=RATING' ..., or give a "
                    "table of items and ratings",
                )
            user = labels.index(wanted)
            yield wanted, self._scores(network, self.known, np.array([user]))[0], self.known.by_user[user]

    def _told(self, question: Predict) -> New:
        """Return the new user that a question tells of."""
        labels = self.preprocessing["users"].labels
        if len(question.inputs) != 1 or question.inputs[0] in labels:
            raise UsageError(
                "ratings can be told of one new user",
                where="--rated",
                expected="a name that nobody has yet",
                found=", ".join(map(str, question.inputs)),
                remedy="give one new name, or leave --rated out for users that are known",
            )
        items, ratings = [], []
        for told in question.rated:
            item, equals, value = told.rpartition("=")
            try:
                ratings.append(float(value))
            except ValueError:
                equals = ""
            if not equals:
                raise UsageError(
                    "this is no rating of an item", where="--rated", expected="ITEM=RATING", found=f"{told!r:.80}"
                )
            items.append(choice_of(self.preprocessing["items"].labels, item.strip(), "item"))
        return str(question.inputs[0]), np.array(items, dtype=np.int64), np.array(ratings)

    def _new(self, network: nn.Module, new: New) -> tuple[str, np.ndarray, np.ndarray]:
        """Return the name of a new user, what orders the items for them (items,), and the items they rated."""
        name, items, ratings = new
        outside = (ratings < self.scale.lowest) | (ratings > self.scale.highest) | ~np.isfinite(ratings)
        if outside.any() and not self.config.learns_order:
            raise DataError(
                "this rating lies outside the scale",
                where=f"{self.preprocessing['items'].labels[items[outside][0]]!r}, by {name!r}",
                expected=f"from {self.scale.lowest:g} to {self.scale.highest:g}",
                found=f"{ratings[outside][0]:g}",
                remedy="give ratings on the scale that the run has learnt",
            )
        if self.config.by_items(*self.known.shape):
            everybody = self._scores(network, self.known, np.arange(self.known.shape[0]))
            return name, like_the_known(everybody, items, ratings, self.noise), items
        biases, width = self.known.biases, self.scale.highest - self.scale.lowest
        row = torch.zeros(1, self.config.in_features)
        if self.config.learns_order:
            row[0, items] = 1.0
            return name, ask(network, row)[0].numpy(), items
        if self.of_levels:
            row[0, items] = torch.from_numpy(self._levels_of(ratings)).float()
            return name, self.scale.lowest + width * ask(network, row)[0].numpy(), items
        kind = float((ratings - biases.mean - biases.items[items]).sum() / (len(items) + OF_USERS))
        usual = biases.mean + (kind + biases.items if self.config.biases else np.zeros(len(biases.items)))
        row[0, items] = torch.from_numpy((ratings - usual[items]) / width).float()
        return name, usual + width * ask(network, row)[0].numpy(), items


def _known(fields: Mapping[str, Any], preprocessing: Mapping[str, Any]) -> Known:
    """Return ratings of raw fields by the names users, items and ratings."""
    users, items = (np.asarray(fields[name]).astype(np.int64) for name in ("users", "items"))
    shape = (preprocessing["users"].num_classes, preprocessing["items"].num_classes)
    return Known(users, items, np.asarray(fields["ratings"], dtype=np.float64), shape)


def _found(scores: np.ndarray, seen: Sequence[np.ndarray], wanted: Sequence[np.ndarray]) -> np.ndarray:
    """Return the share of the wanted items that are among the first 1, 2, ... by scores (users, items)."""
    order = ordered(scores, seen, LONGEST_LIST)
    hits = np.array([np.isin(items, those) for items, those in zip(order, wanted, strict=True)])
    return np.asarray(hits.sum(axis=0).cumsum() / max(1, sum(map(len, wanted))))


TASK = Recommendation
