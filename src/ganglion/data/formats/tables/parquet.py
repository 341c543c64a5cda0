"""Tables in Parquet files, whose columns say themselves what they hold."""

from pathlib import Path

import numpy as np

from ganglion.data.formats.shards.layout import PARQUET, find_shards
from ganglion.data.formats.tables.row_groups import RowGroups
from ganglion.data.formats.tables.table import Table


def read_parquet(path: Path, as_text: bool = False) -> Table:
    """Read a Parquet file, or all of a folder: numbers as such, truth values as `True` and `False`, else texts."""
    shards = find_shards(path, PARQUET)
    return table_of(RowGroups.of(shards.files, shards.root), str(path), as_text)


def table_of(groups: RowGroups, source: str, as_text: bool = False) -> Table:
    """Return all rows of some groups as one table."""
    parts = [chunk for group in range(len(groups)) for chunk in groups.chunks(group, as_text=as_text)]
    columns = tuple(np.concatenate([part[name] for part in parts]) for name in groups.columns) if parts else ()
    return Table(groups.columns, columns, True, source)
