"""Files of kinds that were tried once and were read wrong; those that are refused stand in the table of inputs."""

from pathlib import Path

import numpy as np

from ganglion.data.catalogue import read
from ganglion.data.settings import DataSettings


def test_a_table_may_begin_with_brackets(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("[id],[size],kind\n" + "".join(f"{n},{n % 7}.5,{n % 2}\n" for n in range(40)))
    assert read(str(tmp_path / "t.csv"), DataSettings()).column_names == ("[size]",)


def test_the_line_below_the_header_of_a_table_in_markdown_names_nothing(tmp_path: Path) -> None:
    rows = "".join(f"| {n % 9}.5 | {('cat', 'dog')[n % 2]} |\n" for n in range(40))
    (tmp_path / "t.csv").write_text("| size | kind |\n|---|:---:|\n" + rows)
    dataset = read(str(tmp_path / "t.csv"), DataSettings(columns=("size",), target="kind"))
    assert [row[0] for row in np.asarray(dataset.inputs)[:3].tolist()] == [0.5, 1.5, 2.5]
    assert dataset.label_names == ("cat", "dog")
