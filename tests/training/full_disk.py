"""A disk that is full at a chosen moment."""

import os
from collections.abc import Callable
from typing import Any

import pytest


class FullDisk:
    """Lets one operation of `os` fail as where there is no space left: the n-th from when it was said."""

    def __init__(self, patch: pytest.MonkeyPatch, names: tuple[str, ...]) -> None:
        self._left = 0
        for name in names:
            patch.setattr(os, name, self._counting(getattr(os, name)))

    def fail_at(self, number: int) -> None:
        """Say which operation fails, counted from 1; 0 for none."""
        self._left = number

    def _counting(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any, **named: Any) -> Any:
            self._left -= 1
            if self._left == 0:
                raise OSError(28, "No space left on device")
            return original(*arguments, **named)

        return counted
