"""Reports: one HTML file with every number and picture of a run in it, readable without network or script.

Only points in space bring a script of their own, by which they are turned; without it they are a picture like others.
"""

import base64
import html
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ganglion import figures, tables, tasks
from ganglion.errors import CheckpointError, DataError
from ganglion.figures.words import number
from ganglion.files import parse_json, read_json
from ganglion.findings import Finding
from ganglion.runs.sheets import FILM, SAMPLES
from ganglion.runs.space import SCRIPT, canvas
from ganglion.tables import Table
from ganglion.training.durable import write_synced
from ganglion.training.run_folder import RunFolder


@dataclass(frozen=True)
class Captioned:
    """A picture in PNG, or a film in GIF, and what it shows."""

    path: Path
    caption: str
    space: Mapping[str, Any] = field(default_factory=dict)
    """Points in space that the picture shows from one side."""


Block = str | Table | Captioned


@dataclass(frozen=True)
class Section:
    """A part of a report: a line in `lead`, `numbers` in large type, the blocks, and `details` folded away."""

    heading: str
    blocks: Sequence[Block] = ()
    lead: str = ""
    numbers: dict[str, str] = field(default_factory=dict)
    details: Sequence[Table] = ()


def write_report(path: str | Path, sections: Sequence[Section], *, title: str = "Report") -> Path:
    """Write sections as one HTML file that needs nothing else, and return its path.

    All text is escaped, so that names of labels and columns may hold anything.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    anchors = [f"section-{place}" for place in range(len(sections))]
    links = "".join(
        f'<a href="#{anchor}">{html.escape(section.heading)}</a>'
        for anchor, section in zip(anchors, sections, strict=True)
    )
    body = "\n".join(_section(section, anchor) for section, anchor in zip(sections, anchors, strict=True))
    write_synced(
        path,
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n"
        f"<h1>{html.escape(title)}</h1>\n"
        + (f"<nav>{links}</nav>\n" if len(sections) > 2 else "")
        + f"{body}\n</main>\n"
        + (f"<script>{SCRIPT}</script>\n" if "<canvas" in body else "")
        + "</body>\n</html>\n",
    )
    return path


def run_report(folder: str | Path) -> Path:
    """Write `report.html` into a run folder from the files that are in it, and return its path.

    A run that was stopped half-way is reported as far as it came.
    """
    folder = Path(folder)
    return write_report(folder / "report.html", [run_section(folder)], title=folder.name)


def tour_report(path: str | Path, folders: Iterable[str | Path]) -> Path:
    """Write the report of several runs, with a table to compare them on top, and return its path."""
    runs = [Path(folder) for folder in folders]
    overview = Section("Overview", [tour_table(runs)])
    return write_report(path, [overview, *(run_section(run) for run in runs)], title="Ganglion: a tour")


def tour_table(folders: Iterable[str | Path]) -> Table:
    """Return system, score, score of the trivial baseline, seconds and parameters of runs, one row each."""
    rows = []
    for folder in folders:
        description, result = _read(Path(folder) / "config.json"), _read(Path(folder) / "result.json")
        rows.append(
            (
                str(description.get("system", Path(folder).name)),
                str(description.get("data", "")),
                str(result.get("score_name", "")).replace("_", " "),
                _number(result.get("score")),
                _number(result.get("baseline")),
                _number(result.get("seconds")),
                _number(result.get("parameters")),
            )
        )
    header = ("system", "data", "measure", "score", "baseline", "seconds", "parameters")
    return Table(header, rows, words=header[:3])


def run_section(folder: Path) -> Section:
    """Return what the files of a run folder tell."""
    description, result, environment = (_read(folder / f"{name}.json") for name in ("config", "result", "environment"))
    name = str(result.get("score_name", "score")).replace("_", " ")
    numbers = {
        name: _number(result.get("score")),
        "trivial baseline": _number(result.get("baseline")),
        "seconds": _number(result.get("seconds")),
        "parameters": _number(result.get("parameters")),
    }
    system = description.get("system", folder.name)
    started = description.get("started")
    blocks: list[Block] = [str(sentence) for sentence in started] if isinstance(started, list) else []
    if not result:
        blocks.append("This run has not finished; what follows is what it has logged so far.")
    drawings = [path for path in (folder / "figures").glob("*") if path.suffix in (".png", ".gif")]
    pictures = sorted(drawings, key=lambda path: (path.stem != "curves", path.stem))
    if not pictures and (log := _log(folder / "metrics.jsonl")):
        pictures = [figures.save(figures.curves(log), folder / "figures" / "curves.png")]
    captions = {
        "curves": "The metric log; numbers in the legends are the last ones",
        **_captions(description.get("task")),
    }
    drawn = [
        Captioned(path, captions.get(path.stem, _as_words(path.stem)), _read(path.with_suffix(figures.SPACE)))
        for path in pictures
    ]
    if (film := folder / SAMPLES / FILM).is_file():
        drawn.insert(1, Captioned(film, "What the networks made of the same draws, from the first step to the last"))
    found = replace(tables.findings(_findings(folder)), title="Findings")
    phases = _phases(_log(folder / "metrics.jsonl"))
    details = [
        _metrics(result),
        _settings("Configuration", description.get("config")),
        _settings("Training", description.get("trainer")),
        _settings("Data", description.get("data_settings")),
        _settings("Environment", environment),
    ]
    return Section(
        str(system),
        [*blocks, *(table for table in (found, phases) if table.rows), *drawn],
        lead=" on ".join(str(part) for part in (description.get("task"), description.get("data")) if part),
        numbers=numbers if result else {},
        details=[table for table in details if table.rows],
    )


def _phases(log: Sequence[Mapping[str, Any]]) -> Table:
    """Return the phases of a run and the last step that was reported in each; no rows for a run without any."""
    last = {str(row["phase"]): row.get("step") for row in log if "phase" in row}
    rows = [(phase, str(step)) for phase, step in last.items()]
    return Table(("phase", "last step"), rows, title="Phases", words=("phase",))


def _as_words(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _captions(task: Any) -> Mapping[str, str]:
    """Return what the figures of a kind of task show; nothing of one that is not known here."""
    return tasks.find(task).captions if task in tasks.names() else {}


def _findings(folder: Path) -> list[Finding]:
    try:
        return RunFolder(folder).findings()
    except CheckpointError:
        return []  # a report is better incomplete than missing


def _metrics(result: dict[str, Any]) -> Table:
    metrics, baseline = _mapping(result.get("metrics")), _mapping(result.get("baseline_metrics"))
    rows = [(name, _number(value), _number(baseline.get(name))) for name, value in metrics.items()]
    return Table(("measure", "test part", "trivial baseline"), rows, title="Measures", words=("measure",))


def _settings(title: str, values: Any) -> Table:
    return Table(("name", "value"), list(_flat(_mapping(values))), title=title, words=("name", "value"))


def _flat(values: dict[str, Any], prefix: str = "") -> Iterable[tuple[str, str]]:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", " ".join(map(str, value)) if isinstance(value, list) else str(value)


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _number(value: Any) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return number(value)
    return "-" if value is None else str(value)


def _read(path: Path) -> dict[str, Any]:
    """Return a JSON object; nothing where there is none, because a report is better incomplete than missing."""
    try:
        return read_json(path, finite=False)
    except (DataError, ValueError):
        return {}


def _log(path: Path) -> list[dict[str, Any]]:
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    rows = []
    for line in lines:
        try:
            rows.append(_mapping(parse_json(line, finite=False)))
        except ValueError:
            continue  # the last line of a run that was killed while writing
    return rows


def _section(section: Section, anchor: str) -> str:
    parts = [f'<section id="{anchor}">', f"<h2>{html.escape(section.heading)}</h2>"]
    if section.lead:
        parts.append(_block(section.lead))
    if section.numbers:
        cells = (
            f"<div><dt>{html.escape(name)}</dt><dd>{html.escape(value)}</dd></div>"
            for name, value in section.numbers.items()
        )
        parts.append(f"<dl>{''.join(cells)}</dl>")
    parts += [_block(block) for block in section.blocks]
    if section.details:
        tables = "".join(_block(table) for table in section.details)
        parts.append(f'<details><summary>Measures and settings</summary><div class="columns">{tables}</div></details>')
    return "\n".join([*parts, "</section>"])


def _block(block: Block) -> str:
    if isinstance(block, str):
        return f"<p>{html.escape(block)}</p>"
    if isinstance(block, Table):
        return f'<div class="table">{block._repr_html_()}</div>'
    caption, kind = html.escape(block.caption), block.path.suffix.removeprefix(".")
    picture = base64.b64encode(block.path.read_bytes()).decode("ascii")
    image = f'<img alt="{caption}" src="data:image/{kind};base64,{picture}">'
    return f"<figure>{image}{canvas(block.space)}<figcaption>{caption}</figcaption></figure>"


_STYLE = """
:root { color-scheme: light dark; --ink: #1f2933; --muted: #5c6773; --line: #dfe4e9; --paper: #fff; --card: #f6f8fa;
  --accent: #0072b2; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ec; --muted: #9aa5b1; --line: #38424d; --paper: #14191f;
  --card: #1d242c; --accent: #56b4e9; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
main { max-width: 68rem; margin: 0 auto; padding: 2.5rem 1.25rem 4rem; }
h1 { font-size: 1.7rem; margin: 0 0 1rem; overflow-wrap: anywhere; }
h2 { font-size: 1.25rem; margin: 0 0 .6rem; overflow-wrap: anywhere; }
p { margin: .4rem 0; color: var(--muted); overflow-wrap: anywhere; }
nav { display: flex; flex-wrap: wrap; gap: .3rem 1.1rem; padding-bottom: 1rem; }
a { color: var(--accent); text-decoration: none; } a:hover { text-decoration: underline; }
section { border-top: 1px solid var(--line); padding: 1.6rem 0 1.2rem; }
dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); gap: .8rem; margin: .8rem 0; }
dl div { background: var(--card); border: 1px solid var(--line); border-radius: .5rem; padding: .7rem .9rem; }
dt { color: var(--muted); font-size: .85rem; } dd { margin: 0; font-size: 1.45rem; font-weight: 600;
  font-variant-numeric: tabular-nums; }
figure { margin: 1.2rem 0; } figcaption { color: var(--muted); font-size: .88rem; margin-top: .35rem; }
img { display: block; max-width: 100%; height: auto; background: #fff; border: 1px solid var(--line);
  border-radius: .5rem; }
[hidden] { display: none !important; }
canvas { max-width: 100%; background: #fff; border: 1px solid var(--line); border-radius: .5rem; cursor: grab;
  touch-action: none; }
.table { overflow-x: auto; margin: .8rem 0; }
table { border-collapse: collapse; font-size: .92rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: 600; padding-bottom: .3rem; }
th, td { padding: .3rem .9rem .3rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
td { overflow-wrap: anywhere; } th { color: var(--muted); font-weight: 500; }
details { margin-top: 1rem; } summary { cursor: pointer; color: var(--accent); }
.columns { columns: 20rem; column-gap: 2.5rem; } .columns .table { break-inside: avoid; }
@media print { section { break-inside: avoid-page; } }
"""
