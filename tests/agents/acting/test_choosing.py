"""Schedules, and how often each action is drawn."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from sidestep.agents.acting.choosing import (
    epsilon_bouts,
    epsilon_greedy,
    greedy,
    linear,
    sample_categorical,
    uniform_action,
)
from sidestep.agents.acting.draws import Draws

N = 60_000


class Told(Draws):
    """Numbers as they are told."""

    def __init__(self, *numbers: Any) -> None:
        super().__init__(0)
        self.numbers = np.array(numbers)

    def uniform(self, count: int, rows: int) -> NDArray[np.float64]:
        assert self.numbers.shape == (count, rows)
        return self.numbers


NOTHING = Told()
"""Fails where anything is drawn."""


def test_linear_by_hand() -> None:
    got = [linear(step, 1.0, 0.2, 100) for step in (0, 25, 50, 99, 100, 101, 10**9)]
    assert got == pytest.approx([1.0, 0.8, 0.6, 0.208, 0.2, 0.2, 0.2])
    assert linear(0, 0.0, 1.0, 1) == 0.0 and linear(1, 0.0, 1.0, 1) == 1.0


def agree(actions: NDArray[Any], probabilities: list[float]) -> bool:
    """Chi-square far inside what chance allows; an action of probability 0 is never drawn."""
    counts = np.bincount(actions, minlength=len(probabilities))
    expected = np.array(probabilities) * len(actions)
    if (counts[expected == 0] > 0).any():
        return False
    some = expected > 0
    statistic = ((counts - expected)[some] ** 2 / expected[some]).sum()
    return bool(statistic < 30)  # 4 degrees of freedom: one in 200,000


def rows(values: list[Any], dtype: Any) -> NDArray[Any]:
    return np.tile(np.array(values, dtype=dtype), (N, 1))


def test_greedy_takes_the_first_of_equals_and_obeys_the_mask() -> None:
    q = np.array([[1, 3, 3], [5, 4, 4], [-9, -8, -7]], dtype=np.float32)
    mask = np.array([[True, True, True], [False, True, True], [True, False, False]])
    assert greedy(q).tolist() == [1, 0, 2]
    assert greedy(q, mask).tolist() == [1, 1, 0]


@pytest.mark.parametrize("epsilon", [0.0, 0.1, 0.5, 1.0])
def test_epsilon_greedy_frequencies(epsilon: float) -> None:
    q = rows([0.1, 0.9, -2.0, 0.3, 0.0], np.float32)
    share = epsilon / 5  # exploring draws the best action too
    got = epsilon_greedy(q, epsilon, Draws(1))
    assert agree(got, [share, 1 - epsilon + share, share, share, share])
    mask = rows([True, False, True, False, True], np.bool_)
    share = epsilon / 3
    got = epsilon_greedy(q, epsilon, Draws(2), mask)
    assert agree(got, [1 - epsilon + share, 0, share, 0, share])


def test_a_uniform_action_by_hand() -> None:
    uniform = np.array([0.0, 0.24, 0.25, 0.99, 1 - 2**-53])
    assert uniform_action(uniform, 4).tolist() == [0, 0, 1, 3, 3]
    mask = np.array(
        [[0, 1, 0, 1], [0, 1, 0, 1], [1, 1, 1, 1], [0, 1, 0, 1], [0, 0, 1, 0]], np.bool_
    )
    assert uniform_action(uniform, 4, mask).tolist() == [1, 1, 1, 3, 2]


def test_epsilon_greedy_explores_each_lane_by_itself() -> None:
    q = np.tile(np.array([1, 0], dtype=np.float32), (2, 1))
    random = Draws(3)
    pairs = np.zeros((4000, 2), np.int64)
    for random.tick in range(4000):
        pairs[random.tick] = epsilon_greedy(q, 1.0, random)
    assert agree(2 * pairs[:, 0] + pairs[:, 1], [0.25] * 4)


def test_no_exploration_draws_nothing() -> None:
    q = rows([0.1, 0.9], np.float32)
    assert set(epsilon_greedy(q, 0.0, NOTHING).tolist()) == {1}


def test_sample_categorical_frequencies() -> None:
    p = [0.5, 0.25, 0.125, 0.0625, 0.0625]
    logits = rows(list(np.log(p) + 7), np.float32)  # a constant changes nothing
    assert agree(sample_categorical(logits, Draws(5)), p)
    mask = rows([False, True, True, False, False], np.bool_)
    got = sample_categorical(logits, Draws(6), mask)
    assert agree(got, [0, 2 / 3, 1 / 3, 0, 0])


def test_a_single_allowed_action_is_taken_however_bad() -> None:
    mask = np.zeros((50, 5), dtype=np.bool_)
    only = np.arange(50) % 5
    mask[np.arange(50), only] = True
    scores = np.full((50, 5), -80, dtype=np.float32)
    scores[:, 0] = 80
    for random in map(Draws, range(20)):
        assert epsilon_greedy(scores, 0.5, random, mask).tolist() == only.tolist()
        assert sample_categorical(scores, random, mask).tolist() == only.tolist()


def test_bouts_explore_in_a_part_epsilon_of_all_ticks_and_last_as_long_as_they_should() -> None:
    random, lanes, ticks = Draws(0), 200, 500
    q = np.tile(np.array([0.0, 1.0, 0.5, 0.2], np.float32), (lanes, 1))
    last, exploring = np.zeros(lanes, np.int64), np.zeros(lanes, np.bool_)
    inside = np.zeros((ticks, lanes), np.bool_)
    played = np.zeros((ticks, lanes), np.int64)
    for t in range(ticks):
        random.tick = t
        last, exploring = epsilon_bouts(q, 0.2, 0.9, random, last, exploring)
        inside[t], played[t] = exploring, last
    settled = slice(100, None)
    assert inside[settled].mean() == pytest.approx(0.2, abs=0.01)
    assert (played[~inside] == 1).all()  # the best, where nothing is explored
    same = (played[1:] == played[:-1])[inside[1:] & inside[:-1]].mean()
    begins = 0.2 * 0.1 / 0.82  # of a lane that does not go on; it may draw the same again
    assert same == pytest.approx((0.9 + 0.1 * begins / 4) / (0.9 + 0.1 * begins), abs=0.01)
    counts = np.bincount(played[settled][inside[settled]], minlength=4) / inside[settled].sum()
    assert counts == pytest.approx(0.25, abs=0.04)


def test_bouts_by_hand() -> None:
    q = np.array([[0, 1], [0, 1], [0, 1], [1, 0]], np.float32)
    last, exploring = np.array([0, 0, 0, 1]), np.array([True, True, False, False])
    # bouts go on below 0.5 and begin below 0.4 * 0.5 / 0.8 = 0.25; then actions are drawn
    told = Told([0.4, 0.6, 0.4, 0.4], [0.9, 0.2, 0.3, 0.2], [0.5, 0.1, 0.4, 0.9])
    actions, now = epsilon_bouts(q, 0.4, 0.5, told, last, exploring)
    assert actions.tolist() == [0, 0, 1, 1]  # goes on; ended, begins; best; begins
    assert now.tolist() == [True, True, False, True]


def test_a_bout_ends_where_its_action_is_not_allowed_and_without_epsilon() -> None:
    random, q = Draws(0), np.array([[5.0, 1.0, 0.0]] * 400, np.float32)
    last, exploring = np.zeros(400, np.int64), np.ones(400, np.bool_)
    mask = np.tile([False, True, True], (400, 1))
    actions, _ = epsilon_bouts(q, 0.5, 0.99, random, last, exploring, mask)
    assert set(actions.tolist()) == {1, 2}
    actions, now = epsilon_bouts(q, 0.0, 0.99, NOTHING, last + 2, exploring, mask)
    assert set(actions.tolist()) == {1} and not now.any()
    actions, now = epsilon_bouts(q, 1.0, 0.0, random, last, exploring)
    assert now.all() and np.bincount(actions, minlength=3) == pytest.approx(400 / 3, rel=0.3)


def test_where_bouts_are_not_known_lanes_explore_as_often_as_epsilon_says() -> None:
    """As in `predict` and at a player's controls, where nothing is carried between calls."""
    random, q = Draws(0), np.tile(np.array([0.0, 1.0], np.float32), (20_000, 1))
    actions, now = epsilon_bouts(q, 0.3, 0.95, random, np.zeros(20_000, np.int64), None)
    assert now.mean() == pytest.approx(0.3, abs=0.01)
    assert (actions == 0).mean() == pytest.approx(0.15, abs=0.01)
    random.tick += 1
    begun = epsilon_bouts(q, 0.3, 0.95, random, actions, np.zeros(20_000, np.bool_))[1]
    assert begun.mean() == pytest.approx(0.3 * 0.05 / (1 - 0.3 * 0.95), abs=0.005)
