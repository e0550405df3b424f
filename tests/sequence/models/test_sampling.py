"""Temperature and top-k do what they say, at their borders too."""

import math

import pytest
import torch
from torch import tensor

from sidestep.sequence.models.sampling import sample_logits, sampling_log_probs


def test_log_probs_by_hand() -> None:
    logits = tensor([[0.0, math.log(2), math.log(3)], [math.log(3), 0.0, math.log(2)]])
    assert sampling_log_probs(logits).exp().tolist() == [
        pytest.approx([1 / 6, 2 / 6, 3 / 6]),
        pytest.approx([3 / 6, 1 / 6, 2 / 6]),
    ]
    squared = sampling_log_probs(logits, temperature=0.5).exp()  # p^2, normalised
    assert squared[0].tolist() == pytest.approx([1 / 14, 4 / 14, 9 / 14])
    two = sampling_log_probs(logits, top_k=2)
    assert two[0].exp().tolist() == pytest.approx([0, 2 / 5, 3 / 5])
    assert two[1, 1] == -math.inf
    assert sampling_log_probs(logits, temperature=0)[0].tolist() == [-math.inf, -math.inf, 0]
    for k in (0, 3, 99):
        assert torch.equal(sampling_log_probs(logits, top_k=k), sampling_log_probs(logits))


def test_equal_logits_at_the_border_keep_exactly_k() -> None:
    kept = sampling_log_probs(torch.zeros(5), top_k=2)
    assert kept.tolist() == [pytest.approx(-math.log(2))] * 2 + [-math.inf] * 3
    assert int(sample_logits(torch.zeros(5), temperature=0)) == 0


@pytest.mark.parametrize("temperature", [5e-324, 1e-50, 1e-40, 1e-3, 1e30, 1e39, 1e308])
def test_extreme_temperatures_stay_finite(temperature: float) -> None:
    for dtype in (torch.float32, torch.float64, torch.bfloat16):
        logits = tensor([3.0, -math.inf, 3.0, -2.0], dtype=dtype)
        probs = sampling_log_probs(logits, temperature).exp()
        wanted = [0.5, 0, 0.5, 0] if temperature < 1 else [1 / 3, 0, 1 / 3, 1 / 3]
        assert probs.tolist() == pytest.approx(wanted, abs=0.01)
        assert set(sample_logits(logits.expand(99, 4), temperature).tolist()) <= {0, 2, 3}
    log_probs = sampling_log_probs(tensor([300.0, 299.0, -200.0]), temperature)
    assert torch.isfinite(log_probs.exp()).all()
    assert float(log_probs.exp().sum()) == pytest.approx(1)


def test_frequencies_follow_the_distribution_and_the_generator() -> None:
    logits = tensor([0.0, 1.0, 2.0, -math.inf]).expand(20_011, 4)
    drawn = sample_logits(logits, 2.0, 2, torch.Generator().manual_seed(3))
    again = sample_logits(logits, 2.0, 2, torch.Generator().manual_seed(3))
    other = sample_logits(logits, 2.0, 2, torch.Generator().manual_seed(4))
    assert torch.equal(drawn, again) and not torch.equal(drawn, other)
    share = drawn.bincount(minlength=4) / len(drawn)
    top = 1 / (1 + math.exp(-0.5))
    assert share.tolist() == pytest.approx([0, 1 - top, top, 0], abs=0.012)
    shaped = sample_logits(torch.zeros(2, 3, 7), generator=torch.Generator().manual_seed(0))
    assert shaped.shape == (2, 3) and shaped.dtype == torch.int64


def test_logits_that_are_no_numbers_are_told() -> None:
    with pytest.raises(ValueError, match="logits: expected numbers, got nan"):
        sample_logits(tensor([0.0, math.nan]))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"temperature": -0.1}, "temperature: expected a number of at least 0, got -0.1"),
        ({"temperature": math.nan}, "temperature: expected"),
        ({"temperature": math.inf}, "temperature: expected"),
        ({"top_k": -1}, "top_k: expected at least 0, got -1"),
    ],
)
def test_wrong_options(options: dict[str, float], message: str) -> None:
    for function in (sampling_log_probs, sample_logits):
        with pytest.raises(ValueError, match=message):
            function(torch.zeros(3), **options)
