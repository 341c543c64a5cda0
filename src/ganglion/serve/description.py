"""What a run can be asked over HTTP: in our own words for people, and as OpenAPI for programs."""

from collections.abc import Sequence
from typing import Any, Literal, get_args, get_origin

import ganglion
from ganglion.data.preprocessing import ClassPreprocessing, ImagePreprocessing, LabelPreprocessing
from ganglion.runs import task_facts
from ganglion.runs.run import Run
from ganglion.serve.answering import plain_values
from ganglion.serve.asking import Asker
from ganglion.serve.fields import Field
from ganglion.serve.json_inputs import AXES
from ganglion.serve.limits import Limits
from ganglion.serve.media import JSON
from ganglion.settings import to_dict

MOST_LABELS = 1000
ERRORS = {
    "400": "The body is no JSON, or empty",
    "401": "The token is missing or wrong",
    "403": "A page of another site asked",
    "406": "The answer has no form that is accepted",
    "408": "The body did not come in time",
    "413": "The body is too large",
    "415": "Bodies of this type are not read",
    "421": "The server has another name",
    "422": "The question, or what it is about, is wrong",
    "429": "Too many requests are waiting",
    "503": "The server is stopping",
    "504": "There was no answer in time",
}
KINDS = {int: "integer", float: "number", bool: "boolean", str: "string"}


def schema(run: Run, asker: Asker, verbs: Sequence[str], limits: Limits) -> dict[str, Any]:
    """Return what the run was trained on, what it can be asked, and the bounds of this server."""
    facts = task_facts.make(run.task.name)["verbs"]
    return {
        "run": run.name,
        "system": run.system.name,
        "task": run.task.name,
        "score": {key: run.result[key] for key in ("score_name", "score") if key in run.result},
        "inputs": inputs(asker),
        **_labels(asker),
        "verbs": {
            verb: {
                "summary": " ".join(facts[verb]["summary"].split()),
                "about": asker.options[verb].about,
                "bodies": list(asker.media(verb)),
                "options": {name: _described(field) for name, field in asker.options[verb].fields.items()},
            }
            for verb in verbs
        },
        "limits": to_dict(limits),
    }


def inputs(asker: Asker) -> dict[str, Any]:
    """Return the form of what the run is asked about, from how its training data was prepared."""
    preprocessing = asker.task.preprocessing.get("inputs") or asker.task.preprocessing.get("targets")
    found: dict[str, Any] = {"kind": asker.kind}
    if isinstance(preprocessing, ImagePreprocessing):
        found |= {"size": list(preprocessing.size), "channels": preprocessing.channels}
    columns = getattr(preprocessing, "columns", ()) or getattr(preprocessing, "names", ())
    if columns and asker.kind in ("rows", "series", "short-series"):
        found["columns"] = list(columns)
    if any(getattr(preprocessing, "categories", ())):
        named = zip(columns, preprocessing.categories, strict=True)  # type: ignore[union-attr]
        found["categories"] = {name: list(texts) for name, texts in named if texts}
    return found


def _labels(asker: Asker) -> dict[str, Any]:
    targets = asker.task.preprocessing.get("targets")
    if not isinstance(targets, ClassPreprocessing | LabelPreprocessing):
        return {}
    return {"labels": list(targets.labels[:MOST_LABELS])}


def _described(field: Field) -> dict[str, Any]:
    most = {} if field.most is None else {"most": field.most}
    return {**_typed(field), "help": field.help, **most}


def _typed(field: Field) -> dict[str, Any]:
    """Return the type of a field as JSON Schema says it, with its default."""
    kinds = [_kind(option) for option in field.options]
    kind = kinds[0] if len(kinds) == 1 else {"anyOf": kinds}
    default = plain_values(field.default)
    return (
        kind if default is None or not isinstance(default, bool | int | float | str) else {**kind, "default": default}
    )


def _kind(option: Any) -> dict[str, Any]:
    if get_origin(option) is Literal:
        return {"enum": list(get_args(option))}
    if get_origin(option) is tuple:
        return {"type": "array", "items": _kind(get_args(option)[0])}
    return {"type": KINDS[option]} if option in KINDS else {}


def openapi(run: Run, asker: Asker, verbs: Sequence[str], limits: Limits) -> dict[str, Any]:
    """Return a description in OpenAPI 3.1."""
    known = schema(run, asker, verbs, limits)
    watching = {
        "/schema": "What the run can be asked",
        "/openapi.json": "This description",
        "/health": "Whether the server is alive",
        "/ready": "Whether it answers questions",
        "/metrics": "Counters for Prometheus",
    }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": f"{run.system.name}: {run.name}",
            "version": ganglion.__version__,
            "description": f"A run of the task {run.task.name}.",
        },
        "security": [{"token": []}],
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": {"Error": _error()},
        },
        "paths": {
            **{f"/{verb}": {"post": _operation(verb, asker, known["verbs"][verb])} for verb in verbs},
            **{path: {"get": _watching(path, summary)} for path, summary in watching.items()},
        },
    }


def _watching(path: str, summary: str) -> dict[str, Any]:
    open_to_all: dict[str, Any] = {"security": []} if path in ("/health", "/ready") else {}
    return {"summary": summary, "responses": {"200": {"description": summary}}, **open_to_all}


def _operation(verb: str, asker: Asker, known: dict[str, Any]) -> dict[str, Any]:
    options = asker.options[verb]
    properties: dict[str, Any] = {
        name: {**_typed(field), "description": field.help} for name, field in options.fields.items()
    }
    required = [options.about] if options.about and options.required else []
    if options.about:
        properties = {options.about: _inputs(asker), **properties}
    fields = {"type": "object", "properties": properties, "additionalProperties": False, "required": required}
    contents = {media: {"schema": fields} if media == JSON else {} for media in asker.media(verb)}
    refusals = {status: {"description": words, "content": _of_error()} for status, words in ERRORS.items()}
    parameters = [
        {
            "name": name,
            "in": "query",
            "schema": _typed(field),
            "description": f"{field.help} For bodies other than JSON.",
        }
        for name, field in options.fields.items()
        if options.about
    ]
    return {
        "summary": known["summary"],
        "operationId": verb,
        "parameters": parameters,
        "requestBody": {"content": contents, "required": bool(required)},
        "responses": {"200": {"description": "The answer", "content": {JSON: {}}}, **refusals},
    }


def _inputs(asker: Asker) -> dict[str, Any]:
    """Return the form of what is asked about in JSON."""
    number = {"type": ["number", "null"]}
    if asker.kind in AXES:
        axes = " or ".join(map(str, AXES[asker.kind]))
        return {
            "type": "array",
            "minItems": 1,
            "items": {"type": "array"},
            "description": f"Numbers, {axes} axes each.",
        }
    if asker.kind in ("rows", "series", "short-series"):
        found = inputs(asker)
        cell = {"type": ["number", "string", "null"]} if "categories" in found else number
        row = {"type": "array", "items": cell if asker.kind != "short-series" else {}}
        by_name = {"type": "object", "properties": dict.fromkeys(found.get("columns", ()), cell)}
        rows = {"anyOf": [row, by_name]} if found.get("columns") else row
        return {"type": "array", "minItems": 1, "items": rows}
    return {"anyOf": [{"type": "string"}, {"type": "array", "minItems": 1, "items": {"type": "string"}}]}


def _of_error() -> dict[str, Any]:
    return {JSON: {"schema": {"$ref": "#/components/schemas/Error"}}}


def _error() -> dict[str, Any]:
    parts = {name: {"type": "string"} for name in ("what", "where", "expected", "found", "remedy")}
    error = {"type": "object", "properties": parts, "required": ["what"]}
    return {"type": "object", "properties": {"error": error}, "required": ["error"]}
