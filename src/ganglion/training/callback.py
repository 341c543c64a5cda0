"""What may be hooked into training."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ganglion.training.trainer import Trainer


class Callback:
    """What may be hooked into training; every hook does nothing by default."""

    def on_start(self, trainer: "Trainer") -> None: ...

    def on_step(self, trainer: "Trainer") -> None: ...

    def on_report(self, trainer: "Trainer") -> None: ...

    def on_checkpoint(self, trainer: "Trainer") -> None: ...

    def on_end(self, trainer: "Trainer") -> None: ...

    def on_note(self, trainer: "Trainer", text: str) -> None:
        """Hear what the trainer has to say beside its numbers."""
