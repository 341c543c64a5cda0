"""From flat options to the three settings of a run: the system's, the trainer's and the data's."""

import dataclasses
from collections.abc import Collection, Iterable
from typing import Any

from ganglion.data.settings import DataSettings
from ganglion.errors import ConfigurationError
from ganglion.models import System
from ganglion.rules.descend import Descent
from ganglion.settings import from_dict, to_dict, unknown_name
from ganglion.training.settings import TrainerSettings

LENGTHS = {"epochs", "steps", "minutes"}
"""How long a run is can be said in one of these; whoever says it replaces what the index says."""


def settle(system: System, options: dict[str, Any], data: object = None) -> tuple[Any, TrainerSettings, DataSettings]:
    """Sort flat options into the three settings, over the form of the system that they name and its defaults.

    Form and defaults that are not named may follow from the name of the data.
    """
    defaults = system.starting_from(data)
    form = system.form(options.get("form") or defaults.pop("form", "small"))
    cls = type(form)
    nested: dict[type, dict[str, Any]] = {cls: {}, TrainerSettings: {}, DataSettings: {}}
    homes = {name: home for home in reversed(nested) for name in _fields(home)}
    defaults.pop("form", None)
    if not LENGTHS.isdisjoint(options):
        defaults = {name: value for name, value in defaults.items() if name not in LENGTHS}
    for name, value in {**defaults, **options}.items():
        if name == "form":
            continue
        is_known = name.partition(".")[0] in homes
        path = name if is_known or "descent" not in _fields(cls) else f"descent.{name}"
        first, _, rest = path.partition(".")
        if first not in homes or (rest and first == "descent" and rest not in _fields(Descent)):
            known = ["form", *homes, *(_fields(Descent) if "descent" in homes else ())]
            raise unknown_name("option", name, sorted(known), where=system.name)
        _place(nested[homes[first]], path.split("."), value)
    config = from_dict(cls, _merged(to_dict(form), nested[cls]), where=system.name)
    trainer_settings = from_dict(TrainerSettings, nested[TrainerSettings], where="training")
    return config, trainer_settings, from_dict(DataSettings, nested[DataSettings], where="data")


def lengthened(
    system: System, settings: TrainerSettings, batches: int | None, given: Collection[str]
) -> TrainerSettings:
    """Return the settings with as many epochs as the system wants of data with so few batches in one.

    Args:
        system: says how many updates there are at least.
        settings: as settled.
        batches: of an epoch, None where there are no epochs.
        given: names of the options that the user gave; who gave a length keeps it.
    """
    if not system.least_updates or not batches or settings.epochs is None or not LENGTHS.isdisjoint(given):
        return settings
    return dataclasses.replace(settings, epochs=system.passes(settings.epochs, batches))


def refuse_overruled(given: Iterable[str], asked: Any, found: Any) -> None:
    """Raise where a size that the user gave is not that of the data.

    Args:
        given: Names of the options that the user gave.
        asked: The configuration as asked for.
        found: The configuration as fitted to the data.
    """
    for name in given:
        wanted, there = getattr(asked, name, None), getattr(found, name, None)
        if wanted != there:
            raise ConfigurationError(
                "a size that was given is not that of the data",
                where=name,
                expected=str(there),
                found=str(wanted),
                remedy="leave it out: it follows from the data",
            )


def _fields(cls: type) -> list[str]:
    return [field.name for field in dataclasses.fields(cls)]


def _place(target: dict[str, Any], path: list[str], value: Any) -> None:
    for name in path[:-1]:
        target = target.setdefault(name, {})
    target[path[-1]] = to_dict(value) if dataclasses.is_dataclass(value) else value


def _merged(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Lay nested changes over a nested base."""
    merged = dict(base)
    for name, value in changes.items():
        both = isinstance(value, dict) and isinstance(base.get(name), dict)
        merged[name] = _merged(base[name], value) if both else value
    return merged
