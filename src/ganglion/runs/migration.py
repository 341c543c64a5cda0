"""What earlier versions wrote, as the present one would have written it: runs of all formats stay usable."""

from collections.abc import Callable
from typing import Any

FORMAT = 4
"""Of what is written now."""
State = dict[str, Any]
Fields = dict[str, tuple[str, State]]
"""Kind and settings of the preprocessing of each field."""
ONCE_FIXED: dict[int, dict[str, State]] = {
    3: {
        "gan": {
            "generator_activation": "leaky-relu",
            "discriminator_activation": "leaky-relu",
            "discriminator_dropout": [0.0, 0.0],
            "small_weights": False,
        },
    },
    4: {"fast-rcnn": {"backbone": "plain", "stride": 256}},
}
"""By format, fields of a system that became a choice with other defaults, and what earlier runs were made with."""


def migrated(description: State) -> State:
    """Return the contents of a `config.json` in the present format.

    >>> description = {"format": 1, "system": "gan", "task": "generation", "config": {"real_label": 0.9}, "state": {}}
    >>> description["config"] |= {"image_size": 8, "in_channels": 1}
    >>> now = migrated(description)
    >>> now["format"], now["config"]["game"], now["state"]["fields"]["inputs"]["settings"]["image_size"]
    (4, {'real_label': 0.9}, 8)
    """
    if description["format"] == FORMAT:
        return description
    if description["format"] < 2:
        description = description | {"config": _with_game(description)}
    if description["format"] < 3:
        # No sheets were drawn then, and none are when such a run goes on.
        trainer = {"sample_every": "off"} | description.get("trainer", {})
        description = description | {"state": _with_fields(description), "trainer": trainer}
    chosen = description["config"]
    for later, fixed in ONCE_FIXED.items():
        if description["format"] < later:
            chosen = fixed.get(description["system"], {}) | chosen
    return description | {"config": chosen, "format": FORMAT}


def _with_game(description: State) -> State:
    """Format 2 gathers what concerns the game of adversarial networks."""
    config = dict(description["config"])
    if description["system"] in ("gan", "dcgan"):
        names = {"generator_loss": "loss", "real_label": "real_label", "discriminator_steps": "discriminator_steps"}
        moved = {new: config.pop(old) for old, new in names.items() if old in config}
        config["game"] = config.get("game", {}) | moved
    return config


def _with_fields(description: State) -> State:
    """Format 3 keeps the preprocessing of all fields in one way."""
    state, task = description["state"], description["task"]
    if task not in FIELDS:
        return state
    prepared = {
        name: {"kind": kind, "settings": settings} for name, (kind, settings) in FIELDS[task](description).items()
    }
    return {"fields": prepared, **{name: state[name] for name in KEPT.get(task, ()) if name in state}}


def _inputs(description: State) -> Fields:
    state = description["state"]
    return {"inputs": ({"image": "images", "tabular": "rows"}[state["kind"]], state["preprocessing"])}


def _classes(state: State) -> tuple[str, State]:
    return "classes", {"num_classes": len(state["label_names"]), "names": state["label_names"]}


def _classification(description: State) -> Fields:
    return _inputs(description) | {"targets": _classes(description["state"])}


def _regression(description: State) -> Fields:
    state = description["state"]
    return _inputs(description) | {"targets": ("values", state["target_scale"] | {"names": state["target_names"]})}


def _generation(description: State) -> Fields:
    config = description["config"]
    pixels = {"image_size": config["image_size"], "channels": config["in_channels"], "low": -1.0, "high": 1.0}
    return {"inputs": ("images", pixels)}


def _image_to_image(description: State) -> Fields:
    images = ("images", description["state"]["preprocessing"])
    return {"inputs": images, "targets": images}


def _forecasting(description: State) -> Fields:
    state = description["state"]
    return {"inputs": ("series", state["preprocessing"] | {"names": state["columns"]})}


def _language(description: State) -> Fields:
    return {"inputs": ("text", {"tokens": description["state"]["vocabulary"], "unit": "characters", "padded": False})}


def _categorisation(description: State) -> Fields:
    state = description["state"]
    text = {"tokens": state["vocabulary"], "unit": "words", "window": description["config"]["window"]}
    return {"inputs": ("texts", text), "targets": _classes(state)}


def _tagging(description: State) -> Fields:
    state = description["state"]
    return {"inputs": ("tagged", {"text": {"tokens": state["vocabulary"], "unit": "spaced"}, "tags": state["tags"]})}


FIELDS: dict[str, Callable[[State], Fields]] = {
    "classification": _classification,
    "regression": _regression,
    "reconstruction": _inputs,
    "density": _inputs,
    "generation": _generation,
    "image_to_image": _image_to_image,
    "forecasting": _forecasting,
    "language": _language,
    "categorisation": _categorisation,
    "tagging": _tagging,
}
"""What tasks of format 2 said of the preprocessing of their fields."""
KEPT = {
    "reconstruction": ("kept",),
    "density": ("means",),
    "forecasting": ("target", "season", "last_window", "margins"),
    "categorisation": ("column",),
}
"""What they kept beside it."""
