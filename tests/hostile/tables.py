"""Tables: everything that spreadsheets, editors and ill will make of comma-separated text."""

import os
import random
from pathlib import Path

import numpy as np
import pyarrow
from pyarrow import parquet

from tests.hostile.case import accepted, put, refused

ROWS = "".join(f"{n},{n * 7 % 11},{'yes' if n % 3 else 'no'}\n" for n in range(40))
PLAIN = "age,dose,cured\n" + ROWS


@accepted("table", "no header", "without a header")
def _(folder: Path) -> Path:
    return put(folder / "t.csv", ROWS)


@accepted("table", "the same name twice", "are called 'age (2)'")
def _(folder: Path) -> Path:
    return put(folder / "t.csv", "age,age,cured\n" + ROWS)


@accepted("table", "a name is blank", "are called 'column 2'")
def _(folder: Path) -> Path:
    return put(folder / "t.csv", "age,,cured\n" + ROWS)


@accepted("table", "names that the renaming would repeat")
def _(folder: Path) -> Path:
    return put(folder / "t.csv", "age,age (3),age\n" + ROWS)


@refused("table", "a row too short", "line 8, column 3 ('cured')", "expected: 3 cells", "this one missing")
def _(folder: Path) -> Path:
    return put(folder / "t.csv", PLAIN.replace("6,9,no\n", "6,9\n"))


@refused("table", "a row too long", "line 8, column 4", "expected: 3 cells", "here 'more'")
def _(folder: Path) -> Path:
    return put(folder / "t.csv", PLAIN.replace("6,9,no\n", "6,9,no,more\n"))


@refused("table", "NUL", "not a text file")
def _(folder: Path) -> Path:
    return put(folder / "t.csv", PLAIN.replace("6,9", "6\0,9"))


@refused("table", "NUL in the last row of many", "not a text file")
def _(folder: Path) -> Path:
    return put(folder / "t.csv", "age,dose,cured\n" + ROWS * 5000 + "1,\0,no\n")


@accepted("table", "byte order mark", "utf-8 text with a header")
def _(folder: Path) -> Path:
    return put(folder / "t.csv", b"\xef\xbb\xbf" + PLAIN.encode())


@accepted("table", "Windows-1252", "cp1252")
def _(folder: Path) -> Path:
    return put(folder / "t.csv", PLAIN.replace("cured", "wöhl").encode("cp1252"))


@accepted("table", "UTF-16", "utf-16")
def _(folder: Path) -> Path:
    return put(folder / "t.csv", PLAIN.encode("utf-16"))


@refused("table", "broken UTF-16", "not a text file")
def _(folder: Path) -> Path:
    return put(folder / "t.csv", PLAIN.encode("utf-16")[:-1])


@accepted("table", "UTF-16 without its mark", "utf-16-le")
def _(folder: Path) -> Path:
    return put(folder / "t.csv", PLAIN.encode("utf-16-le"))


@accepted("table", "semicolons and decimal commas", "semicolon-separated", "decimal commas")
def _(folder: Path) -> Path:
    return put(folder / "t.csv", "a;b\n" + "".join(f"{n},5;{n % 3}\n" for n in range(40)))


@accepted("table", "tabs", "tab-separated")
def _(folder: Path) -> Path:
    return put(folder / "t.csv", PLAIN.replace(",", "\t"))


@accepted("table", "line ends inside quotes", "comma-separated")
def _(folder: Path) -> Path:
    rows = "".join(f'{n * 7 % 11},"first\nsecond, third",{"yes" if n % 2 else "no"}\n' for n in range(40))
    return put(folder / "t.csv", "age,note,cured\n" + rows)


@accepted("table", "old line ends of the Macintosh")
def _(folder: Path) -> Path:
    return put(folder / "t.csv", PLAIN.replace("\n", "\r"))


@refused("table", "a quotation mark that is not closed", "line ")
def _(folder: Path) -> Path:
    return put(folder / "t.csv", PLAIN.replace("6,9,no", '6,"9,no') + ROWS * 2000)


@refused("table", "100,000 columns", "too many columns", "found: 100,000")
def _(folder: Path) -> Path:
    row = ",".join(map(str, range(100_000)))
    return put(folder / "t.csv", f"{row}\n{row}\n{row}\n")


@refused("table", "10 million columns", "too long", "line 1")
def _(folder: Path) -> Path:
    return put(folder / "t.csv", "1," * 10_000_000)


@refused("table", "one cell of 100 MB", "too long", "line 3")
def _(folder: Path) -> Path:
    return put(folder / "t.csv", b"a,b\n1,2\n" + b"x" * 100_000_000 + b",3\n")


@refused("table", "one quoted cell of 100 MB in many lines", "cell that is too long", "line 65538")
def _(folder: Path) -> Path:
    return put(folder / "t.csv", b'a,b\n"' + b"x\n" * 50_000_000 + b'",3\n')


@refused("table", "larger than any table", "too large")
def _(folder: Path) -> Path:
    return sparse(folder / "t.csv", 1 << 40)


@refused("table", "all targets missing", "target column is empty")
def _(folder: Path) -> Path:
    return put(folder / "t.csv", "age,dose,target\n" + "".join(f"{n},{n},\n" for n in range(40)))


@refused("table", "all cells missing", "no rows")
def _(folder: Path) -> Path:
    return put(folder / "t.csv", "age,dose,target\n" + ",,\n" * 40)


@refused("table", "text among numbers", "has cells that are none", "'many' in line 5, 'few' in line 9", "--missing")
def _(folder: Path) -> Path:
    lines = PLAIN.splitlines()
    for line, word in ((5, "many"), (9, "few"), (12, "none at all")):
        age, _, cured = lines[line - 1].split(",")
        lines[line - 1] = f"{age},{word},{cured}"
    return put(folder / "t.csv", "\n".join(lines))


@refused("table", "numbers among text", "has cells that are none", "'a' 4 times from line 2 on", "--text dose")
def _(folder: Path) -> Path:
    rows = "".join(f"{n},{'abc'[n // 4 % 3] if n % 4 == 0 else n},{n % 2}\n" for n in range(40))
    return put(folder / "t.csv", "age,dose,cured\n" + rows)


@accepted("table", "columns that never change", "columns that never change: 1")
def _(folder: Path) -> Path:
    return put(folder / "t.csv", "age,ward,cured\n" + "".join(f"{n * 7 % 11},7,{n % 2}\n" for n in range(40)))


@refused("table", "only columns that never change", "are the same")
def _(folder: Path) -> Path:
    return put(folder / "t.csv", "age,dose,cured\n" + "".join(f"1,2,{'yes' if n % 3 else 'no'}\n" for n in range(40)))


@accepted("table", "a column without a value", "missing in most rows: 1")
def _(folder: Path) -> Path:
    return put(folder / "t.csv", "age,empty,cured\n" + "".join(f"{n * 7 % 11},,{n % 2}\n" for n in range(40)))


@refused("table", "only a header", "no rows", "header of age, dose")
def _(folder: Path) -> Path:
    return put(folder / "t.csv", "age,dose,cured\n")


@refused("table", "only numbers that look like a header", "few")
def _(folder: Path) -> Path:
    return put(folder / "t.csv", "1,2,3\n")


@refused("table", "empty", "empty")
def _(folder: Path) -> Path:
    return put(folder / "t.csv", b"")


@refused("table", "only blank lines", "empty")
def _(folder: Path) -> Path:
    return put(folder / "t.csv", "\n \n\r\n,,\n")


@refused("table", "binary rubbish", "not a text file")
def _(folder: Path) -> Path:
    return put(folder / "t.csv", random.Random(0).randbytes(100_000))


@refused("table", "a picture called a table", "not a text file")
def _(folder: Path) -> Path:
    return put(folder / "t.csv", b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00")


@refused("table", "a folder called a table", "no images", "t.csv")
def _(folder: Path) -> Path:
    (folder / "t.csv").mkdir()
    return folder / "t.csv"


@refused("table", "a pipe", "a pipe")
def _(folder: Path) -> Path:
    os.mkfifo(folder / "t.csv")
    return folder / "t.csv"


@refused("table", "a link to a device without end", "a device")
def _(folder: Path) -> Path:
    (folder / "t.csv").symlink_to("/dev/zero")
    return folder / "t.csv"


@refused("table", "a link to itself", "cannot be the name of a file")
def _(folder: Path) -> Path:
    (folder / "t.csv").symlink_to("t.csv")
    return folder / "t.csv"


@refused("table", "a link to nothing", "no such file")
def _(folder: Path) -> Path:
    (folder / "t.csv").symlink_to("nothing.csv")
    return folder / "t.csv"


@refused("table", "nothing but identifiers to learn from", "no column of numbers or categories")
def _(folder: Path) -> Path:
    return put(folder / "t.csv", "who,cured\n" + "".join(f"person {n},{n % 2}\n" for n in range(100)))


@refused("table", "a target that is different in every row", "hardly recurs")
def _(folder: Path) -> Path:
    return put(folder / "t.csv", "age,who\n" + "".join(f"{n},person {n}\n" for n in range(100)))


@accepted("table", "numbers beyond single precision")
def _(folder: Path) -> Path:
    return put(folder / "t.csv", PLAIN.replace("6,9,no", "1e300,-1e999,no").replace("7,5,", "nan,inf,"))


@accepted("table", "names of control characters and formulas")
def _(folder: Path) -> Path:
    return put(folder / "t.csv", "=cmd|' /C calc'!A0,<script>alert(1)</script>,$\\frac$\n" + ROWS)


@refused("table", "digits without end", "too long")
def _(folder: Path) -> Path:
    return put(folder / "t.csv", "a,b\n1,2\n" + "9" * 200_000 + ",3\n")


@refused("table", "Parquet cut off", "cannot be read")
def _(folder: Path) -> Path:
    path = parquet_file(folder)
    return put(path, path.read_bytes()[:-20])


@refused("table", "Parquet of rubbish", "cannot be read")
def _(folder: Path) -> Path:
    return put(folder / "t.parquet", b"PAR1" + bytes(100) + b"PAR1")


@refused("table", "Parquet bomb", "unpack to far more")
def _(folder: Path) -> Path:
    zeros = pyarrow.table({"a": np.zeros(20_000_000), "b": np.zeros(20_000_000)})
    parquet.write_table(zeros, folder / "t.parquet", compression="zstd", use_dictionary=False)
    return folder / "t.parquet"


@refused("table", "Parquet of rows in a footer that lies", "cannot be read")
def _(folder: Path) -> Path:
    path = parquet_file(folder)
    content = bytearray(path.read_bytes())
    content[-8:-4] = (2**31 - 1).to_bytes(4, "little")
    return put(path, bytes(content))


def parquet_file(folder: Path) -> Path:
    parquet.write_table(pyarrow.table({"a": list(range(50)), "b": [n % 2 for n in range(50)]}), folder / "t.parquet")
    return folder / "t.parquet"


def sparse(path: Path, size: int) -> Path:
    """Make a file that is as long as asked for and takes no room."""
    with path.open("wb") as file:
        file.truncate(size)
    return path
