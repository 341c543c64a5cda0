"""The pool: what is shown, what is kept, that no sample is lost or doubled, and that conditions travel along."""

import torch

from ganglion.rules.adversarial.pool import Pool


def fresh(first: int, count: int) -> dict[str, torch.Tensor]:
    numbers = torch.arange(first, first + count).float()
    return {"generated": numbers.view(-1, 1, 1).expand(-1, 2, 2).clone(), "condition": 10 * numbers}


def run(size: int, batch: int, batches: int) -> tuple[list[float], dict[str, torch.Tensor], dict[str, int]]:
    pool, tensors, counters = Pool(size), {}, {"pooled": 0}  # type: ignore[var-annotated]
    shown: list[float] = []
    for number in range(batches):
        out = pool.exchange(fresh(number * batch, batch), tensors, counters)
        assert out["generated"].shape == (batch, 2, 2)
        assert torch.equal(out["condition"], 10 * out["generated"][:, 0, 0])
        shown += out["generated"][:, 0, 0].tolist()
    return shown, tensors, counters


def test_shows_what_is_fresh_until_it_is_full() -> None:
    shown, tensors, counters = run(size=6, batch=4, batches=2)
    assert shown == list(range(8)) and counters == {"pooled": 6}
    assert tensors["pool.condition"].tolist() == [0, 10, 20, 30, 40, 50]


def test_once_full_half_of_what_it_shows_is_old_and_every_sample_is_shown_or_kept_once() -> None:
    torch.manual_seed(0)
    batches, batch, size = 300, 4, 6
    shown, tensors, _ = run(size, batch, batches)
    later = shown[size + 2 :]
    old = sum(number < (place + size + 2) // batch * batch for place, number in enumerate(later))
    assert abs(old / len(later) - 0.5) < 0.05
    kept = tensors["pool.condition"] / 10
    # The first six were shown when they came in, and again, or are still kept.
    assert sorted([*later, *kept.tolist()]) == sorted([*range(6), *range(8, batches * batch)])


def test_a_batch_larger_than_the_pool_exchanges_its_first_samples() -> None:
    torch.manual_seed(0)
    shown, _, _ = run(size=2, batch=5, batches=3)
    assert shown[7:10] == [7, 8, 9] and shown[12:] == [12, 13, 14]


def test_continues_from_its_tensors_and_counters() -> None:
    def whole(stop: int) -> list[float]:
        torch.manual_seed(3)
        pool, tensors, counters = Pool(5), {}, {"pooled": 0}  # type: ignore[var-annotated]
        shown: list[float] = []
        for number in range(10):
            if number == stop:
                tensors, counters = {name: value.clone() for name, value in tensors.items()}, dict(counters)
            shown += pool.exchange(fresh(3 * number, 3), tensors, counters)["condition"].tolist()
        return shown

    assert whole(stop=-1) == whole(stop=1) == whole(stop=6)
