"""Random numbers by counters: against SplitMix64 in whole numbers, and what they may depend on."""

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from sidestep.agents.acting.draws import AT_ONCE, Draws

BITS = 2**64 - 1


def mix(z: int) -> int:
    """SplitMix64's output function, in whole numbers."""
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 & BITS
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB & BITS
    return z ^ (z >> 31)


def word(seed: int, tick: int, lane: int, kind: int, place: int) -> int:
    key = int(np.random.SeedSequence(seed).generate_state(1, np.uint64)[0])
    golden = 0x9E3779B97F4A7C15
    return mix(
        mix(key + tick * golden & BITS) + ((lane * 4 + kind) * 65536 + place) * golden & BITS
    )


def test_the_mixing_is_splitmix64() -> None:
    # the first outputs of the reference implementation with seed 1234567
    state, outputs = 1234567, []
    for _ in range(3):
        state = state + 0x9E3779B97F4A7C15 & BITS
        outputs.append(mix(state))
    assert outputs == [6457827717110365317, 3203168211198807973, 9817491932198370423]


def test_numbers_by_whole_numbers() -> None:
    draws = Draws(11, first_lane=3)
    draws.tick = 12345
    halves = [word(11, 12345, lane, 0, place) for lane in (3, 4) for place in (0, 1)]
    first, second = [w & 0xFFFFFFFF for w in halves], [w >> 32 for w in halves]
    expected = [[first[0], first[2]], [second[0], second[2]], [first[1], first[3]]]
    assert draws.uniform(3, 2) == pytest.approx(np.array(expected) / 2**32, rel=0, abs=0)
    unit = (word(11, 12345, 4, 1, 0) >> 32) / 2**32
    assert draws.gumbel(2, 5)[1, 1] == pytest.approx(-math.log(-math.log1p(-unit)), rel=1e-6)
    words = [word(11, 12345, lane, 2, 7) for lane in range(3, 14)]
    assert draws.permutation(11, 7).tolist() == sorted(range(11), key=words.__getitem__)


def numbers_of(draws: Draws, tick: int, lanes: int) -> list[NDArray[Any]]:
    draws.tick = tick
    return [draws.uniform(2, lanes).T, draws.gumbel(lanes, 5)]


def test_what_a_lane_gets_depends_on_nothing_but_seed_lane_and_tick() -> None:
    together, one, late = Draws(5), Draws(5, first_lane=6), Draws(5)
    for tick in (0, 1, 2, 5000, 7, 2**40):  # in any order, within blocks and across them
        all_of_them = numbers_of(together, tick, 9)
        for whole, alone in zip(all_of_them, numbers_of(one, tick, 3), strict=True):
            assert np.array_equal(whole[6:], alone)
        for lanes in ([1, 8], [0, 3]):
            late.lanes = np.array(lanes)
            for whole, some in zip(all_of_them, numbers_of(late, tick, 2), strict=True):
                assert np.array_equal(whole[lanes], some)
        late.lanes = None
        for whole, again in zip(all_of_them, numbers_of(late, tick, 9), strict=True):
            assert np.array_equal(whole, again)
    other = numbers_of(Draws(6), 0, 9)[0]
    assert not (other == numbers_of(Draws(5), 0, 9)[0]).any()
    assert not (numbers_of(Draws((5, 1)), 0, 9)[0] == numbers_of(Draws(5), 0, 9)[0]).any()


def test_blocks_end_where_the_next_begin() -> None:
    draws, lanes = Draws(2), 1000
    ticks = [numbers_of(draws, tick, lanes)[0] for tick in range(3 * AT_ONCE // lanes)]
    fresh = [numbers_of(Draws(2), tick, lanes)[0] for tick in range(3 * AT_ONCE // lanes)]
    assert np.array_equal(ticks, fresh)
    assert len(np.unique(ticks)) > 0.999 * np.size(ticks)  # 2^32 values: few fall together


def test_numbers_are_uniform_and_independent() -> None:
    draws, ticks, lanes = Draws(3), 400, 300
    seen = np.empty((ticks, 4, lanes))
    for draws.tick in range(ticks):
        seen[draws.tick] = draws.uniform(4, lanes)
    counts, _ = np.histogram(seen, 64, (0, 1))
    expected = seen.size / 64
    assert ((counts - expected) ** 2 / expected).sum() < 120  # 63 degrees: one in 20,000
    centred = seen - 0.5
    for axis in range(3):  # neighbours in ticks, places and lanes
        pairs = centred * np.roll(centred, 1, axis)
        assert abs(pairs.mean() * 12) * math.sqrt(seen.size) < 4
    assert 0 <= seen.min() < 1e-4 and 1 - 1e-4 < seen.max() < 1


def test_gumbel_numbers_have_their_moments_and_are_finite() -> None:
    draws, parts = Draws(4), []
    for draws.tick in range(50):
        parts.append(draws.gumbel(1000, 7).copy())
    numbers = np.concatenate(parts).astype(float)
    assert np.isfinite(numbers).all()
    assert numbers.mean() == pytest.approx(0.5772, abs=0.01)
    assert numbers.var() == pytest.approx(math.pi**2 / 6, rel=0.02)
    assert (numbers > 6).mean() == pytest.approx(1 - math.exp(-math.exp(-6)), rel=0.1)


@pytest.mark.parametrize("halves", [0, 2**32 - 1])
def test_the_outermost_gumbel_numbers_are_finite(
    halves: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = lambda *_: np.full((1, 1, 3), halves, np.uint32)  # noqa: E731
    monkeypatch.setattr(Draws, "_halves", made)
    numbers = Draws(0).gumbel(1, 3)
    assert np.isfinite(numbers).all() and (numbers > 0).all() == (halves == 0)


def test_permutations_are_fair() -> None:
    draws, seen = Draws(8), []
    for draws.tick in range(3000):
        seen.append(tuple(draws.permutation(3)))
        assert sorted(seen[-1]) == [0, 1, 2]
    counts = np.unique(seen, axis=0, return_counts=True)[1]
    assert len(counts) == 6 and ((counts - 500) ** 2 / 500).sum() < 30
    draws.tick = 0
    orders = [draws.permutation(50, number).tolist() for number in range(3)]
    assert orders[0] != orders[1] != orders[2] and draws.permutation(50).tolist() == orders[0]
