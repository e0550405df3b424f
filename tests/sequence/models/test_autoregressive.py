"""Markov and window models: counts by hand, and probabilities that sum to 1."""

import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidestep.sequence.models.markov import WindowModel

A, B, C = 0, 1, 2
SMOOTHINGS = ["backoff", 1.0, 0.1]


def test_markov_by_hand() -> None:
    """a b a a b: begin->a once; a->b twice, a->a once; b->a once."""
    model = WindowModel([[A, B, A, A, B]], symbols=3, window=1, smoothing=0)
    assert model.probabilities().tolist() == [1, 0, 0]
    assert model.probabilities([A]).tolist() == pytest.approx([1 / 3, 2 / 3, 0])
    assert model.probabilities([C, C, B]).tolist() == [1, 0, 0]
    assert model.probabilities([C]).tolist() == pytest.approx([1 / 3] * 3)  # never seen
    assert model.log_likelihood([A, B, A]) == pytest.approx(math.log(2 / 3))
    assert model.log_likelihood([A, C]) == -math.inf
    laplace = WindowModel([[A, B, A, A, B]], 3, 1, smoothing=1)
    assert laplace.probabilities([A]).tolist() == pytest.approx([2 / 6, 3 / 6, 1 / 6])


def test_backoff_by_hand() -> None:
    """Single symbols: a 3, b 2, of 2 kinds; after a: a 1, b 2, of 2 kinds."""
    model = WindowModel([[A, B, A, A, B]], symbols=3, window=1)
    single = [(3 + 2 / 3) / 7, (2 + 2 / 3) / 7, (2 / 3) / 7]
    after_a = [(1 + 2 * single[A]) / 5, (2 + 2 * single[B]) / 5, (2 * single[C]) / 5]
    assert model.probabilities([A]).tolist() == pytest.approx(after_a)
    assert model.probabilities([C]).tolist() == pytest.approx(single)
    assert WindowModel([[A, B, A, A, B]], 3, 0).probabilities([C]).tolist() == pytest.approx(single)


@pytest.mark.parametrize("smoothing", [*SMOOTHINGS, 0.0])
@pytest.mark.parametrize("window", [0, 1, 2, 3])
def test_probabilities_of_all_short_strings_sum_to_one(window: int, smoothing: Any) -> None:
    model = WindowModel([[0, 1, 2, 1, 0, 1, 2, 2], [2, 1], []], 3, window, smoothing)
    for length in (1, 2, 5):
        strings = itertools.product(range(3), repeat=length)
        total = math.fsum(math.exp(model.log_likelihood(string)) for string in strings)
        assert total == pytest.approx(1)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.lists(st.integers(0, 4), max_size=9), min_size=1, max_size=4),
    st.integers(0, 3),
    st.sampled_from(SMOOTHINGS),
    st.lists(st.integers(0, 4), max_size=6),
)
def test_both_ways_of_asking_agree(
    sequences: list[list[int]], window: int, smoothing: Any, text: list[int]
) -> None:
    if max(map(len, sequences)) <= window:
        return
    model = WindowModel(sequences, 5, window, smoothing)
    apart = [math.log(model.probabilities(text[:t])[text[t]]) for t in range(len(text))]
    assert model.log_probabilities(text).tolist() == pytest.approx(apart)
    assert float(model.probabilities(text).sum()) == pytest.approx(1)


def test_only_the_window_matters() -> None:
    model = WindowModel([np.random.default_rng(0).integers(0, 3, 997)], 3, 2)
    assert np.array_equal(model.probabilities([0, 0, 1, 2]), model.probabilities([2, 1, 1, 2]))
    assert not np.array_equal(model.probabilities([0, 1, 2]), model.probabilities([0, 2, 2]))


def test_a_second_order_chain_is_found_by_a_window_of_two() -> None:
    """x_t = x_{t-1} xor x_{t-2} nine times in ten: an order-1 model sees nothing."""
    random, bits = np.random.default_rng(0), [0, 1]
    for _ in range(7000):
        bits.append((bits[-1] ^ bits[-2]) ^ int(random.random() < 0.1))
    entropy = -(0.9 * math.log(0.9) + 0.1 * math.log(0.1))
    nats = {}
    for window in (1, 2, 3):
        model = WindowModel([bits[:5000]], 2, window)
        nats[window] = -model.log_likelihood(bits[5000:]) / len(bits[5000:])
    assert nats[1] > 0.6 and nats[2] == pytest.approx(entropy, abs=0.03)
    assert nats[3] == pytest.approx(nats[2], abs=0.01)


def test_samples_follow_the_probabilities() -> None:
    model = WindowModel([[0, 1, 2, 0, 1, 1, 2, 0]], 3, 1, smoothing=0.5)
    drawn = model.sample(9973, np.random.default_rng(0))
    again = model.sample(9973, np.random.default_rng(0))
    assert np.array_equal(drawn, again)
    for symbol in range(3):
        follow = drawn[1:][drawn[:-1] == symbol]
        share = np.bincount(follow, minlength=3) / len(follow)
        assert share == pytest.approx(model.probabilities([symbol]), abs=0.03)
    chain = WindowModel([[0, 1, 2, 0, 1, 2, 0]], 3, 2, smoothing=0)
    assert chain.sample(5, np.random.default_rng(0), before=[0, 1]).tolist() == [2, 0, 1, 2, 0]
    assert chain.sample(0, np.random.default_rng(0)).shape == (0,)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([[0, 1]], 2, -1), "expected symbols >= 1 and window >= 0, got 2 and -1"),
        (([[0, 1]], 2, 2), r"window: expected one shorter than the longest sequence \(2\), got 2"),
        (([], 2, 0), r"longest sequence \(0\), got 0"),
        (([[0, 2]], 2, 1), r"expected symbols in 0\.\.1, got 0\.\.2"),
        (([[-1, 1]], 2, 1), r"expected symbols in 0\.\.1, got -1\.\.1"),
        (([[0.5, 1]], 2, 1), "expected a sequence of integers"),
        (([list(range(100))], 100, 9), "expected a shorter one for 100 symbols, got 9"),
        (([[0, 1]], 2, 1, "none"), "smoothing: expected backoff or a number, got 'none'"),
        (([[0, 1]], 2, 1, -0.5), "smoothing: expected a number of at least 0, got -0.5"),
    ],
)
def test_wrong_arguments(arguments: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        WindowModel(*arguments)
