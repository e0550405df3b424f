"""The rules by hand: the truth table of hits, what counts, who moves when, where all begin."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from sidestep.envs import MovingObstaclesEnv, MovingObstaclesVectorEnv

UP, DOWN, RIGHT, LEFT, STAY = range(5)
HEAD_ON, GAP, BEHIND = "S.<G", "S<.G", ">S.G"


@pytest.mark.parametrize(
    ("case", "level", "period", "actions", "swap_on", "swap_off"),
    [
        ("both enter one cell", HEAD_ON, 1, [RIGHT], True, True),
        ("swap cells", GAP, 1, [RIGHT], True, False),
        ("follow an obstacle", "S>..G", 1, [RIGHT], False, False),
        ("followed by an obstacle", BEHIND, 1, [RIGHT], False, False),
        ("stand in its way", GAP, 1, [STAY], True, True),
        ("run into the edge in its way", GAP, 1, [UP], True, True),
        ("run into a wall in its way", "#...\nS<.G", 1, [UP], True, True),
        ("enter the cell of one that waits", HEAD_ON, 2, [STAY, RIGHT], True, True),
        ("beside one that waits", HEAD_ON, 2, [STAY, STAY], False, False),
        ("enter as it leaves at a right angle", "..G\nSv.\n...", 1, [RIGHT], False, False),
        ("leave at a right angle as it enters", "S<.G\n....", 1, [DOWN], False, False),
        ("flee from an obstacle", ".S<G", 1, [LEFT], False, False),
        ("swap as it turns round", "S>#\n..G", 1, [RIGHT], True, False),
        ("swap vertically", "S.\n^G", 1, [DOWN], True, False),
        ("enter a patrol that has no way", ".SG\n#>#", 1, [DOWN], True, True),
        ("two at once", ".v.G\nS...\n.^..", 1, [RIGHT], True, True),
        ("swap into the goal", "SG<.", 1, [STAY, RIGHT], True, False),
        ("both enter the goal", "SG<", 1, [RIGHT], True, True),
    ],
)
def test_truth_table(
    case: str, level: str, period: int, actions: list[int], swap_on: bool, swap_off: bool
) -> None:
    for swap_hits, expected in ((True, swap_on), (False, swap_off)):
        env = MovingObstaclesEnv(
            level=level, obstacle_period=period, random_starts=False, swap_hits=swap_hits
        )
        env.reset(seed=0)
        for action in actions:
            _, reward, terminated, _, info = env.step(action)
        assert info["is_collision"] is expected, (case, swap_hits)
        if expected:
            assert (reward, terminated, info["is_success"]) == (-1.05, True, False)


@pytest.mark.parametrize(
    ("level", "actions", "hit_ends", "reward", "terminated", "success"),
    [
        (".v.G\nS...\n.^..", [RIGHT], True, -1.05, True, False),  # two hits, one counts
        (".v.G\nS...\n.^..", [RIGHT], False, -2.05, False, False),  # both count
        ("SG<", [RIGHT], True, -1.05, True, False),  # a hit on the goal is a hit
        ("SG<", [RIGHT], False, -0.05, True, True),  # goal and hit
        ("SG.", [RIGHT], True, 0.95, True, True),
        ("SG.", [LEFT], True, -0.05, False, False),
    ],
)
def test_what_counts(
    level: str, actions: list[int], hit_ends: bool, reward: float, terminated: bool, success: bool
) -> None:
    env = MovingObstaclesEnv(level=level, obstacle_period=1, random_starts=False, hit_ends=hit_ends)
    env.reset(seed=0)
    for action in actions:
        _, got, ended, _, info = env.step(action)
    assert got == pytest.approx(reward, abs=1e-12)
    assert (ended, info["is_success"]) == (terminated, success)


def test_obstacles_pass_through_each_other() -> None:
    env = MovingObstaclesEnv(level="S..G\n.><.", obstacle_period=1, random_starts=False)
    env.reset(seed=0)
    env.step(STAY)
    places = [(x, y) for x, y, _, _ in env.scene().obstacles]
    assert places == [(2, 1), (1, 1)]


def test_collision_stays_known_where_hits_do_not_end() -> None:
    env = MovingObstaclesEnv(level=GAP, obstacle_period=1, random_starts=False, hit_ends=False)
    env.reset(seed=0)
    flags = [env.step(action)[4]["is_collision"] for action in (RIGHT, RIGHT)]
    assert flags == [True, True]
    env.reset()
    assert env.get_state()["state"][3, 0] == 0


@pytest.mark.parametrize("period", [1, 2, 3, 4])
def test_obstacles_move_on_every_nth_tick(period: int) -> None:
    env = MovingObstaclesEnv(
        level="S...G\n.....\n>....", obstacle_period=period, random_starts=False
    )
    env.reset(seed=0)
    columns = []
    for _ in range(9):
        env.step(STAY)
        columns.append(env.scene().obstacles[0][0])
    moves = {1: [1, 2, 3, 4, 3, 2, 1, 0, 1], 2: [1, 1, 2, 2, 3, 3, 4, 4, 3]}
    moves |= {3: [1, 1, 1, 2, 2, 2, 3, 3, 3], 4: [1, 1, 1, 1, 2, 2, 2, 2, 3]}
    assert columns == moves[period]


def starts(level: str, episodes: int, **rules: Any) -> NDArray[np.int16]:
    env = MovingObstaclesVectorEnv(episodes, level=level, **rules)
    env.reset(seed=0)
    return env.get_state()["state"].T


def test_random_starts_are_uniform_over_cells_headings_and_phases() -> None:
    n = 12_000
    states = starts("S..#.>.\nv.....G\n.......", n, obstacle_period=3)
    kinds, counts = np.unique(states[:, [2, 4, 5, 6, 7, 8, 9, 10, 11]], axis=0, return_counts=True)
    assert len(kinds) == 3 * (3 * 2) * (3 * 2)  # phases, and cells with headings of each patrol
    assert counts.sum() == n
    expected = n / len(kinds)
    chi2 = ((counts - expected) ** 2 / expected).sum()
    assert chi2 < 160  # 107 degrees of freedom: mean 107, deviation 15


def test_fixed_starts_are_the_map() -> None:
    states = starts("S.>\n?vG", 50, random_starts=False)
    assert (states == [0, 0, 0, 0, 2, 0, 1, 0, 0, 1, 0, 0, 1, 1, 0, 1]).all()


def test_wanderers_walk_uniformly_and_independently() -> None:
    n = 16_000
    env = MovingObstaclesVectorEnv(n, level="S....\n.....\n..?..\n.....\n....G", obstacle_period=1)
    env.reset(seed=5)
    ways = []
    for _ in range(2):
        before = env.get_state()["state"][4:6].copy()
        env.step(np.full(n, STAY))
        dx, dy = env.get_state()["state"][4:6] - before
        assert (np.abs(dx) + np.abs(dy) == 1).all()
        ways.append(2 * (dx + dy > 0) + (dx != 0))
    counts = np.bincount(4 * ways[0] + ways[1], minlength=16)
    chi2 = ((counts - n / 16) ** 2 / (n / 16)).sum()
    assert chi2 < 45  # 15 degrees of freedom: mean 15, deviation 5.5


def test_a_wanderer_that_draws_a_wall_stays() -> None:
    n = 4_000
    env = MovingObstaclesVectorEnv(n, level="S.#.\n.G#?", obstacle_period=1)
    env.reset(seed=0)
    env.step(np.full(n, STAY))
    x, y = env.get_state()["state"][4:6]
    assert (x == 3).all()
    assert abs((y == 0).mean() - 0.25) < 0.03  # three of the four ways are blocked
