"""What earlier versions wrote, as the present one would have written it: runs of all formats stay usable."""

from typing import Any

FORMAT = 2
"""Of what is written now."""


def migrated(about: dict[str, Any]) -> dict[str, Any]:
    """Return the contents of a `config.json` in the present format.

    >>> about = {"format": 1, "system": "gan", "config": {"real_label": 0.9}}
    >>> migrated(about)
    {'format': 2, 'system': 'gan', 'config': {'game': {'real_label': 0.9}}}
    """
    if about["format"] != 1:
        return about
    config = dict(about["config"])
    if about["system"] in ("gan", "dcgan"):
        names = {"generator_loss": "loss", "real_label": "real_label", "discriminator_steps": "discriminator_steps"}
        moved = {new: config.pop(old) for old, new in names.items() if old in config}
        config["game"] = config.get("game", {}) | moved
    return about | {"format": FORMAT, "config": config}
