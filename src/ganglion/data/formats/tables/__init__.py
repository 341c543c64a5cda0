"""Tables in files: what separates their cells, what names their columns and what these hold is found by evidence."""

from ganglion.data.formats.tables.reading import SUFFIXES, read_table
from ganglion.data.formats.tables.table import Table, is_numeric, missing_in

__all__ = ["SUFFIXES", "Table", "is_numeric", "missing_in", "read_table"]
