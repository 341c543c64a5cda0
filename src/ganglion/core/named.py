"""What a network's layers are called elsewhere, and which of them others may stand on."""

from typing import Protocol, runtime_checkable

from torch import nn


@runtime_checkable
class Published(Protocol):
    """A network whose weights others publish under names of their own."""

    def published_names(self) -> dict[str, dict[str, str]]:
        """Return, by the package that publishes them, what each of the network's layers is called there."""


@runtime_checkable
class Backbone(Protocol):
    """A network that looks at images, and whose first layers others stand on."""

    def trunk(self) -> list[str]:
        """Return the names of its layers that make maps of images, each of what the one before it made."""


@runtime_checkable
class Standing(Protocol):
    """A network that stands on the first layers of another, and may start from weights of that one."""

    convolutions: nn.Module
    """What it stands on."""

    def borrowed_names(self) -> dict[str, dict[str, str]]:
        """Return what its borrowed layers are called: in the network they are from, and in packages that publish it."""
