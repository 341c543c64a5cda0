"""Errors as answers: a status of HTTP, and what, where, expected, found and remedy as JSON."""

import json
from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from ganglion.errors import DataError, GanglionError, MissingExtraError, RequestError, ShapeError, UsageError


def refused(status: int, error: RequestError, headers: Mapping[str, str] | None = None) -> RequestError:
    """Return an error with the status and the headers that it is answered with."""
    error.status, error.headers = status, dict(headers or {})
    return error


def response(error: Exception) -> Response:
    """Return what an error of reading, asking or answering comes to for whoever asked."""
    known = error if isinstance(error, GanglionError) else defect(error)
    headers = known.headers if isinstance(known, RequestError) else None
    return Response(json.dumps(document(known)), status_of(known), headers, "application/json")


def status_of(error: GanglionError) -> int:
    """Return a status: 422 for what is wrong with a question, 501 where a package is not installed, else 500.

    >>> status_of(DataError("this file is empty", found="0 bytes"))
    422
    """
    if isinstance(error, RequestError):
        return error.status
    if isinstance(error, MissingExtraError):
        return 501
    return 422 if isinstance(error, DataError | ShapeError | UsageError) else 500


def defect(error: Exception) -> GanglionError:
    """Return the error for what nobody foresaw."""
    found = f"{type(error).__name__}: {' '.join(str(error).split())}"
    return GanglionError("this is a defect in ganglion", found=found, remedy="report it, with what was asked")


def document(error: GanglionError) -> dict[str, Any]:
    """Return an error as JSON values, without its empty parts.

    >>> document(DataError("this file is empty", found="0 bytes"))
    {'error': {'what': 'this file is empty', 'found': '0 bytes'}}
    """
    parts = {"what": error.what, "where": error.where, "expected": error.expected, "found": error.found}
    return {"error": {name: text for name, text in (parts | {"remedy": error.remedy}).items() if text}}
