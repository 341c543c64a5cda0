"""From a request to a question: its options checked, its inputs read on their own before they join any others."""

import json
import shutil
import tempfile
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, final

import numpy as np

from ganglion.data.settings import WRITTEN, DataSettings
from ganglion.errors import DataError, GanglionError, RequestError
from ganglion.files import parse_json
from ganglion.runs.run import Run
from ganglion.serve.fields import Options
from ganglion.serve.json_inputs import Inputs, read_inputs
from ganglion.serve.limits import Limits
from ganglion.serve.media import BYTES, JSON, PICTURES, bodies, kind_of
from ganglion.serve.refusal import refused
from ganglion.settings import from_dict, to_dict
from ganglion.tasks.answers import Answer
from ganglion.tasks.questions import Said
from ganglion.tasks.shared.inputs import Read

TOLD = ("rows", "beside", "names", "arrays", "also", "notes")
"""Parts of answers that may name files."""


@final
@dataclass(frozen=True)
class Question:
    """What one request asks."""

    verb: str
    options: Mapping[str, Any]
    """Fields of the task's question, and how a file is written, without what it is about."""
    about: str | None = None
    """The field that holds what it is about."""
    inputs: Sequence[Any] = ()
    notes: tuple[str, ...] = ()
    """What whoever asked should know of how the inputs were read."""
    folder: Path | None = None
    """Where the body lies as a file, until it is answered."""

    @property
    def fields(self) -> dict[str, Any]:
        """Everything that a run is asked with."""
        return {**self.options, **({} if self.about is None else {self.about: self.inputs})}

    @property
    def key(self) -> tuple[Any, ...] | None:
        """What questions have in common that can be put as one; None for one that stands alone."""
        if isinstance(self.inputs, Read):
            shape: Any = tuple(self.inputs.prepared.shape[1:])
        elif self.inputs and all(isinstance(one, Said) for one in self.inputs):
            shape = "texts"
        else:
            return None
        return self.verb, shape, json.dumps(self.options, sort_keys=True)

    def named(self, text: str) -> str:
        """Return a text without the folder that the body lies in, which says nothing to whoever sent it."""
        return text if self.folder is None else text.replace(f"{self.folder}/", "")

    def without_place(self, answer: Answer) -> Answer:
        """Return an answer without the folder that the body lies in."""
        if self.folder is None:
            return answer
        told = {field.name: getattr(answer, field.name) for field in fields(answer) if field.name in TOLD}
        return replace(answer, **{name: self._told(value) for name, value in told.items()})

    def _told(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.named(value)
        if isinstance(value, Mapping):
            return {key: self._told(one) for key, one in value.items()}
        if isinstance(value, list | tuple):
            return type(value)(self._told(one) for one in value)
        if isinstance(value, np.ndarray) and value.dtype.kind == "U":
            return np.array([self.named(one) for one in value.tolist()])
        return self.without_place(value) if isinstance(value, Answer) else value

    def close(self) -> None:
        """Remove the body."""
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)


@final
class Asker:
    """Reads requests for one run. Any thread may ask it."""

    def __init__(self, run: Run, limits: Limits) -> None:
        self.task, self.trained = run.task, run.task.settings
        self.options = {verb: Options.of(cls, limits) for verb, cls in self.task.questions.items()}
        self.kind = kind_of(self.task)
        self.place = tempfile.mkdtemp(prefix="ganglion-bodies-")
        self.close = weakref.finalize(self, shutil.rmtree, self.place, ignore_errors=True)

    def media(self, verb: str) -> dict[str, str]:
        """Return the media types that a body may be of, each with the ending of such a file."""
        return bodies(verb, self.kind if self.options[verb].about else None)

    def read(self, verb: str, media: str, body: bytes, query: Sequence[tuple[str, str]]) -> Question:
        """Return what is asked.

        Raises:
            RequestError: the body is no JSON, or the address sets what the body should.
            GanglionError: anything else about the request is wrong; it says what, and nothing was asked.
        """
        if media == JSON:
            if query:
                name = query[0][0]
                raise RequestError("fields stand in the body", where=f"?{name}", expected="none in the address")
            return self._of_json(verb, body)
        options = self.options[verb].of_query(query, WRITTEN)
        if not body:
            raise refused(400, RequestError("the body is empty", expected=f"a file of type {media}"))
        in_memory = verb in self.task.joined and self.kind == "images" and media in PICTURES
        if media == BYTES or in_memory:
            return self._checked(verb, options, [body])
        folder = Path(tempfile.mkdtemp(dir=self.place))
        path = folder / f"body{self.media(verb)[media]}"
        with removed_on_failure(folder):
            path.write_bytes(body)
            return self._checked(verb, options, [path], folder=folder)

    def _of_json(self, verb: str, body: bytes) -> Question:
        try:
            values = parse_json(body.decode("utf-8")) if body.strip() else {}
        except ValueError as error:
            problem = RequestError("the body is no JSON", where="body", expected="an object in UTF-8", found=str(error))
            raise refused(400, problem) from error
        if not isinstance(values, dict):
            kind = type(values).__name__
            raise DataError("the body is no JSON object", where="body", expected="names with values", found=kind)
        about = self.options[verb].about
        given = values.pop(about, None) if about else None
        options = self.options[verb].of_json(values)
        if given is None:
            return self._checked(verb, options, None)
        read: Inputs = read_inputs(given, self.kind, self.task, about or "")
        return self._checked(verb, options, read.values, read.notes)

    def _checked(
        self,
        verb: str,
        options: dict[str, Any],
        inputs: Sequence[Any] | None,
        notes: tuple[str, ...] = (),
        folder: Path | None = None,
    ) -> Question:
        """Return the question once everything is known to be right that can be known without the network."""
        question = Question(
            verb, options, self.options[verb].about if inputs is not None else None, inputs or (), notes, folder
        )
        written = {name: value for name, value in options.items() if name in WRITTEN}
        asked = {name: value for name, value in question.fields.items() if name not in WRITTEN}
        from_dict(self.task.questions[verb], asked, where=verb)
        if inputs is None:
            return question
        settings = from_dict(DataSettings, to_dict(self.trained) | written, where="data") if written else self.trained
        read = self._read(question, settings)
        if not isinstance(read, Read):
            return question
        question.close()
        named = [{key: question._told(one) for key, one in name.items()} for name in read.found.names]
        found = replace(read.found, names=named)
        left = {name: value for name, value in options.items() if name not in WRITTEN}
        return replace(question, inputs=replace(read, found=found), options=left, notes=(*notes, *found.notes))

    def _read(self, question: Question, settings: DataSettings) -> Sequence[Any]:
        try:
            return self.task.read_inputs(question.verb, question.inputs, settings)
        except GanglionError as error:
            tidied(error, question)
            raise
        except (ValueError, TypeError, IndexError, OverflowError, RuntimeError) as error:
            found = " ".join(question.named(str(error)).split())
            raise DataError(
                "these inputs cannot be read", where=question.about or "", expected="what /schema says", found=found
            ) from error


def tidied(error: GanglionError, question: Question) -> None:
    """Leave the place of the body out of an error's words."""
    for part in ("what", "where", "expected", "found", "remedy"):
        setattr(error, part, question.named(getattr(error, part)))


@contextmanager
def removed_on_failure(folder: Path) -> Iterator[None]:
    """Remove a folder if what is done with it fails."""
    try:
        yield
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
