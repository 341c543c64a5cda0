"""Pictures most like one that a user shows: by the codes of a network, among a folder, as names, a sheet or a page."""

import base64
import hashlib
import io
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from PIL import Image
from torch import nn

from ganglion.data.formats.images.files import decode, in_threads
from ganglion.data.preprocessing import ImagePreprocessing
from ganglion.errors import DataError, UsageError
from ganglion.files import named
from ganglion.inspect.representation import representation
from ganglion.settings import at_least, settings, to_dict
from ganglion.tasks.answers import Binary, Images, Rows
from ganglion.tasks.questions import FileName, Given
from ganglion.tasks.shared.evaluation import ask
from ganglion.tasks.shared.inputs import raw
from ganglion.tasks.shared.pictures.index import ENDING, PictureIndex, directions, nearest

SHOWN = 160
"""Pixels of the longer side of pictures on a page."""
STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;color:#1f2933;margin:2rem auto;max-width:72rem;padding:0 1rem}"
    "section{display:flex;flex-wrap:wrap;gap:.8rem;padding:1rem 0;border-bottom:1px solid #e3e7ec}"
    "figure{margin:0;width:170px}img{max-width:160px;max-height:160px;image-rendering:auto;border-radius:4px}"
    "img.small{image-rendering:pixelated;width:160px}figure.asked{padding-right:.8rem;border-right:3px solid #0072b2}"
    "figcaption{font-size:12px;color:#6b7785;overflow-wrap:anywhere}h1{font-size:1.3rem}"
)


@settings
class Search:
    """Find the pictures of a folder that are most like a picture, by what the network makes of them."""

    inputs: Given
    """Image files that are asked about, or folders of them."""
    among: FileName = "."
    """Folder of pictures to search, with all folders in it."""
    count: Annotated[int, at_least(1)] = 9
    """Pictures to find for each."""
    index: FileName | None = None
    """Folder that the codes are kept in, so that only pictures that changed are looked at again; the name of the folder
    of pictures with `.index` behind it when not given."""


def found_among(network: nn.Module, preprocessing: Any, question: Search) -> Rows:
    """Return the pictures most like each that is asked about, the likest first, as names, on a sheet and on a page.

    A picture is not found for itself. Likeness is the cosine of two codes, 1 for the same direction.
    """
    if not isinstance(preprocessing, ImagePreprocessing):
        raise UsageError("only pictures can be searched", expected="a run on images", found="a run on rows of numbers")
    folder = named(question.among).resolve()
    if not folder.is_dir():
        raise DataError(
            "there is no such folder",
            where=question.among,
            expected="a folder of pictures",
            found="a file" if folder.exists() else "nothing",
            remedy="--among names the folder to search",
        )
    call = representation(network, preprocessing.blank.to(next(network.parameters()).device))[1]

    def encode(paths: Sequence[Any]) -> np.ndarray:
        return ask(network, preprocessing(raw(paths, pictures=preprocessing).samples), by=call).numpy()

    asked = raw(question.inputs, pictures=preprocessing)
    queries = directions(ask(network, preprocessing(asked.samples), by=call).numpy())
    kept = named(question.index).resolve() if question.index else folder.with_name(f"{folder.name}{ENDING}")
    index = PictureIndex.of(folder, kept, _digest(network, preprocessing), encode)
    if not index.pictures:
        raise DataError("no file of this folder is a picture", where=question.among, remedy="give another with --among")
    codes, files = directions(index.codes), [folder / one.file for one in index.pictures]
    rows: list[dict[str, Any]] = []
    groups: list[list[tuple[Any, str]]] = []
    for place, (name, query) in enumerate(zip(asked.names, queries, strict=True)):
        own = Path(name["input"]).resolve() if "input" in name and "row" not in name else None
        places, likeness = nearest(codes, query, question.count + 1)
        pairs = [(p, s) for p, s in zip(places.tolist(), likeness.tolist(), strict=True) if files[p] != own]
        pairs = pairs[: question.count]
        rows += [
            {**(name or {"input": place + 1}), "rank": rank, "found": str(files[p].relative_to(folder)), "likeness": s}
            for rank, (p, s) in enumerate(pairs, 1)
        ]
        source = own if own is not None else np.asarray(asked.samples[place])
        groups.append([(source, _said(name, place)), *((files[p], f"{s:.3f} {files[p].name}") for p, s in pairs)])
    return Rows(rows, notes=(*asked.notes, *index.notes), also=_as_pictures(groups, question.count))


def _digest(network: nn.Module, preprocessing: ImagePreprocessing) -> str:
    """Return a digest of a network's weights and of how it is given pictures."""
    digest = hashlib.sha256(repr(sorted(to_dict(preprocessing).items())).encode())
    for name, tensor in network.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _said(name: Mapping[str, Any], place: int) -> str:
    return Path(name["input"]).name + (f", {name['row']}" if "row" in name else "") if name else f"picture {place + 1}"


def _as_pictures(groups: list[list[tuple[Any, str]]], count: int) -> tuple[Images, Binary]:
    """Return a sheet with a row for each picture that was asked about, itself first, and the same as a page."""
    flat = [one for group in groups for one in group]
    thumbnails = list(in_threads(_thumbnail, [source for source, _ in flat], together=1))
    names = [f"{number:03}-{said}" for number, (_, said) in enumerate(flat)]
    sections, start = [], 0
    for group in groups:
        figures = [
            _figure(picture, said, asked=not place)
            for place, (picture, (_, said)) in enumerate(zip(thumbnails[start:], group, strict=False))
        ]
        sections.append(f"<section>{''.join(figures)}</section>")
        start += len(group)
    page = (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Pictures alike</title>'
        f"<style>{STYLE}</style></head><body><h1>Pictures alike, the one asked about first</h1>"
        f"{''.join(sections)}</body></html>\n"
    )
    columns = 1 + count
    return Images(thumbnails, names, columns=columns), Binary(page.encode(), ".html")


def _thumbnail(source: Path | np.ndarray) -> np.ndarray:
    """Return a small colour picture (height, width, 3) of a file or of an array (height, width, channels)."""
    pixels = decode(source, channels=3, shown_at=(SHOWN, SHOWN)) if isinstance(source, Path) else source
    if pixels.ndim == 2 or pixels.shape[-1] == 1:
        pixels = np.repeat(pixels.reshape(*pixels.shape[:2], 1), 3, axis=2)
    image = Image.fromarray(pixels.astype(np.uint8))
    if max(image.size) > SHOWN:
        image.thumbnail((SHOWN, SHOWN))
    return np.asarray(image)


def _figure(picture: np.ndarray, said: str, asked: bool) -> str:
    """Return a picture with its caption as HTML that needs no other file."""
    content = io.BytesIO()
    Image.fromarray(picture).save(content, format="PNG")
    data = base64.b64encode(content.getvalue()).decode("ascii")
    small = ' class="small"' if max(picture.shape[:2]) < SHOWN // 2 else ""
    kind = ' class="asked"' if asked else ""
    return (
        f'<figure{kind}><img{small} alt="{escape(said)}" src="data:image/png;base64,{data}">'
        f"<figcaption>{escape(said)}</figcaption></figure>"
    )
