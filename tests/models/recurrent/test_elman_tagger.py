"""The tagger: what padding cannot change, which words each answer depends on, its size by hand, and its row."""

from dataclasses import replace

import pytest
import torch

from ganglion.errors import ConfigurationError
from ganglion.models.recurrent.elman_tagger import TINY, Config, build
from tests.contract.rows import Row
from tests.contract.toys import sequences, share_of_steps_right, tagged

ROW = Row(
    loader=lambda: sequences(*tagged("tagged-sentences", 200), batch_size=20),
    steps=150,
    measure=share_of_steps_right("tagged-sentences", 200),
    threshold=0.985,  # The commonest tag of each word has 0.96.
    counts=(({}, "network", 5001 * 32 + 64 * (32 + 64 + 1) + 65 * 10),),
    data="tagged-sentences",
)


@pytest.mark.parametrize("bidirectional", [False, True])
def test_what_stands_past_the_end_changes_nothing(bidirectional: bool) -> None:
    torch.manual_seed(0)
    network = build(replace(TINY, bidirectional=bidirectional)).home.eval()
    sentence = torch.randint(1, 5000, (1, 7))
    padded = torch.cat([sentence, torch.zeros(1, 4, dtype=torch.int64)], dim=1)
    torch.testing.assert_close(network(padded)[:, :7], network(sentence))


@pytest.mark.parametrize("bidirectional", [False, True])
def test_later_words_matter_only_to_a_network_that_reads_backwards(bidirectional: bool) -> None:
    torch.manual_seed(0)
    network = build(replace(TINY, bidirectional=bidirectional)).home.eval()
    sentence = torch.randint(1, 5000, (1, 7))
    changed = sentence.clone()
    changed[0, 5] = 5000 - changed[0, 5]
    before, after = network(sentence), network(changed)
    assert torch.allclose(before[:, :5], after[:, :5]) is not bidirectional
    assert not torch.allclose(before[:, 5:], after[:, 5:])


@pytest.mark.parametrize("wrong", [{"window": 0}, {"num_layers": 0}, {"num_classes": 0}, {"dropout": 1.0}])
def test_refuses_impossible_configurations(wrong: dict) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(wrong))):
        Config(**wrong)
