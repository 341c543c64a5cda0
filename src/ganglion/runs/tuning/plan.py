"""What a study can be told; no torch here, so that the command line can show it at once."""

from typing import Annotated

from ganglion.settings import at_least, between, settings


@settings
class Plan:
    """How good settings are looked for."""

    trials: Annotated[int, at_least(1)] = 30
    """Sets of values to try; the first is what training starts from."""
    at_once: Annotated[int, at_least(1)] = 4
    """Trials that may be under way at once: each is proposed before the last few are over. So the same seed gives the
    same trials whatever the number of workers."""
    warm_up: Annotated[float, between(0, 1)] = 0.3
    """Share of a run before which no trial is given up; 1 gives none up."""
    finalists: Annotated[int, at_least(0)] = 3
    """Best trials that are trained again with other seeds."""
    seeds: Annotated[int, at_least(0)] = 3
    """Seeds with which each of them is trained again."""
    by_chance: bool = False
    """Draw the values evenly instead of going by what came of earlier trials, to compare with."""
