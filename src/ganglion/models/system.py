"""A row of the index."""

from dataclasses import dataclass, field
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

    def load(self) -> ModuleType:
        """Import the models file: `Config`, `SMALL`, `TINY`, `build`, `examples` and the networks."""
        return import_module(f"ganglion.models.{self.module}")
