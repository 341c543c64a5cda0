"""From an answer to a body: JSON, or the first form that whoever asked accepts."""

import base64
import json
import math
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from ganglion.errors import RequestError, UsageError
from ganglion.runs.writing import write
from ganglion.serve.media import BYTES, JSON, plain
from ganglion.serve.refusal import refused
from ganglion.tasks.answers import Answer, Arrays, Binaries, Binary, Film, Images, Rows, Sound, Strokes, Text

FILES = {
    "text/csv": ".csv",
    "text/tab-separated-values": ".tsv",
    "text/plain": ".txt",
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "image/webp": ".webp",
    "image/svg+xml": ".svg",
    "image/gif": ".gif",
    "application/x-npz": ".npz",
    "audio/wav": ".wav",
    "video/mp4": ".mp4",
}
"""Endings of the files that answers are written to for each media type."""
USUAL = {
    Rows: JSON,
    Text: JSON,
    Binaries: JSON,
    Images: "image/png",
    Sound: "audio/wav",
    Film: "image/gif",
    Strokes: "image/svg+xml",
    Binary: BYTES,
    Arrays: "application/x-npz",
}
"""What an answer is sent as where anything is accepted."""
LONGEST_NOTES = 4000
"""Characters of the notes in a header."""


def body_of(answer: Answer, accept: str) -> tuple[bytes, str, dict[str, str]]:
    """Return the body of an answer, its media type and headers; raise `RequestError` where no accepted form fits."""
    usual = USUAL[type(answer)]
    tried = []
    for media in accepted(accept, usual):
        if media == JSON:
            return json.dumps(document(answer), allow_nan=False).encode(), JSON, {}
        if media == BYTES and isinstance(answer, Binary):
            return answer.content, BYTES, _notes(answer)
        try:
            if media in FILES:
                return written(answer, FILES[media]), media, _notes(answer)
        except UsageError as error:
            tried.append(error.expected)
    expected = f"{JSON}, {usual}" + (f", or what ends in {tried[0]}" if tried else "")
    raise refused(
        406, RequestError("there is no such form of this answer", where="Accept", expected=expected, found=accept)
    )


def accepted(accept: str, usual: str) -> Iterator[str]:
    """Yield the media types that a header accepts, the dearest first; one with an asterisk means the usual one.

    >>> list(accepted("text/csv;q=0.5, application/json", "image/png")), list(accepted("", "image/png"))
    (['application/json', 'text/csv'], ['image/png'])
    """
    ranges = [one for one in accept.split(",") if one.strip()] or ["*/*"]
    for one in sorted(ranges, key=_quality, reverse=True):
        media = plain(one)
        kind = media.partition("/")[0]
        if _quality(one) > 0:
            yield usual if media == "*/*" or (media == f"{kind}/*" and usual.startswith(f"{kind}/")) else media


def _quality(one: str) -> float:
    for parameter in one.split(";")[1:]:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0


def written(answer: Answer, ending: str) -> bytes:
    """Return what the file of an answer holds; raise `UsageError` where it has no form of that ending."""
    with tempfile.TemporaryDirectory(prefix="ganglion-answer-") as folder:
        path = Path(folder) / f"answer{ending}"
        write(answer, path)
        return path.read_bytes()


def document(answer: Answer) -> dict[str, Any]:
    """Return an answer as JSON values; pictures and other files within it are in base64."""
    if isinstance(answer, Text):
        said: dict[str, Any] = {"text": answer.text}
    elif isinstance(answer, Rows):
        said = {"rows": answer.value, **({"totals": dict(answer.totals)} if answer.totals else {})}
    else:
        rows = getattr(answer, "rows", ()) or next((one.value for one in answer.also if isinstance(one, Rows)), ())
        said = {**({"rows": [dict(row) for row in rows]} if rows else {}), "files": list(_files(answer))}
    return plain_values({**said, **({"notes": list(answer.notes)} if answer.notes else {})})


def _files(answer: Answer) -> Iterator[dict[str, str]]:
    """Yield each file of an answer: its name, its media type and its content."""
    if isinstance(answer, Images):
        for place, name in enumerate(answer.names):
            one = replace(
                answer, pixels=answer.pixels[place : place + 1], names=[name], kept=answer.kept[place : place + 1]
            )
            yield _file(name, "image/png", written(replace(one, rows=(), groups=(), also=()), ".png"))
    elif isinstance(answer, Binaries):
        for name, content in zip(answer.names, answer.contents, strict=True):
            yield _file(f"{name}{answer.ending}", BYTES, content)
    elif isinstance(answer, Binary):
        yield _file(f"answer{answer.ending}", BYTES, answer.content)
    else:
        media = USUAL[type(answer)]
        yield _file("answer", media, written(answer, FILES[media]))


def _file(name: str, media: str, content: bytes) -> dict[str, str]:
    return {"name": name, "media": media, "base64": base64.b64encode(content).decode("ascii")}


def _notes(answer: Answer) -> dict[str, str]:
    return {"Ganglion-Notes": json.dumps(list(answer.notes))[:LONGEST_NOTES]} if answer.notes else {}


def plain_values(value: Any) -> Any:
    """Return a value as JSON knows it: arrays become lists, and numbers that JSON has no word for become null.

    >>> plain_values({"a": (1, float("nan"))})
    {'a': [1, None]}
    """
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): plain_values(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain_values(item) for item in value]
    if hasattr(value, "tolist"):
        return plain_values(value.tolist())
    return value if value is None or isinstance(value, bool | int | str) else str(value)
