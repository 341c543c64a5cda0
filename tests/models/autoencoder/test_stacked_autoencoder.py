"""The stacked autoencoder: its published size, its phases in one run, and a figure of what each layer left."""

from pathlib import Path
from typing import Any

import torch

from ganglion.data.loaders.in_memory import InMemoryLoader
from ganglion.models.autoencoder.stacked_autoencoder import Config, StackedAutoencoder
from ganglion.runs.session import train
from tests.contract.rows import Row
from tests.contract.toys import bars_and_stripes, share_of_pixels_rebuilt

ROW = Row(
    loader=lambda: InMemoryLoader({"inputs": bars_and_stripes()}, batch_size=10, seed=0),
    steps=500,
    measure=share_of_pixels_rebuilt,
    threshold=0.2,
    counts=(({}, "network", 2_837_314),),
)


def test_a_layer_there_and_back_is_the_mirror_of_itself() -> None:
    network = StackedAutoencoder(Config(in_features=9, hidden_features=(7, 5), code_size=2))
    hidden = inputs = torch.rand(3, 9)
    for number in range(network.depth):
        deeper = network.forth(hidden, number)
        assert network.back(deeper, number).shape == hidden.shape
        hidden = deeper
    torch.testing.assert_close(hidden, network.encode(inputs))


def test_phases_follow_each_other_in_one_run_and_the_report_shows_each_layer(tmp_path: Path) -> None:
    options: dict[str, Any] = {"hidden_features": (24, 12), "code_size": 6, "limit": 400, "epochs": 8, "threads": 1}
    run = train("stacked-autoencoder", "digits", out=tmp_path / "run", **options)
    phases = list(dict.fromkeys(row["phase"] for row in run.history if "phase" in row))
    assert phases == ["layer 1", "layer 2", "layer 3", "fine-tuning"]
    assert (run.folder / "figures" / "layers.png").exists()
    assert "through more and more layers" in (run.folder / "report.html").read_text(encoding="utf-8")
