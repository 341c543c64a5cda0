"""The one thread that asks the network: questions wait in line, and those that can be joined are put as one.

A network is asked in blocks of one size, filled up where samples are few, and an answer does not depend, bit for bit,
on what else is asked with it (`ganglion.tasks.shared.evaluation`). So joining changes no answer; it fills the blocks.
"""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, final

from ganglion.errors import GanglionError
from ganglion.runs.run import Run
from ganglion.serve.asking import Question, tidied
from ganglion.serve.limits import Limits
from ganglion.serve.metrics import Metrics
from ganglion.tasks.answers import Answer, Rows
from ganglion.tasks.shared.inputs import Read

GATHERING = 0.002
"""Seconds that a question waits for others to join, and only where several were joined just before."""
Outcome = Answer | Exception


@final
@dataclass(eq=False)
class Job:
    """A question in line, and who waits for its answer."""

    question: Question
    waiting: "asyncio.Future[Answer]"
    loop: asyncio.AbstractEventLoop

    @property
    def is_wanted(self) -> bool:
        """Whether anybody still waits."""
        return not self.waiting.done()


@final
class ModelThread:
    """Answers questions to one run, in the order in which they come but for those that join an earlier one."""

    def __init__(self, run: Run, limits: Limits, metrics: Metrics, first: Sequence[Question] = ()) -> None:
        """`first` are asked once before anybody else is answered."""
        self.run, self.limits, self.metrics, self.first = run, limits, metrics, first
        self._jobs: deque[Job] = deque()
        self._changed = threading.Condition()
        self._stopping = False
        self._thread = threading.Thread(target=self._work, name="ganglion-model", daemon=True)
        self.is_ready = threading.Event()
        self.failure: Exception | None = None

    def start(self) -> None:
        self._thread.start()

    def stop(self, seconds: float) -> None:
        """Stop after what is being answered, and wait for that so long at most."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join(seconds)

    def submit(self, question: Question) -> "asyncio.Future[Answer]":
        """Return what will hold the answer; to be called in an event loop."""
        loop = asyncio.get_running_loop()
        job = Job(question, loop.create_future(), loop)
        with self._changed:
            self._jobs.append(job)
            self._changed.notify()
        return job.waiting

    def _work(self) -> None:
        try:
            self.run.network  # noqa: B018  read here, so that threads of the processor belong to this one
        except Exception as error:
            self.failure = error
        for question in () if self.failure else self.first:
            self._alone(question)  # compiled kernels are loaded, memory is taken
        self.is_ready.set()
        joined = 1
        while (jobs := self._next(joined)) is not None:
            joined = len(jobs)
            wanted = [job for job in jobs if job.is_wanted]
            outcomes = self._outcomes([job.question for job in wanted]) if wanted else []
            for job in jobs:
                job.question.close()
            if wanted:
                wanted[0].loop.call_soon_threadsafe(_settle, wanted, outcomes)

    def _next(self, joined: int) -> list[Job] | None:
        """Return the jobs to do together; None once there are none and the thread is to stop."""
        with self._changed:
            while not self._jobs:
                if self._stopping:
                    return None
                self._changed.wait()
            first = self._jobs.popleft()
            if first.question.key is None:
                return [first]
            end = time.monotonic() + GATHERING
            while len(self._jobs) + 1 < joined and (left := end - time.monotonic()) > 0:
                self._changed.wait(left)
            return [first, *self._joining(first)]

    def _joining(self, first: Job) -> list[Job]:
        """Take those jobs out of line that join the first one, as far as its samples and theirs fit into a batch."""
        room = self.limits.batch - len(first.question.inputs)
        taken, left = [], deque[Job]()
        for job in self._jobs:
            if len(job.question.inputs) <= room and job.question.key == first.question.key:
                taken.append(job)
                room -= len(job.question.inputs)
            else:
                left.append(job)
        self._jobs = left
        return taken

    def _outcomes(self, questions: Sequence[Question]) -> Sequence[Outcome]:
        """Return an answer or an error for each question, asked as one where that can be."""
        started = time.monotonic()
        together = self._together(questions) if len(questions) > 1 else None
        outcomes = [self._alone(question) for question in questions] if together is None else together
        self.metrics.asked(len(questions), time.monotonic() - started)
        return outcomes

    def _together(self, questions: Sequence[Question]) -> list[Answer] | None:
        first, parts = questions[0], [question.inputs for question in questions]
        inputs: Sequence[Any] = (
            Read.joined([part for part in parts if isinstance(part, Read)])
            if isinstance(first.inputs, Read)
            else [one for part in parts for one in part]
        )
        try:
            answer = self.run.answer(first.verb, **replace(first, inputs=inputs).fields)
        except Exception:  # one of them is to blame, and is found when each is asked alone
            return None
        return divided(answer, questions)

    def _alone(self, question: Question) -> Outcome:
        try:
            answer = self.run.answer(question.verb, **question.fields)
        except GanglionError as error:
            tidied(error, question)
            return error
        except Exception as error:
            return error
        return with_notes(question.without_place(answer), question)


def divided(answer: Answer, questions: Sequence[Question]) -> list[Answer] | None:
    """Return the rows of an answer by the questions that they answer; None where there is more to it than rows."""
    counts = [len(question.inputs) for question in questions]
    if not isinstance(answer, Rows) or answer.totals or answer.also or answer.notes or len(answer.rows) != sum(counts):
        return None
    parts: list[Answer] = []
    start = 0
    for question, count in zip(questions, counts, strict=True):
        own = question.inputs.found.own if isinstance(question.inputs, Read) else ()
        parts.append(Rows(answer.rows[start : start + count], notes=question.notes, beside=own))
        start += count
    return parts


def with_notes(answer: Answer, question: Question) -> Answer:
    """Return an answer with what is to be said of how its inputs were read."""
    further = tuple(note for note in question.notes if note not in answer.notes)
    return replace(answer, notes=(*answer.notes, *further))


def _settle(jobs: Sequence[Job], outcomes: Sequence[Outcome]) -> None:
    """Hand out answers, in the event loop of those who wait for them."""
    for job, outcome in zip(jobs, outcomes, strict=True):
        if job.is_wanted:
            if isinstance(outcome, Exception):
                job.waiting.set_exception(outcome)
            else:
                job.waiting.set_result(outcome)
