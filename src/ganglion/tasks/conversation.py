"""Conversation: answer what was said, from dialogues."""

from collections.abc import Sequence
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self, final

import numpy as np
import torch
from torch import Tensor, nn

from ganglion import figures
from ganglion.core import LearningRule, Loader, Measure
from ganglion.data.dataset import Dataset
from ganglion.data.loaders.in_memory import InMemoryLoader
from ganglion.data.preprocessing import Ragged, TextPreprocessing
from ganglion.data.settings import DataSettings
from ganglion.errors import CheckpointError, DataError
from ganglion.nn.language.decoding import Decoding
from ganglion.settings import above, at_least, at_most, between, settings
from ganglion.tasks.answers import Text
from ganglion.tasks.base import Part, Task
from ganglion.tasks.measures.counted import KneserNey
from ganglion.tasks.measures.ranks import RANKED, in_order_of_chance, per_token, ranked_first
from ganglion.tasks.measures.surprise import PERPLEXITY, mean_surprise, side_by_side
from ganglion.tasks.questions import Conversation
from ganglion.tasks.shared.fitting import adapt, sizes
from ganglion.tasks.shared.inputs import whole_text
from ganglion.tasks.shared.texts.writing import BEGIN, END, PADDING, UNKNOWN_NUMBER, text_options, write

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WRITTEN, RANKED_ANSWERS = 1000, 1000
"""Test answers that are written and ranked at most."""
SURE = 200
"""Validation answers by which is found out how sure the network usually is."""
UNSURE = 0.05
"""Share of these answers that are less sure than the threshold."""
SHOWN, TALKS, LONGEST_TALK = 5, 2, 12
"""Test answers in the report, conversations, and turns of these."""
NOTHING = torch.tensor([BEGIN, END])
"""What is read where nothing was said."""
TRIGRAM = 3

LOSS = Measure(name="loss", higher_is_better=False, meaning="Mean surprise at a token of an answer, -log p, in nats.")
DISTINCT = Measure(
    name="distinct_2",
    higher_is_better=True,
    meaning="Different pairs of neighbouring words among all of the answers written, as a share.",
)


@settings
class Chat:
    """Talk: answer what was said, with the turns before in mind."""

    say: Conversation = ()
    """All that was said so far, turn by turn; without it the terminal asks for more until its input ends."""
    temperature: Annotated[float, at_least(0)] = 0.7
    """Below 1 the likelier is preferred; 0 always gives the likeliest answer."""
    top_p: Annotated[float, above(0), at_most(1)] = 0.9
    """Draw from the fewest likeliest tokens only that together have this probability."""
    candidates: Annotated[int, at_least(1)] = 8
    """Answers that are drawn, of which one is said: that which fits best here and worst anywhere."""
    no_repeated: Annotated[int, at_least(0)] = 3
    """Say no run of this many tokens twice in an answer; 0 allows all."""
    unsure: Annotated[float, between(0, 1)] | None = None
    """Say that it does not know where each token of its answer has less than this probability on average; when not
    given, less than 19 of 20 of its answers on the validation part have. 0 always answers."""
    unsure_answer: str = "I don't know."
    """What it says then."""
    seed: int = 0
    """Decides what is drawn."""


@final
class ConversationTask(Task):
    """Dialogues, of which each turn but the first is an answer to the turns before it.

    Judged is how surprising the true answers of dialogues are that it has not seen, beside a model that counts runs of
    three words of the same vocabulary; how often the true one of ten answers is known; and how varied its own are.
    """

    name = "conversation"
    reads = ("dialogues",)
    takes = (
        "dialogues: JSON lines, lines with __eou__ behind each turn, YAML of chatterbot-corpus, or turns line by line"
    )
    fields: ClassVar = {"inputs": ("texts",), "targets": ("texts",)}
    measures = (PERPLEXITY, RANKED, DISTINCT, LOSS)
    captions: ClassVar = {
        "answers": "Turns of test dialogues, the true answer, and what the network says",
        "conversations": "What a person said in test dialogues, and what the network answered, its own answers in mind",
        "attention": "Where the network looks in the turns before (across) while it says each word (down)",
    }
    verbs: ClassVar = {"chat": Chat}
    next_step = "ganglion chat {run}"
    threshold: float = 0.0
    """Mean probability of a token below which an answer is not sure."""

    @classmethod
    def chosen(cls, dataset: Dataset) -> dict[str, str]:
        return {"inputs": "dialogues", "targets": "dialogues"}

    @classmethod
    def prepare(cls, source: str | Dataset, config: Any, settings: DataSettings, seed: int) -> Self:
        said = text_options(config, by_line=True)
        options = {"inputs": said | {"lower": True}, "targets": said}
        data = cls.prepared(source, config, settings, seed, options)
        task = cls(adapt(config, **sizes(data.preprocessing)), data.preprocessing).holding(data)
        task.notes = (*task.notes, *task._describe())
        return task

    @classmethod
    def restore(cls, state: dict[str, Any], config: Any) -> Self:
        task = super().restore(state, config)
        threshold = state.get("threshold")
        if not isinstance(threshold, int | float) or not 0 <= threshold <= 1:
            raise CheckpointError(
                "this run does not say when an answer is sure",
                where="state.threshold of config.json",
                expected="a number from 0 to 1",
                found=f"{threshold!r:.40}",
                remedy="put the original file back, or train again",
            )
        task.threshold = float(threshold)
        return task

    def state(self) -> dict[str, Any]:
        return super().state() | {"threshold": self.threshold}

    @property
    def heard(self) -> TextPreprocessing:
        heard: TextPreprocessing = self.preprocessing["inputs"]
        return heard

    @property
    def said(self) -> TextPreprocessing:
        said: TextPreprocessing = self.preprocessing["targets"]
        return said

    def _describe(self) -> list[str]:
        unit, answers = self.config.unit, self.exchanges["train"]["targets"]
        unknown = float((answers.values == UNKNOWN_NUMBER).double().mean())
        return [
            f"{len(answers):,} answers to learn, each to the last {self.config.turns} turns (--turns)",
            f"{len(self.said.tokens):,} different {unit} are said; {unknown:.1%} of those in the answers are others, "
            "which count as one",
        ]

    @cached_property
    def exchanges(self) -> dict[Part, dict[str, Ragged]]:
        """What was said before each answer, `inputs`, and the answer, `targets`, of each part."""
        parts: tuple[Part, ...] = ("train", "validation", "test")
        return {part: self._exchanges(list(self.data.raw(part).values)) for part in parts}

    def _exchanges(self, dialogues: Sequence[str]) -> dict[str, Ragged]:
        inputs: list[Tensor] = []
        targets: list[Tensor] = []
        for turns in (dialogue.split("\n") for dialogue in dialogues):
            heard = [torch.from_numpy(self.heard.encode(turn)) for turn in turns[:-1]]
            for place, answer in enumerate(turns[1:], 1):
                inputs.append(torch.cat(heard[max(0, place - self.config.turns) : place]))
                targets.append(torch.from_numpy(self.said.encode(answer)))
        return {"inputs": Ragged.of(inputs), "targets": Ragged.of(targets)}

    def loader(self, rule: LearningRule, seed: int) -> Loader:
        return InMemoryLoader(self.exchanges["train"], self.data.settings.batch_size, seed, by_length="targets")

    def evaluate(self, rule: LearningRule, part: Part = "validation") -> dict[str, float]:
        """Judge the true answers; of the test part also how they rank, and how varied the network's own answers are."""
        held = self.exchanges[part]
        found = mean_surprise(rule.home, side_by_side(held["inputs"], held["targets"]))
        if part == "test":
            chosen = torch.from_numpy(in_order_of_chance(len(held["inputs"]), RANKED_ANSWERS))
            inputs, targets = (held[side].padded(chosen)[0] for side in ("inputs", "targets"))
            found["ranked_first"] = ranked_first(rule.home, inputs, targets, NOTHING)
            found["distinct_2"] = distinct(self._drawn(rule.home, [held["inputs"][int(n)] for n in chosen[:WRITTEN]]))
        return found

    def _drawn(self, network: nn.Module, contexts: list[Tensor]) -> list[str]:
        """Return one answer to each context, drawn as `chat` draws its candidates."""
        found = write(network, contexts, lambda _: self._decoding(Chat()), range(len(contexts)))
        return [self.said.joined(self.said.named(written.tokens)) for written, _ in found]

    def baseline(self) -> dict[str, float]:
        """Return what counting runs of three tokens of the training turns comes to, with Kneser and Ney's smoothing."""
        train = [turn for dialogue in self.data.raw("train").values for turn in dialogue.split("\n")]
        counted = KneserNey(self._in_a_row(self.said.encode(turn) for turn in train), self.said.num_tokens, TRIGRAM)
        wanted = self._in_a_row(one.numpy() for one in self.exchanges["test"]["targets"].samples())
        shares = counted(wanted)
        judged = wanted[counted.order - 1 :] != BEGIN
        loss = float(-np.log(shares[judged]).mean())
        return {"loss": loss, "perplexity": float(np.exp(loss))}

    @staticmethod
    def _in_a_row(turns: Any) -> np.ndarray:
        """Return the tokens of turns one after the other, each with its mark of the beginning twice."""
        return np.concatenate([np.concatenate([[BEGIN], turn]) for turn in turns])

    def calibrate(self, rule: LearningRule) -> None:
        """Find out how sure the network is of its answers on the validation part."""
        held = self.exchanges["validation"]["inputs"]
        contexts = [held[int(place)] for place in in_order_of_chance(len(held), SURE)]
        found = write(rule.home, contexts, lambda _: self._decoding(Chat(temperature=0)))
        sure = [np.exp(written.log_probability / (len(written.tokens) + 1)) for written, _ in found]
        self.threshold = float(np.quantile(sure, UNSURE))

    def _decoding(self, question: Chat) -> Decoding:
        drawn = question.temperature > 0
        return Decoding(
            longest=self.config.window + 1,
            shortest=1,
            temperature=question.temperature,
            top_p=question.top_p if drawn else None,
            no_repeated=question.no_repeated,
            end=END,
            forbidden=(PADDING, UNKNOWN_NUMBER, BEGIN),
        )

    def chat(self, network: nn.Module, question: Chat) -> Text:
        """Return the answer to what was said, and how sure it is.

        Candidates are drawn; what was said in this conversation already is left out while others remain. Of the rest
        that one is said whose tokens are likelier after what was said than after nothing, by the most on average.
        """
        if not question.say or not question.say[-1].strip():
            raise DataError("nothing was said", expected="a word at least", found="nothing", remedy="say something")
        turns = [" ".join(turn.split()) for turn in question.say][-self.config.turns :]
        context = torch.from_numpy(self.heard.encode("\n".join(turns)))
        strange = self.heard.unknown(turns[-1])
        note = f"not known: {', '.join(self.heard.shown(strange))}"
        notes = (note,) if strange else ()
        answer, sure = self._answer(network, context, question)
        least = self.threshold if question.unsure is None else question.unsure
        known = [token for token in self.heard.split(turns[-1]) if token not in strange and token.isalnum()]
        if sure < least or (not known and least > 0):
            return Text(question.unsure_answer, (*notes, f"sure to {sure:.3f} a token, and {least:.3f} are asked for"))
        return Text(answer, notes)

    def _answer(self, network: nn.Module, context: Tensor, question: Chat) -> tuple[str, float]:
        """Return what is said, and the mean probability of its tokens (geometric)."""
        count = question.candidates if question.temperature > 0 else 1
        seeds = [question.seed * 1000 + number for number in range(count)]
        found = [written for written, _ in write(network, [context] * count, lambda _: self._decoding(question), seeds)]
        texts = [self.said.joined(self.said.named(written.tokens)) for written in found]
        before = {turn.lower() for turn in question.say}
        fresh = [n for n, text in enumerate(texts) if text.lower() not in before] or list(range(count))
        tokens = Ragged.of([torch.tensor([BEGIN, *found[n].tokens, END]) for n in fresh]).padded(
            torch.arange(len(fresh))
        )[0]
        here, anywhere = (
            per_token(network, about.expand(len(fresh), *about.shape), tokens) for about in (context, NOTHING)
        )
        best = int((anywhere - here).argmax())
        return texts[fresh[best]], float((-here[best]).exp())

    def figures(self, rule: LearningRule) -> "dict[str, Figure]":
        dialogues = [text.split("\n") for text in self.data.raw("test").values]
        spread = self.data.spread("test", SHOWN).tolist()
        passages = []
        for number, place in enumerate(spread):
            turns = dialogues[place]
            at = 1 + number % (len(turns) - 1)
            said = tuple(turns[max(0, at - self.config.turns) : at])
            answer = self.chat(rule.home, Chat(say=said, unsure=0.0)).text
            lines = [*(f"said     {turn}" for turn in said), f"wanted   {turns[at]}", f"answered {answer}"]
            passages.append("\n".join(lines))
        longest = sorted(range(len(dialogues)), key=lambda n: -len(dialogues[n]))[: 4 * TALKS : 4]
        talks = ["\n".join(self._talked(rule.home, dialogues[n][:LONGEST_TALK:2])) for n in longest]
        drawn = {
            "answers": figures.passage("\n\n".join(passages), "Answers to turns of test dialogues"),
            "conversations": figures.passage("\n\n".join(talks), "Conversations with the network"),
        }
        matrix = self._matrix(rule.home, dialogues[longest[0]][: self.config.turns])
        return drawn if matrix is None else drawn | {"attention": figures.attention_matrices([matrix])}

    def _talked(self, network: nn.Module, said: Sequence[str]) -> list[str]:
        """Return the lines of a conversation in which a person says all of these turns, and the network answers."""
        turns: list[str] = []
        for turn in said:
            turns.append(turn)
            turns.append(self.chat(network, Chat(say=tuple(turns))).text)
        return [f"{'you     ' if n % 2 == 0 else 'network '} {turn}" for n, turn in enumerate(turns)]

    def _matrix(self, network: nn.Module, turns: Sequence[str]) -> Any:
        """Return the tokens that were read, those that were said, and how much the first count for the second."""
        context = torch.from_numpy(self.heard.encode("\n".join(turns)))
        ((written, weights),) = write(network, [context], lambda _: self._decoding(Chat(temperature=0)))
        if weights is None:
            return None
        words = self.said.shown(self.said.named(written.tokens))
        return self._names(context), [*words, "(end)"][: len(weights)], weights

    def _names(self, context: Tensor) -> list[str]:
        """Return what the tokens of what was said are called."""
        marks = {BEGIN: "(begin)", END: "(end)"}
        names = self.heard.shown(self.heard.named(context.tolist()))
        return [marks.get(number, name) for number, name in zip(context.tolist(), names, strict=True)]

    def steps(self, source: str) -> tuple[Tensor, list[str]]:
        """Return what was said, a turn on each line, or a file of that, as the network reads it, and its tokens."""
        text = whole_text(source, self.settings)
        context = torch.from_numpy(self.heard.encode(text.strip()))
        return context[None], self._names(context)


def distinct(answers: Sequence[str]) -> float:
    """Return how many of the pairs of neighbouring words of all answers are different, as a share of all pairs.

    >>> distinct(["i am here", "i am there"])
    0.75
    """
    pairs = [pair for words in (answer.split() for answer in answers) for pair in pairwise(words)]
    return len(set(pairs)) / max(1, len(pairs))


TASK = ConversationTask
