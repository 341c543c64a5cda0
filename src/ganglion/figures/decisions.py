"""Decision processes: states and actions as a graph, and what is best on a grid."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch
from scipy.sparse.csgraph import shortest_path

from ganglion.figures.style import BLUE, FAINT, INK, MUTED, ORANGE, PAPER, RED, panels, styled
from ganglion.figures.words import number, text

Outcome = tuple[int, int, int, float, float]
"""Numbers of a state, an action and the state that follows, with the probability and the reward of that."""
SWEEPS = 400
"""Of the drawing of a graph."""


@styled
def decision_graph(
    states: Sequence[str],
    actions: Sequence[str],
    outcomes: Sequence[Outcome],
    values: np.ndarray,
    best: Mapping[int, int],
) -> Figure:
    """Draw states as circles with their values, actions as dots, and what follows with its probability and reward.

    Args:
        states: their names.
        actions: their names.
        outcomes: what may follow.
        values: of each state, (states,).
        best: the best action of each state that has one; it is drawn in colour.
    """
    pairs = list(dict.fromkeys((state, action) for state, action, *_ in outcomes))
    places = _places(len(states), pairs, outcomes)
    across, down = np.ptp(places, axis=0)
    width = float(np.clip(1.5 * across + 2, 6, 14))
    figure, (panel,) = panels(1, width=width, height=float(np.clip(1.5 * down + 2.2, 4.2, 13)))
    panel.set_axis_off()
    panel.set_aspect("equal")
    for number_of, (state, action) in enumerate(pairs):
        dot = places[len(states) + number_of]
        chosen = best.get(state) == action
        colour = RED if chosen else MUTED
        _arrow(panel, places[state], dot, colour, (17, 5), chosen)
        follow = [one for one in outcomes if one[:2] == (state, action)]
        for *_, then, probability, reward in follow:
            _arrow(panel, dot, places[then], colour, (5, 17), chosen)
            words = f"{number(probability)}, {_signed(reward)}" if len(follow) > 1 else _signed(reward)
            _label(panel, dot, places[then], words)
        panel.scatter(dot[0], dot[1], s=60, color=colour, zorder=3)
        panel.annotate(
            text(actions[action], 16), dot, (0, 8), textcoords="offset points", ha="center", size=8.5, color=colour,
            weight="bold" if chosen else "normal", zorder=5,
        )  # fmt: skip
    x_of, y_of = places[: len(states)].T
    panel.scatter(x_of, y_of, s=1250, color=PAPER, edgecolor=BLUE, linewidth=1.8, zorder=3)
    for name, value, (x, y) in zip(states, values.tolist(), places[: len(states)].tolist(), strict=True):
        panel.text(x, y, f"{text(name, 12)}\n{number(value)}", ha="center", va="center", size=8, zorder=4)
    panel.margins(0.16)
    panel.set_title("What each state is worth; the best actions are red")
    return figure


def _signed(reward: float) -> str:
    return f"{reward:+.4g}" if reward else "0"


def _places(states: int, pairs: Sequence[tuple[int, int]], outcomes: Sequence[Outcome]) -> np.ndarray:
    """Return where states and pairs lie, (states + pairs, 2), about as far apart as the arrows between them are many.

    The stress of the distances is majorised (SMACOF), from a circle.
    """
    count = states + len(pairs)
    known = {pair: states + number_of for number_of, pair in enumerate(pairs)}
    linked = np.zeros((count, count))
    for state, action, then, *_ in outcomes:
        linked[state, known[state, action]] = linked[known[state, action], then] = 1
    wanted = shortest_path(linked, directed=False, unweighted=True)
    wanted[~np.isfinite(wanted)] = 4.0
    np.fill_diagonal(wanted, 0)
    angles = np.linspace(0, 2 * np.pi, states, endpoint=False)
    ring = np.stack([-np.cos(angles), np.sin(angles)], axis=1) * max(1.0, states / 3)
    beside = [ring[state] * (1.2 + 0.1 * turn) + 0.3 * np.array([np.sin(turn), np.cos(turn)])
              for turn, (state, _) in enumerate(pairs)]  # fmt: skip
    places = np.concatenate([ring, np.reshape(beside, (-1, 2))])
    for _ in range(SWEEPS):
        apart = np.linalg.norm(places[:, None] - places, axis=-1)
        pull = -np.divide(wanted, apart, out=np.zeros_like(apart), where=apart > 1e-9)
        np.fill_diagonal(pull, -pull.sum(1))
        places = pull @ places / count
    places -= places.mean(0)
    _, _, axes = np.linalg.svd(places, full_matrices=False)  # the longer side lies across
    turned: np.ndarray = places @ axes.T
    return turned


def _arrow(panel: Axes, start: np.ndarray, end: np.ndarray, colour: str, shrink: tuple[int, int], strong: bool) -> None:
    panel.add_patch(
        FancyArrowPatch(
            tuple(start), tuple(end), connectionstyle="arc3,rad=0.18", arrowstyle="-|>", mutation_scale=11,
            color=colour, linewidth=1.7 if strong else 0.9, shrinkA=shrink[0], shrinkB=shrink[1], zorder=2,
        )
    )  # fmt: skip


def _label(panel: Axes, start: np.ndarray, end: np.ndarray, words: str) -> None:
    """Write beside the middle of an arrow, which lies to the right of the straight line."""
    along = end - start
    middle = start + 0.45 * along + 0.1 * np.array([along[1], -along[0]])
    panel.text(
        middle[0], middle[1], words, size=7.5, color=INK, ha="center", va="center", zorder=4,
        bbox={"facecolor": PAPER, "edgecolor": "none", "pad": 0.8, "alpha": 0.85},
    )  # fmt: skip


@styled
def decision_grid(
    grids: Mapping[str, np.ndarray],
    values: np.ndarray,
    action_values: np.ndarray,
    directions: Mapping[int, tuple[int, int]],
    names: Sequence[str],
    letters: Sequence[str] = (),
) -> Figure:
    """Draw grids of states in shades of their values, with arrows towards the best actions.

    Args:
        grids: numbers of states, (rows, columns), -1 for none, by title.
        values: of each state, (states,).
        action_values: (states, actions), minus infinity for actions that a state does not have.
        directions: columns to the right and rows down, by the number of an action.
        names: of the actions; those without a direction are written.
        letters: what stands in the cells, a text for each row.
    """
    rows, columns = next(iter(grids.values())).shape
    figure, axes = panels(
        len(grids), columns=2, width=float(np.clip(0.62 * columns, 3.4, 9)), height=float(np.clip(0.7 * rows, 2.4, 8))
    )
    shown = [values[grid[grid >= 0]] for grid in grids.values()]
    low, high = min(one.min() for one in shown), max(one.max() for one in shown)
    for panel, (title, grid) in zip(axes, grids.items(), strict=True):
        shades = np.where(grid >= 0, values[grid], np.nan)
        image = panel.imshow(shades, cmap="Blues", vmin=low, vmax=high + 0.6 * (high - low or 1))
        panel.set_facecolor("#c9ced4")
        panel.set(xticks=np.arange(-0.5, columns), yticks=np.arange(-0.5, rows), xticklabels=[], yticklabels=[])
        panel.tick_params(length=0)
        panel.grid(color=PAPER, linewidth=1.5)
        panel.set_title(text(title, 50))
        for row, column in np.argwhere(grid >= 0).tolist():
            state = grid[row, column]
            _cell(panel, row, column, values[state], action_values[state], directions, names)
        for row, column in np.ndindex(grid.shape):
            if row < len(letters) and letters[row][column].strip():
                panel.text(
                    column - 0.42, row - 0.4, text(letters[row][column]), size=9, weight="bold", color=ORANGE, va="top"
                )
        image.set_clim(low, high + 0.6 * (high - low or 1))
    return figure


def _cell(
    panel: Axes,
    row: int,
    column: int,
    value: float,
    worth: np.ndarray,
    directions: Mapping[int, tuple[int, int]],
    names: Sequence[str],
) -> None:
    """Draw the value of a state and its best actions; none where all are equal, since then nothing is chosen."""
    panel.text(column + 0.46, row + 0.46, number(round(value, 3)), size=6.5, color=INK, ha="right", va="bottom")
    there = np.isfinite(worth)
    if not there.any() or np.ptp(worth[there]) < 1e-9:
        return
    for action in np.flatnonzero(there & (worth >= worth[there].max() - 1e-9)).tolist():
        if action not in directions:
            panel.text(column, row, text(names[action], 10), size=7, ha="center", va="center", weight="bold")
            continue
        right, below = directions[action]
        panel.annotate(
            "", (column + 0.3 * right, row + 0.3 * below), (column - 0.1 * right, row - 0.1 * below),
            arrowprops={"arrowstyle": "-|>", "color": INK, "linewidth": 1.3, "shrinkA": 0, "shrinkB": 0},
        )  # fmt: skip


@styled
def action_values(values: np.ndarray, states: Sequence[str], actions: Sequence[str], best: Sequence[int]) -> Figure:
    """Draw what every action is worth in every state, (states, actions), as bars, the best (states,) in colour."""
    figure, axes = panels(len(states), columns=4, width=2.6, height=1.0 + 0.22 * len(actions))
    finite = values[np.isfinite(values)]
    low, high = min(0.0, finite.min(initial=0.0)), max(0.0, finite.max(initial=0.0))
    for state, panel in enumerate(axes):
        there = np.flatnonzero(np.isfinite(values[state]))
        shades = [RED if action == best[state] else "#b9c2cc" for action in there]
        panel.barh(np.arange(len(there)), values[state, there], color=shades, height=0.7)
        panel.set_yticks(np.arange(len(there)), [text(actions[action], 12) for action in there.tolist()])
        panel.invert_yaxis()
        panel.set_xlim(low - 0.02 * (high - low), high + 0.02 * (high - low) or 1)
        panel.axvline(0, color=FAINT, linewidth=0.8)
        panel.set_title(text(states[state], 20) + ("" if len(there) else ": the end"))
    return figure
