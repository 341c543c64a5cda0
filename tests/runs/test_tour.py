"""The demo: what it may change of a system, and how many it trains."""

import dataclasses

from ganglion.data.settings import DataSettings
from ganglion.models import INDEX
from ganglion.training.settings import TrainerSettings

OF_TRAINING = {field.name for kind in (TrainerSettings, DataSettings) for field in dataclasses.fields(kind)}


def test_the_index_says_nothing_of_networks() -> None:
    """What a network is like is said by its models file alone, also in the demo, which trains the small form."""
    for system in INDEX:
        fields = {field.name for field in dataclasses.fields(system.load().Config)}
        given = {*system.defaults, *(system.tour or {})}
        assert given <= OF_TRAINING and not given & fields, system.name


def test_the_demo_trains_at_most_twenty_each_no_longer_than_training_does() -> None:
    toured = [system for system in INDEX if system.tour is not None]
    assert len(toured) <= 20
    for system in toured:
        for name in ("epochs", "steps"):
            assert (system.tour or {}).get(name, 0) <= system.defaults.get(name, 0), system.name
