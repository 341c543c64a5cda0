"""Small decision processes to look at, made on the spot."""

from collections.abc import Callable

from ganglion.data.decisions.process import DecisionProcess, Grid, Transition


def loss_then_gain() -> DecisionProcess:
    """An immediate loss for a later gain: who climbs pays twice, and is richly rewarded at the top.

    Resting at the foot brings 1 each time and nothing more. A climb costs 2 and succeeds nine times in ten; who stops
    half way slides back.
    """
    return DecisionProcess.of(
        "loss-then-gain",
        [
            Transition("foot", "rest", "foot", 1.0, 1.0),
            Transition("foot", "climb", "slope", 0.9, -2.0),
            Transition("foot", "climb", "foot", 0.1, -2.0),
            Transition("slope", "rest", "foot", 1.0, 0.0),
            Transition("slope", "climb", "top", 0.9, -2.0),
            Transition("slope", "climb", "foot", 0.1, -2.0),
            Transition("top", "rest", "top", 0.8, 5.0),
            Transition("top", "rest", "foot", 0.2, 5.0),
        ],
    )


def two_doors() -> DecisionProcess:
    """The shortest such choice: a door with 2 at once, or one that costs 1 and leads to 10."""
    return DecisionProcess.of(
        "two-doors",
        [
            Transition("hall", "left", "street", 1.0, 2.0),
            Transition("hall", "right", "corridor", 1.0, -1.0),
            Transition("corridor", "on", "street", 1.0, 10.0),
        ],
    )


def four_by_three() -> DecisionProcess:
    """A grid with a wall, a goal of +1 and a pit of -1; steps cost 0.04 and go astray to either side one time in ten.

    Source: Russell and Norvig, Artificial intelligence: a modern approach, section 17.1.
    """
    columns, rows, wall = 4, 3, (1, 1)
    ends = {(3, 0): 1.0, (3, 1): -1.0}
    moves = {"up": (0, -1), "right": (1, 0), "down": (0, 1), "left": (-1, 0)}
    cells = [(x, y) for y in range(rows) for x in range(columns) if (x, y) != wall]
    names = {(x, y): f"{x + 1},{rows - y}" for x, y in cells}
    transitions = []
    for cell in cells:
        for action, (right, down) in moves.items() if cell not in ends else ():
            for probability, (dx, dy) in ((0.8, (right, down)), (0.1, (down, right)), (0.1, (-down, -right))):
                there = (cell[0] + dx, cell[1] + dy)
                there = there if there in names else cell
                reward = -0.04 + ends.get(there, 0.0)
                transitions.append(Transition(names[cell], action, names[there], probability, reward))
    numbers = {cell: number for number, cell in enumerate(cells)}
    grid = Grid(
        {"four-by-three": tuple(tuple(numbers.get((x, y), -1) for x in range(columns)) for y in range(rows))},
        dict(enumerate(moves.values())),
        ("   +", "   -", "S   "),
    )
    return DecisionProcess.of("four-by-three", transitions, {"1,1": 1.0}, names.values(), grid)


PRESETS: dict[str, Callable[[], DecisionProcess]] = {
    "loss-then-gain": loss_then_gain,
    "two-doors": two_doors,
    "four-by-three": four_by_three,
}
