"""Jordan's network: what its last answer tells it and what it cannot know, its size by hand, and its row."""

from dataclasses import replace

import pytest
import torch

from ganglion.errors import ConfigurationError
from ganglion.models.recurrent.jordan import TINY, Config, build
from tests.contract.rows import Row
from tests.contract.toys import sequences, share_of_steps_right, tagged

ROW = Row(
    loader=lambda: sequences(*tagged("lift", 100), batch_size=20),
    steps=200,
    measure=share_of_steps_right("lift", 100),
    threshold=0.95,  # Without its last answer it has less than 0.6.
    counts=(({}, "network", 5001 * 16 + 32 * (16 + 10 + 1) + 33 * 10),),
    data="lift",
)


def test_the_last_answer_is_all_that_is_remembered() -> None:
    """Given the same right last answer, an answer does not depend on any token before."""
    torch.manual_seed(0)
    network = build(TINY).home.eval()
    tokens, answers = torch.randint(1, 5000, (1, 7)), torch.randint(10, (1, 7))
    changed, others = tokens.clone(), answers.clone()
    changed[0, :4], others[0, :3] = torch.randint(1, 5000, (4,)), torch.randint(10, (3,))
    torch.testing.assert_close(network.led(tokens, answers, 1.0)[:, 4:], network.led(changed, others, 1.0)[:, 4:])
    others[0, 3] = (others[0, 3] + 1) % 10
    assert not torch.allclose(network.led(tokens, answers, 1.0)[:, 4], network.led(changed, others, 1.0)[:, 4])


def test_without_feedback_every_step_stands_alone() -> None:
    torch.manual_seed(0)
    network = build(replace(TINY, feedback=False)).home.eval()
    tokens = torch.randint(1, 5000, (1, 7))
    alone = torch.cat([network(token) for token in tokens.split(1, dim=1)], dim=1)
    torch.testing.assert_close(network(tokens), alone)


def test_what_stands_past_the_end_changes_nothing() -> None:
    torch.manual_seed(0)
    network = build(TINY).home.eval()
    tokens = torch.randint(1, 5000, (1, 7))
    padded = torch.cat([tokens, torch.zeros(1, 4, dtype=torch.int64)], dim=1)
    torch.testing.assert_close(network(padded)[:, :7], network(tokens))


@pytest.mark.parametrize("wrong", [{"window": 0}, {"hidden_features": 0}, {"teacher_forcing": 1.1}])
def test_refuses_impossible_configurations(wrong: dict) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(wrong))):
        Config(**wrong)
