"""The detector of generated images: published counts, evidence at places, and what it learns of traces."""

import torch

from ganglion.core import LearningRule, Loader, Located
from ganglion.data.loaders.in_memory import InMemoryLoader
from ganglion.data.sources.generators import generate
from ganglion.models.adversarial.generated_image_detector import Config, GeneratedImageDetector
from ganglion.rules.losses import accuracy
from ganglion.tasks.shared.evaluation import ask
from tests.contract.rows import Row

SIDE, SAMPLES = 8, 200


def traces() -> tuple[torch.Tensor, torch.Tensor]:
    """Noise, and noise of half the side that was enlarged by repeating its pixels (samples, 1, 8, 8)."""
    generator = torch.Generator().manual_seed(0)
    real = torch.rand(SAMPLES, 1, SIDE, SIDE, generator=generator)
    small = torch.rand(SAMPLES, 1, SIDE // 2, SIDE // 2, generator=generator)
    images = torch.cat([real, small.repeat_interleave(2, 2).repeat_interleave(2, 3)])
    return 2 * images - 1, torch.arange(2).repeat_interleave(SAMPLES)


def loader() -> Loader:
    inputs, targets = traces()
    return InMemoryLoader({"inputs": inputs, "targets": targets}, batch_size=40, seed=0)


def share_told_apart(rule: LearningRule) -> float:
    inputs, targets = traces()
    return float(accuracy(ask(rule.home, inputs), targets))


ROW = Row(
    loader=loader,
    steps=30,
    measure=share_told_apart,
    threshold=0.9,
    data=generate("redrawn-photographs", count=200),
    options={"window": 16, "image_size": 16},
    counts=(
        # ResNet-50, 34 and 18 with one output in place of a thousand: 2048 or 512 weights and a bias
        ({"depth": 50}, "network", 25_557_032 - 2048 * 1000 - 1000 + 2048 + 1),
        ({"depth": 34}, "network", 21_797_672 - 512 * 1000 - 1000 + 512 + 1),
        ({"depth": 18}, "network", 11_689_512 - 512 * 1000 - 1000 + 512 + 1),
    ),
)


def test_the_answer_is_the_mean_of_the_evidence_at_all_places() -> None:
    for depth in (8, 18):
        network = GeneratedImageDetector(Config(depth=depth)).eval()
        assert isinstance(network, Located)
        images = torch.rand(2, 3, 64, 40)
        evidence = network.evidence(images)
        assert evidence.shape[2] > 1
        torch.testing.assert_close(network(images), evidence.mean(dim=(2, 3)))


def test_evidence_is_where_the_traces_are() -> None:
    """Of a picture whose right half alone was enlarged."""
    from ganglion.models.adversarial.generated_image_detector import TINY, build

    torch.manual_seed(0)
    rule = build(TINY)
    for _ in range(3):
        for batch in loader():
            rule.step(batch)
    inputs, _ = traces()
    wide = torch.cat([inputs[:20].repeat(1, 1, 2, 1)[:, :, :8], inputs[-20:]], dim=3)  # (20, 1, 8, 16)
    network = rule.home.eval()
    assert isinstance(network, GeneratedImageDetector)
    with torch.no_grad():
        evidence = network.evidence(wide)[:, 0].mean(dim=(0, 1))
    left, right = evidence.chunk(2)
    assert right[1:].mean() > left[:-1].mean() + 1
