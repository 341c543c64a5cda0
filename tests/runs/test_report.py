"""Reports hold everything in one file, escaped, and survive half-written runs."""

import base64
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from ganglion import figures
from ganglion.runs.report import Section, run_report, tour_report, tour_table, write_report
from ganglion.tables import Table, confusion_matrix

EVIL = '<script>alert("1")</script>&amp;'


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "run"
    figures.save(figures.confusion_matrix(np.eye(2), ["a", "b"]), folder / "figures" / "confusion_matrix.png")
    figures.save(figures.curves([{"step": 1, "loss": 1.0}]), folder / "figures" / "curves.png")
    write(folder, "config", system="mlp", task="classification", data=EVIL, config={EVIL: EVIL, "descent": {"rate": 1}})
    write(folder, "environment", python="3.11", command=["ganglion", EVIL])
    write(
        folder, "result", score_name="accuracy", score=0.98765, baseline=None, seconds=1234.5, parameters=93322,
        metrics={"accuracy": 0.98765, EVIL: float("nan")}, baseline_metrics={"accuracy": 0.1},
    )  # fmt: skip
    return folder


def write(folder, name, **values):
    (folder / f"{name}.json").write_text(json.dumps(values))


class Outline(HTMLParser):
    """Collects tags and checks that they nest."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.text = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def read(path):
    text = path.read_text(encoding="utf-8")
    outline = Outline(text)
    assert not outline.open
    return text, outline


def test_a_report_needs_nothing_but_itself(run):
    text, outline = read(run_report(run))
    names = [tag for tag, _ in outline.tags]
    assert not {"script", "link", "iframe", "object"} & set(names)
    assert not re.search(r"https?://|url\(|@import", text)
    sources = [attributes["src"] for tag, attributes in outline.tags if tag == "img"]
    pictures = [base64.b64decode(source.removeprefix("data:image/png;base64,")) for source in sources]
    files = [run / "figures" / f"{name}.png" for name in ("curves", "confusion_matrix")]
    assert pictures == [file.read_bytes() for file in files]
    assert all(attributes["alt"] for tag, attributes in outline.tags if tag == "img")
    assert "prefers-color-scheme: dark" in text


def test_every_text_is_escaped(run):
    text, outline = read(run_report(run))
    assert "<script" not in text
    assert "".join(outline.text).count(EVIL) >= 4


def test_the_numbers_are_there(run):
    _, outline = read(run_report(run))
    for number in ("0.9877", "1,234", "93,322", "descent.rate", "3.11"):
        assert any(number in piece for piece in outline.text), number


def test_a_run_that_was_stopped_is_reported_as_far_as_it_came(tmp_path):
    (tmp_path / "metrics.jsonl").write_text('{"step": 1, "loss": 2.0}\n{"step": 2, "lo')
    (tmp_path / "environment.json").write_text("{torn")
    write(tmp_path, "config", system="mlp")
    text, outline = read(run_report(tmp_path))
    assert "has not finished" in text
    assert [tag for tag, _ in outline.tags].count("img") == 1


def test_a_tour_compares_its_runs_on_top(run, tmp_path):
    text, outline = read(tour_report(tmp_path / "tour" / "report.html", [run, run]))
    assert [tag for tag, _ in outline.tags].count("img") == 4
    anchors = {attributes["id"] for tag, attributes in outline.tags if tag == "section"}
    links = {attributes["href"][1:] for tag, attributes in outline.tags if tag == "a"}
    assert links == anchors
    assert text.index("<table") < text.index("<img")
    assert tour_table([run]).rows == [("mlp", EVIL, "accuracy", "0.9877", "-", "1,234", "93,322")]


def test_writing_again_replaces(run):
    first = run_report(run).read_text()
    assert run_report(run).read_text() == first
    assert not list(run.glob(".report*"))


def test_sections_of_text_and_tables(tmp_path):
    table = Table(("name", "value"), [("a", "1")], title="T", footer="F", words=("name",))
    text, _ = read(write_report(tmp_path / "r.html", [Section("H", ["words", table], numbers={"n": "5"})], title="All"))
    for part in ("<h1>All</h1>", "<h2>H</h2>", "<p>words</p>", "<caption>T</caption>", "<dd>5</dd>"):
        assert part in text


def test_confusion_table_is_escaped_and_right():
    table = confusion_matrix([[3, 1], [0, 0]], [EVIL, "b"])
    assert table.rows == [(EVIL, "3", "1", "75.0%"), ("b", "0", "0", "-")]
    assert "<script" not in table._repr_html_()


def test_phases_of_a_run_are_listed(run):
    assert "Phases" not in read(run_report(run))[0]
    rows = [{"step": step, "phase": phase, "loss": 1.0} for step, phase in ((5, EVIL), (10, EVIL), (15, "top"))]
    (run / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    text, outline = read(run_report(run))
    assert "Phases" in outline.text and EVIL not in text
    assert {EVIL, "10", "top", "15"} <= {part.strip() for part in outline.text}
