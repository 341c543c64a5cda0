"""The index of all systems, collected from the rows in the families' folders. Importing it imports no torch."""

from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType

from ganglion.models.system import System as System
from ganglion.settings import unknown_name

TEACHING_ORDER = (
    "feedforward", "radial", "convolutional", "detection", "segmentation", "recurrent", "sequence", "autoencoder",
    "adversarial", "energy", "reinforcement",
)  # fmt: skip
"""In which order a course meets the families; one that is not named comes after them."""


def _families() -> list[ModuleType]:
    found = sorted(module.name for module in iter_modules(__path__) if module.ispkg)
    return [import_module(f"{__name__}.{name}") for name in sorted(found, key=[*TEACHING_ORDER, *found].index)]


INDEX: tuple[System, ...] = tuple(system for family in _families() for system in family.SYSTEMS)
FAMILIES: dict[str, str] = {family.SYSTEMS[0].family: family.__doc__ or "" for family in _families()}
"""What each family is, in a sentence."""


def names() -> list[str]:
    return [system.name for system in INDEX]


def find(name: str) -> System:
    """Return the system of that name, or raise `ConfigurationError` with the nearest one."""
    for system in INDEX:
        if system.name == name:
            return system
    raise unknown_name("system", name, names())
