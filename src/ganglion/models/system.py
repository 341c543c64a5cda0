"""A row of the index."""

from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from importlib import import_module
from types import ModuleType
from typing import Any

from ganglion.settings import unknown_name


@dataclass(frozen=True, kw_only=True, eq=False)
class System:
    """Where a system lives, what it is used for, and how it is trained when nothing is said.

    What its networks are like and how they learn is said by the models file alone.
    """

    name: str
    module: str
    """Module below `ganglion.models`: the family's folder and the models file."""
    tasks: tuple[str, ...]
    """Modules below `ganglion.tasks`; the first that takes the data is done."""
    data: str
    """Data used when none is named."""
    defaults: dict[str, Any] = field(default_factory=dict)
    """Fields of `TrainerSettings` and `DataSettings` that training starts from."""
    defaults_on: dict[str, dict[str, Any]] = field(default_factory=dict)
    """What training starts from instead on data whose name fits a pattern; `form` among it, if that is another."""
    least_updates: int = 0
    """Updates at least where nothing is said of the length of training: few samples are passed over more often."""
    tour: dict[str, Any] | None = None
    """Such fields with which the demo trains it, in at most eight seconds; None where the demo leaves it out. The
    network is the small form, in the demo as elsewhere."""

    @property
    def family(self) -> str:
        return self.module.split(".")[0].replace("_", "-")

    @property
    def task(self) -> str:
        """The task that the system was made for."""
        return self.tasks[0]

    def form(self, name: str) -> Any:
        """Return the configuration that training starts from: a small one, or one of those in the literature."""
        module = self.load()
        forms = {"small": module.SMALL, "published": module.Config(), **getattr(module, "FORMS", {})}
        if name not in forms:
            raise unknown_name("form", name, list(forms), where=self.name)
        return forms[name]

    def starting_from(self, data: object) -> dict[str, Any]:
        """Return the fields that training on this data starts from, and the `form` where it is not the small one."""
        name = data if isinstance(data, str) else ""
        fitting = (more for pattern, more in self.defaults_on.items() if fnmatchcase(name, pattern))
        return {**self.defaults, **next(fitting, {})}

    def passes(self, epochs: int, batches: int) -> int:
        """Return how often training passes over so many batches where the user does not say it.

        >>> few = System(name="few", module="few", tasks=("few",), data="few", least_updates=1000)
        >>> few.passes(8, batches=50), few.passes(8, batches=300)
        (20, 8)
        """
        return max(epochs, -(-self.least_updates // batches))

    def load(self) -> ModuleType:
        """Import the models file: `Config`, `SMALL`, `TINY`, `build`, `examples` and the networks."""
        return import_module(f"ganglion.models.{self.module}")
