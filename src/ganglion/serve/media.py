"""Media types: which a body may be of, by what a run is asked about, and which an answer may be of."""

from ganglion.data.preprocessing import PREPROCESSING
from ganglion.tasks.base import Task

JSON = "application/json"
BYTES = "application/octet-stream"
"""What is compressed, and other formats of our own."""
NAMES = "names"
"""The kind of inputs of tasks that are asked about things by their names."""

ARRAYS = {"application/x-npz": ".npz", "application/x-npy": ".npy"}
TABLES = {"text/csv": ".csv", "text/tab-separated-values": ".tsv"}
PICTURES = {
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "image/webp": ".webp",
    "image/gif": ".gif",
    "image/bmp": ".bmp",
    "image/tiff": ".tif",
}
TEXTS = {"text/plain": ".txt"}
SOUNDS = {"audio/wav": ".wav", "audio/x-wav": ".wav", "audio/flac": ".flac", "audio/mpeg": ".mp3"}
FILMS = {"image/gif": ".gif", "image/webp": ".webp", "video/mp4": ".mp4"}
DRAWINGS = {"image/svg+xml": ".svg", "application/x-ndjson": ".ndjson"}

BODIES: dict[str, dict[str, str]] = {
    "images": PICTURES | ARRAYS,
    "rows": TABLES | ARRAYS,
    "series": TABLES | ARRAYS,
    "short-series": TABLES | ARRAYS,
    "panel": TABLES,
    "text": TEXTS,
    "texts": TEXTS | TABLES,
    "tagged": TEXTS,
    "waveforms": SOUNDS,
    "strokes": DRAWINGS,
    "films": FILMS | ARRAYS,
    NAMES: TABLES,
}
"""Beside JSON, by the kind of inputs."""


def kind_of(task: Task) -> str:
    """Return what kind of field a run is asked about: that of its inputs, or of what it learnt to give back."""
    found = task.preprocessing.get("inputs") or task.preprocessing.get("targets")
    if "users" in task.preprocessing or found is None:
        return NAMES
    kinds = task.fields.get("inputs") or task.fields["targets"]
    return next(kind for kind in kinds if isinstance(found, PREPROCESSING[kind]))


def bodies(verb: str, kind: str | None) -> dict[str, str]:
    """Return the types that a body may be of with their endings, JSON first; it alone where nothing is asked about.

    >>> list(bodies("predict", "text"))
    ['application/json', 'text/plain']
    """
    if verb == "decompress":
        return {BYTES: ""}
    return {JSON: ".json", **(BODIES[kind] if kind else {})}


def plain(content_type: str) -> str:
    """Return a media type without its parameters.

    >>> plain("Text/CSV; charset=utf-8")
    'text/csv'
    """
    return content_type.partition(";")[0].strip().lower()
