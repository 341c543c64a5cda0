"""What networks draw while they are trained: sheets of the same draws, again and again, and a film of them."""

import io
import math
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, final

import numpy as np
from PIL import Image
from torch import nn

from ganglion import figures
from ganglion.training.callback import Callback, Training
from ganglion.training.run_folder import RunFolder

SHEETS = 20
"""Sheets of a run, beside that of the beginning."""
FRAMES_PER_SECOND = 4.0
LAST_SECONDS = 2
"""For which the film shows how it ended."""
SAMPLES, FILM = "samples", "film.gif"


@final
class Sheets(Callback):
    """Draws a sheet before the first step, then every so many steps and after the last, and at the end the film.

    Each sheet is on the disk before a checkpoint names it, and what is drawn depends on the weights alone: a run that
    was killed has the same sheets and the same film. No random number of training is used up.

    Args:
        draw: returns what the home of a rule makes of the same draws, bytes `(height, width, 3)`; None for nothing.
        every: steps between two sheets; without, about twenty are spread over the run.
    """

    name: ClassVar[str] = "sheets"

    def __init__(self, draw: Callable[[nn.Module], np.ndarray | None], every: int | None = None) -> None:
        self.draw, self.every = draw, every
        self.steps: list[int] = []
        """After which sheets were drawn."""

    def on_start(self, trainer: Training) -> None:
        if trainer.iteration == 0:
            self._draw(trainer)

    def on_step(self, trainer: Training) -> None:
        total = trainer.total_steps
        every = self.every or (total and math.ceil(total / SHEETS))
        if trainer.finished or (every and trainer.iteration % every == 0):
            self._draw(trainer)

    def on_end(self, trainer: Training) -> None:
        if trainer.run and len(self.steps) > 1:
            trainer.run.write_bytes(f"{SAMPLES}/{FILM}", _film(trainer.run, self.steps))

    def _draw(self, trainer: Training) -> None:
        if trainer.run is None or trainer.iteration in self.steps:
            return
        with trainer.undisturbed():
            sheet = self.draw(trainer.rule.home)
        if sheet is not None:
            file = io.BytesIO()
            Image.fromarray(sheet).save(file, "PNG", compress_level=1)
            trainer.run.write_bytes(_name(trainer.iteration), file.getvalue())
            self.steps.append(trainer.iteration)

    def state_dict(self) -> dict[str, Any]:
        return {"steps": list(self.steps)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.steps = list(state["steps"])


def _name(step: int) -> str:
    return f"{SAMPLES}/step-{step:06d}.png"


def _film(run: RunFolder, steps: list[int]) -> bytes:
    """Return a GIF of the sheets of these steps that are there, all of the size of the last; the last one stays."""
    paths = [path for step in steps if (path := run.path / _name(step)).is_file()]
    pictures = [Image.open(path).convert("RGB") for path in paths]
    frames = [np.asarray(picture.resize(pictures[-1].size, Image.Resampling.NEAREST)) for picture in pictures]
    frames += frames[-1:] * round(LAST_SECONDS * FRAMES_PER_SECOND - 1)
    with tempfile.TemporaryDirectory() as folder:
        return figures.save_film(frames, Path(folder, FILM), FRAMES_PER_SECOND).read_bytes()
