"""Decision processes from presets, JSON and CSV files, and Gymnasium environments that have a table of transitions."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium import spaces

from ganglion.data.decisions.presets import PRESETS
from ganglion.data.decisions.process import DecisionProcess, Grid, Transition
from ganglion.data.environments.vector import make_environment
from ganglion.data.formats.tables.reading import read_table
from ganglion.data.formats.tables.table import is_numeric, missing_in
from ganglion.errors import ConfigurationError, DataError
from ganglion.files import read_json, regular

COLUMNS = ("state", "action", "next_state", "probability", "reward")
FORM = (
    '{"transitions": [{"state": "s", "action": "a", "next_state": "t", "probability": 1, "reward": 0}, ...], '
    '"start": "s"}'
)
ACTIONS: Mapping[str, Mapping[str, tuple[int, int]]] = {
    "FrozenLake": {"left": (-1, 0), "down": (0, 1), "right": (1, 0), "up": (0, -1)},
    "CliffWalking": {"up": (0, -1), "right": (1, 0), "down": (0, 1), "left": (-1, 0)},
    "Taxi": {"south": (0, 1), "north": (0, -1), "east": (1, 0), "west": (-1, 0), "pick-up": (0, 0), "drop-off": (0, 0)},
}
"""What the actions of Gymnasium's grids are called, and where they lead: columns to the right and rows down."""


def read_process(source: str) -> DecisionProcess:
    """Return the decision process of a preset's name, a JSON or CSV file, or a Gymnasium environment with a table.

    Raises `DataError` for files that are none, `ConfigurationError` for environments without a table.

    >>> read_process("two-doors").states
    ('hall', 'corridor', 'street')
    """
    if source in PRESETS:
        return PRESETS[source]()
    path = Path(source).expanduser()
    if path.suffix.lower() == ".json":
        return _json(regular(path))
    if path.suffix.lower() in (".csv", ".tsv", ".txt", ".parquet"):
        return _table(regular(path))
    return _environment(source)


def _table(path: Path) -> DecisionProcess:
    table = read_table(path)
    if missing := [name for name in COLUMNS if name not in table.names]:
        raise DataError(
            "a table of transitions lacks columns",
            where=str(path),
            expected=", ".join(COLUMNS) + ", and ends where an episode can end on the way",
            found=f"no {', '.join(missing)} among {', '.join(table.names)}",
            remedy="name the columns so",
        )
    columns = {name: table[name] for name in (*COLUMNS, *(["ends"] if "ends" in table.names else []))}
    for name, column in columns.items():
        numbers = name in ("probability", "reward", "ends")
        wrong = np.flatnonzero(missing_in(column))
        if len(wrong) or (numbers and not is_numeric(column)):
            raise DataError(
                f"the column {name} holds " + ("no value in a row" if len(wrong) else "what is no number"),
                where=f"{path}, line {table.line(int(wrong[0]))}" if len(wrong) else str(path),
                expected="a number in each row" if numbers else "a name in each row",
                found="nothing" if len(wrong) else repr(column[0]),
                remedy="correct it",
            )
    names = {name: [_name(one) for one in columns[name]] for name in COLUMNS[:3]}
    ends = columns.get("ends", np.zeros(len(table)))
    rows = zip(*names.values(), columns["probability"], columns["reward"], ends, strict=True)
    return DecisionProcess.of(
        path.name, [Transition(s, a, t, float(p), float(r), bool(end)) for s, a, t, p, r, end in rows]
    )


def _name(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _json(path: Path) -> DecisionProcess:
    try:
        content = read_json(path)
    except (ValueError, UnicodeDecodeError) as error:
        raise DataError(
            "this file is no JSON", where=str(path), expected=FORM, found=str(error), remedy="correct it"
        ) from error
    if unknown := set(content) - {"transitions", "states", "start", "name"}:
        raise _unlike(path, f"the unknown {', '.join(map(repr, sorted(unknown)))}")
    start, states = content.get("start"), content.get("states", [])
    if isinstance(start, str):
        start = {start: 1.0}
    if not isinstance(states, list) or not (start is None or isinstance(start, dict)):
        raise _unlike(path, "states that are no list, or a start that is neither a name nor names with probabilities")
    if start is not None and not all(_is_number(value) for value in start.values()):
        raise _unlike(path, "a start whose probabilities are no numbers")
    return DecisionProcess.of(path.name, _transitions(path, content), start, map(str, states))


def _transitions(path: Path, content: dict[str, Any]) -> Iterator[Transition]:
    entries = content.get("transitions")
    if not isinstance(entries, list):
        raise _unlike(path, "no list of transitions")
    for number, one in enumerate(entries, 1):
        if not isinstance(one, dict) or (set(one) - {"ends"}) != set(COLUMNS):
            raise _unlike(path, f"transition {number} is {str(one)[:80]}")
        if not (_is_number(one["probability"]) and _is_number(one["reward"])) or one.get("ends", False) not in (0, 1):
            raise _unlike(path, f"transition {number} has no number as probability or reward, or ends that is not true")
        state, action, then = (str(one[name]) for name in COLUMNS[:3])
        yield Transition(
            state, action, then, float(one["probability"]), float(one["reward"]), bool(one.get("ends", False))
        )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _unlike(path: Path, found: str) -> DataError:
    return DataError(
        "this file describes no decision process", where=str(path), expected=FORM, found=found, remedy="write it so"
    )


def _environment(name: str) -> DecisionProcess:
    """Return the table of an environment. Its rules are read, never played."""
    environment = make_environment(name)
    inner: Any = environment.unwrapped
    kind = environment.spec.name if environment.spec else name
    environment.close()
    discrete = isinstance(inner.observation_space, spaces.Discrete) and isinstance(inner.action_space, spaces.Discrete)
    if not discrete or not isinstance(getattr(inner, "P", None), Mapping):
        raise ConfigurationError(
            f"{name} has no table of states, actions and what follows from them",
            expected=f"FrozenLake-v1, Taxi-v4, CliffWalking-v1, one of {', '.join(PRESETS)}, or a JSON or CSV file",
            found=f"observations {inner.observation_space}, actions {inner.action_space}"
            + ("" if discrete else ", where both must be Discrete"),
            remedy=f"ganglion train dqn --data {name} learns without a table",
        )
    count, moves = int(inner.observation_space.n), ACTIONS.get(kind, {})
    actions = list(moves) or [str(number) for number in range(int(inner.action_space.n))]
    transitions = [
        Transition(str(state), actions[action], str(int(following)), float(p), float(reward), bool(ends))
        for state, table in inner.P.items()
        for action, outcomes in table.items()
        for p, following, reward, ends in outcomes
    ]
    chances = getattr(inner, "initial_state_distrib", None)
    starts = None if chances is None else {str(number): float(p) for number, p in enumerate(chances)}
    return DecisionProcess.of(name, transitions, starts, map(str, range(count)), _grid(kind, inner, moves), actions)


def _grid(kind: str, inner: Any, moves: Mapping[str, tuple[int, int]]) -> Grid | None:
    """Return where the states of Gymnasium's own grids lie; of a taxi's, four of its twenty errands."""
    directions = {number: step for number, step in enumerate(moves.values()) if step != (0, 0)}
    if kind == "FrozenLake":
        letters = tuple("".join(cell.decode() for cell in row) for row in inner.desc.tolist())
        return Grid({kind: _numbered(*inner.desc.shape)}, directions, letters)
    if kind == "CliffWalking":
        rows, columns = inner.shape
        letters = (*[" " * columns] * (rows - 1), "S" + "C" * (columns - 2) + "G")
        return Grid({kind: _numbered(rows, columns)}, directions, letters)
    if kind == "Taxi":
        # The number of a state is ((row * 5 + column) * 5 + passenger) * 4 + destination.
        errands = {"passenger at R, to go to G": (0, 1), "in the taxi, to G": (4, 1), "at Y, to go to B": (2, 3),
                   "in the taxi, to B": (4, 3)}  # fmt: skip
        panels = {
            title: tuple(tuple((cell * 5 + who) * 4 + where for cell in row) for row in _numbered(5, 5))
            for title, (who, where) in errands.items()
        }
        return Grid(panels, directions, ("R   G", "     ", "     ", "     ", "Y  B "))
    return None


def _numbered(rows: int, columns: int) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(range(row * columns, (row + 1) * columns)) for row in range(rows))
