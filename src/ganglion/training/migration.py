"""States that earlier versions wrote, as this one writes them."""

from typing import Any


def migrated(state: dict[str, Any], written: int) -> dict[str, Any]:
    """Return a state, or parts of one, that was written in format `written`, in the present format.

    Format 2 knows phases, what callbacks remember, and how often each single measurement was taken.
    """
    if written > 1 or "trainer" not in state:
        return state
    trainer = {"phase": 0, "phase_start": 0} | state["trainer"]
    sums, count = trainer["measurements"]["sums"], trainer["measurements"]["count"]
    trainer["measurements"] = {"sums": sums, "counts": dict.fromkeys(sums, count)}
    return {"callbacks": {}} | state | {"trainer": trainer}
