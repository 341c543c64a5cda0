"""A line for a terminal that asks a server something, made of what the run knows, so that it works as it is."""

import base64
import io
import json
import shlex
from collections.abc import Sequence
from typing import Any

from PIL import Image

from ganglion.serve.asking import Asker
from ganglion.serve.media import JSON, NAMES

GREY = 128
FIRST = ("forecast", "generate", "predict", "features")
"""Verbs that an example is given of, the simplest to ask first."""
PLACEHOLDERS = {
    "panel": ("text/csv", "table.csv"),
    "waveforms": ("audio/wav", "sound.wav"),
    "films": ("image/gif", "film.gif"),
}
FILE = ("application/octet-stream", "FILE")
DRAWING = [[0, 0, 0], [10, 0, 0], [0, 10, 0], [-10, 0, 1]]


def curl(address: str, authorization: str, asker: Asker, verbs: Sequence[str]) -> str:
    """Return a line of curl.

    Args:
        authorization: the token as a shell writes it, with what it stands for; nothing for a server without.
    """
    verb = next((one for one in FIRST if one in verbs), verbs[0])
    header = f' -H "Authorization: Bearer {authorization}"' if authorization else ""
    sample = body(verb, asker)
    media, content = (JSON, b"{}") if sample is None else sample
    if asker.options[verb].about and sample is None:
        media, name = PLACEHOLDERS.get(asker.kind, FILE)
        return f"curl -s{header} -H 'Content-Type: {media}' --data-binary @{name} {address}/{verb}"
    if media == JSON:
        text = shlex.quote(content.decode())
        return f"curl -s{header} -H 'Content-Type: {media}' -d {text} {address}/{verb}"
    text = base64.b64encode(content).decode("ascii")
    sent = f"curl -s{header} -H 'Content-Type: {media}' --data-binary @- {address}/{verb}"
    return f"echo {text} | base64 -d | {sent}"


def body(verb: str, asker: Asker) -> tuple[str, bytes] | None:
    """Return the body of a request that asks about a sample as usual as can be, after its type; None where none is."""
    about = asker.options[verb].about
    if verb == "decompress" or (about and asker.kind in PLACEHOLDERS):
        return None
    if about and asker.kind == "images":
        return "image/png", _picture()
    return JSON, json.dumps(_fields(verb, asker), ensure_ascii=False).encode()


def _picture() -> bytes:
    file = io.BytesIO()
    Image.new("L", (32, 32), GREY).save(file, "png", optimize=True)
    return file.getvalue()


def _fields(verb: str, asker: Asker) -> dict[str, Any]:
    """Return the fields of an example: a sample that is as usual as can be."""
    about = asker.options[verb].about
    if about is None:
        return {}
    task: Any = asker.task
    if asker.kind == NAMES:
        users = getattr(task.preprocessing.get("users"), "labels", ())
        return {about: [users[0] if users else "all"]}
    if asker.kind == "strokes":
        return {about: [DRAWING]}
    preprocessing = task.preprocessing["inputs"]
    if asker.kind == "rows":
        return {about: [_row(preprocessing)]}
    if asker.kind == "short-series":
        return {about: [[list(map(_short, preprocessing.means))] * preprocessing.steps]}
    if asker.kind == "series":
        return {about: [list(map(_short, preprocessing.means))] * task.config.window}
    words = getattr(getattr(preprocessing, "text", preprocessing), "tokens", ())
    joint = "" if getattr(preprocessing, "unit", "") == "characters" else " "
    return {about: joint.join(word for word in words[3:8] if word.isprintable()).strip() or "a"}


def _row(preprocessing: Any) -> Any:
    """Return the mean of every column, and the first text of those that hold texts."""
    kinds = preprocessing.categories or ((),) * len(preprocessing.means)
    usual = zip(preprocessing.means, kinds, strict=True)
    values = [texts[0] if texts else _short(mean) for mean, texts in usual]
    return dict(zip(preprocessing.columns, values, strict=True)) if preprocessing.columns else values


def _short(value: float) -> float:
    return float(f"{value:.4g}")
