"""How long training has taken, and how many samples it has seen."""

import time
from typing import Any, final


@final
class Stopwatch:
    """Counts samples and the seconds of training: those of evaluations are left out."""

    def __init__(self) -> None:
        self.seconds, self.samples = 0.0, 0
        self._reported = (0.0, 0)  # seconds and samples at the last report
        self._started = time.perf_counter()

    def start(self) -> None:
        """Count from now on."""
        self._started = time.perf_counter()

    def stop(self) -> None:
        """Count up to now, and no further until `start`."""
        now = time.perf_counter()
        self.seconds += now - self._started
        self._started = now

    def report(self) -> dict[str, float]:
        """Return the seconds so far and the speed since the last report, rounded for people."""
        spent, samples = self.seconds - self._reported[0], self.samples - self._reported[1]
        self._reported = (self.seconds, self.samples)
        return {"seconds": round(self.seconds, 3), "samples_per_second": round(samples / max(spent, 1e-9), 1)}

    def state_dict(self) -> dict[str, Any]:
        return {"seconds": self.seconds, "samples": self.samples, "reported": self._reported}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.seconds, self.samples, self._reported = state["seconds"], state["samples"], state["reported"]
