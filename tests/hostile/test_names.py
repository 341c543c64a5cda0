"""Names of labels, columns, runs and files that are paths, markup, formulas or nothing that can be shown."""

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import ganglion
from ganglion import figures
from ganglion.cli import main
from ganglion.errors import GanglionError
from ganglion.runs.report import run_report
from ganglion.tables import Table
from tests.hostile.entries import contents

NAMES = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror='alert(1)'>",
    "$\\frac{1}{$",
    "$$",
    "\\",
    "%s %(x)s {0} {x}",
    "../../../etc/passwd",
    "a\0b",
    "\x1b[31mred\x1b[0m",
    "line\nbreak\ttab",
    "\u202egnp.exe",
    "x" * 10_000,
    "",
    " ",
    "_legend",
    "字🙂é",
    "CON",
    "\udcff",
]


def test_labels_of_any_text_train_draw_and_report(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    labels = np.array([name.replace("\0", "\ufffd") for name in NAMES if name not in ("\udcff", " ")])
    targets = np.repeat(labels, 12)
    inputs = random.normal(size=(len(targets), 3)) + np.repeat(np.arange(len(labels)), 12)[:, None]
    out = tmp_path / "run"
    run = ganglion.train("mlp", (inputs, targets), out=out, epochs=1, hidden_features=(4,))
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "<script" not in page and "<img src=x" not in page
    assert set(run.predict(inputs[:3])[0])
    run_report(out)
    assert not list(tmp_path.glob("*.png")) and all(str(path).startswith(str(out)) for path in tmp_path.rglob("*.png"))


@pytest.mark.parametrize("name", NAMES, ids=lambda name: repr(name)[:30])
def test_figures_and_tables_show_any_name(name: str, tmp_path: Path, laid_out: None) -> None:
    values = np.arange(12.0).reshape(3, 4)
    drawn = [
        figures.confusion_matrix(np.eye(2), [name, "other"]),
        figures.image_grid(np.zeros((2, 4, 4, 1), dtype=np.uint8), titles=[name, name], title=name),
        figures.forecast(values[:, :1], values[:, :1], {name or "x": values[:, :1]}, title=name),
        figures.curves([{"step": 1, name or "x": 1.0}, {"step": 2, name or "x": 2.0}]),
        figures.scatter(values[:, 0], values[:, 1], [name]),
        figures.code_map(values[:, :2], [0, 1, 0], [name, "other"]),
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for number, figure in enumerate(drawn):
            figures.save(figure, tmp_path / f"{number}.png")
    shown = Table((name, "b"), [(name, "1")], words=(name,))
    assert "<script" not in shown._repr_html_() and "<img" not in shown._repr_html_()
    assert len(str(shown).splitlines()) >= 3


@pytest.mark.parametrize("name", ["a\0b", "x" * 10_000, "", "/proc/nowhere/run", "/dev/null/run"])
def test_an_out_that_cannot_be_is_refused(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["train", "mlp", "--data", "iris", "--epochs", "1", "--out", name, "--quiet"])
    said = capsys.readouterr().err
    assert code in (1, 2) and "Traceback" not in said and "defect" not in said, said
    assert len(said) < 3000


@pytest.mark.parametrize("name", ["a\0b", "x" * 10_000, "\x1b[31m", "\udcff", "-1", "%00"])
@pytest.mark.parametrize("door", ["open_run", "load", "resume"])
def test_folders_that_cannot_be_are_refused(door: str, name: str) -> None:
    with pytest.raises(GanglionError) as caught:
        getattr(ganglion, door)(name)
    assert str(caught.value).replace("\n", "").isprintable() and len(str(caught.value)) < 3000


def test_a_data_set_of_any_name_stays_in_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = "a,b,class\n" + "".join(f"{n},{n % 5},{n % 2}\n" for n in range(60))
    inside = tmp_path / "inside"
    inside.mkdir()
    monkeypatch.chdir(inside)
    for name in ("..hidden", "$HOME", "a b;c", "<b>", "é" * 60, "\n"):
        source = tmp_path / "data" / f"{name}.csv"
        source.parent.mkdir(exist_ok=True)
        source.write_text(rows)
        ganglion.train("mlp", source, epochs=1, hidden_features=(2,))
    outside = set(contents(tmp_path)) - set(contents(inside)) - set(contents(tmp_path / "data"))
    assert outside == {str(inside), str(tmp_path / "data")}
    assert len(list((inside / "runs").iterdir())) == 6


def test_commands_print_labels_without_control_characters(
    tmp_path: Path, runs: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "t.csv"
    source.write_text(
        "a,b,class\n" + "".join(f"{n},{n % 5},{'x' if n % 2 else chr(27) + '[31mred'}\n" for n in range(60))
    )
    assert main(["data", "check", str(source)]) == 0
    assert "\x1b" not in capsys.readouterr().out
