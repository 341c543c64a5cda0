"""What is known of the steps ahead, read by forecasters that are taken elsewhere."""

from dataclasses import replace

import pytest
import torch

from ganglion.models import find


@pytest.mark.parametrize("system", ["lstm-forecaster", "series-convnet"])
def test_a_network_that_is_told_the_future_is_exported_for_any_number_of_samples(system: str) -> None:
    module = find(system).load()
    config = replace(module.TINY, in_features=2, out_features=2, known_features=3, horizon=4, window=16)
    network = module.build(config).home.eval()
    (example,) = module.examples(config)["network"]
    assert example.shape == (1, 20, 5)
    dynamic = ({0: torch.export.Dim.DYNAMIC},)
    with torch.no_grad():
        exported = torch.export.export(network, (torch.rand(3, 20, 5),), dynamic_shapes=dynamic).module()
        for count in (3, 5):
            inputs = torch.rand(count, 20, 5)
            torch.testing.assert_close(exported(inputs), network(inputs))
