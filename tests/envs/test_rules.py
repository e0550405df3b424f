"""The rules: a truth table of hits by hand, and a plain reference played against the kernels.

`Reference` is written from docs/world.md, one object and one obstacle at a time, with Python's
integers and the map's text; nothing in it comes from `sidestep.envs`.
"""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from sidestep.envs import MovingObstaclesEnv, MovingObstaclesVectorEnv

UP, DOWN, RIGHT, LEFT, STAY = range(5)
DELTAS = {UP: (0, -1), DOWN: (0, 1), RIGHT: (1, 0), LEFT: (-1, 0), STAY: (0, 0)}
STEPS = {">": (1, 0), "<": (-1, 0), "^": (0, -1), "v": (0, 1), "?": (0, 0)}
M64 = 2**64 - 1


def splitmix(z: int) -> int:
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 & M64
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB & M64
    return z ^ (z >> 31)


def draw(seed: int, episode: int, counter: int, bound: int) -> int:
    """Number `counter` of the stream (seed, episode), 0 to bound - 1; episodes count from 1."""
    key = splitmix((splitmix(seed) + episode * 0xD1342543DE82EF95) & M64)
    return (splitmix((key + (counter + 1) * 0x9E3779B97F4A7C15) & M64) >> 32) * bound >> 32


class Reference:
    """The world in plain Python."""

    def __init__(self, level: str, **rules: Any) -> None:
        self.rows = level.split("\n")
        self.cells = {(x, y): c for y, row in enumerate(self.rows) for x, c in enumerate(row)}
        self.open = {cell for cell, c in self.cells.items() if c != "#"}
        self.start = next(cell for cell, c in self.cells.items() if c == "S")
        self.goal = next(cell for cell, c in self.cells.items() if c == "G")
        self.rules = rules

    def reset(self, seed: int, episode: int) -> None:
        self.seed, self.episode, self.tick = seed, episode, 0
        self.agent, self.hit_before = self.start, False
        self.obstacles = [(cell, STEPS[c]) for cell, c in self.cells.items() if c in STEPS]
        self.wait = 0
        if self.rules["random_starts"]:
            for k, (cell, heading) in enumerate(self.obstacles):
                if heading != (0, 0):
                    track = self.track(cell, heading)
                    choice = draw(seed, episode, k, 2 * len(track))
                    sign = -1 if choice % 2 else 1
                    turned = (sign * heading[0], sign * heading[1])
                    self.obstacles[k] = (track[choice // 2], turned)
            period = self.rules["obstacle_period"]
            self.wait = draw(seed, episode, len(self.obstacles), period)

    def track(self, cell: tuple[int, int], heading: tuple[int, int]) -> list[tuple[int, int]]:
        """The open cells in a line through `cell`, from left to right or from top to bottom."""
        dx, dy = abs(heading[0]), abs(heading[1])
        x, y = cell
        while (x - dx, y - dy) in self.open:
            x, y = x - dx, y - dy
        line = [(x, y)]
        while (x + dx, y + dy) in self.open:
            x, y = x + dx, y + dy
            line.append((x, y))
        return line

    def moved(self, k: int) -> tuple[tuple[int, int], tuple[int, int]]:
        (x, y), (dx, dy) = self.obstacles[k]
        if (dx, dy) == (0, 0):
            row = 4 + 4 * k
            rows = 4 + 4 * len(self.obstacles)
            way = draw(self.seed, self.episode, (self.tick + 1) * rows + row, 4)
            there = (x + DELTAS[way][0], y + DELTAS[way][1])
            return (there if there in self.open else (x, y)), (0, 0)
        if (x + dx, y + dy) in self.open:
            return (x + dx, y + dy), (dx, dy)
        if (x - dx, y - dy) in self.open:
            return (x - dx, y - dy), (-dx, -dy)
        return (x, y), (dx, dy)

    def step(self, action: int) -> tuple[float, bool, bool, bool]:
        """Play a tick; reward, terminated, is_success, is_collision."""
        old, before = self.agent, [cell for cell, _ in self.obstacles]
        there = (old[0] + DELTAS[action][0], old[1] + DELTAS[action][1])
        self.agent = there if there in self.open else old
        if self.wait == 0:
            self.obstacles = [self.moved(k) for k in range(len(self.obstacles))]
        hits = 0
        for (now, _), then in zip(self.obstacles, before, strict=True):
            swap = self.agent == then and now == old
            hits += now == self.agent or (self.rules["swap_hits"] and swap)
        self.wait = self.rules["obstacle_period"] - 1 if self.wait == 0 else self.wait - 1
        self.tick += 1
        self.hit_before = self.hit_before or hits > 0
        over = self.rules["hit_ends"] and hits > 0
        success = self.agent == self.goal and not over
        counted = 1 if over else hits
        reward = self.rules["step_reward"] + self.rules["goal_reward"] * success
        return (
            reward + self.rules["hit_reward"] * counted,
            over or success,
            success,
            self.hit_before,
        )

    def features(self) -> list[float]:
        (x, y), (gx, gy) = self.agent, self.goal
        w, h = max(len(self.rows[0]) - 1, 1), max(len(self.rows) - 1, 1)
        numbers: list[float] = []
        for (ox, oy), (hx, hy) in self.obstacles:
            numbers += [(ox - x) / w, (oy - y) / h, hx, hy]
        last = max(self.rules["obstacle_period"] - 1, 1)
        return [*numbers, (gx - x) / w, (gy - y) / h, self.wait / last]

    def book(self) -> list[int]:
        (x, y), (gx, gy) = self.agent, self.goal
        numbers: list[int] = []
        for (ox, oy), (hx, hy) in self.obstacles:
            numbers += [ox - x, oy - y, -1, 0 if (hx, hy) == (0, 0) else -(hx + hy)]
        return [*numbers, gx - x, gy - y, 1]


@st.composite
def levels(draw_: st.DrawFn) -> str:
    """Solvable maps from 1x2 to 6x5: patrols of both kinds, wanderers, walls."""
    width, height = draw_(st.integers(1, 6)), draw_(st.integers(1, 5))
    if width * height < 2:
        width = 2
    size = width * height
    cells = draw_(st.lists(st.sampled_from("......##<>^v?"), min_size=size, max_size=size))
    start, goal = draw_(st.lists(st.integers(0, size - 1), min_size=2, max_size=2, unique=True))
    cells[start], cells[goal] = "S", "G"
    x, y = start % width, start // width
    while (x, y) != (goal % width, goal // width):  # dig a way along the row, then the column
        if cells[y * width + x] == "#":
            cells[y * width + x] = "."
        if x != goal % width:
            x += 1 if x < goal % width else -1
        else:
            y += 1 if y < goal // width else -1
    return "\n".join("".join(cells[y * width : (y + 1) * width]) for y in range(height))


RULES = st.fixed_dictionaries(
    {
        "obstacle_period": st.integers(1, 4),
        "random_starts": st.booleans(),
        "swap_hits": st.booleans(),
        "hit_ends": st.booleans(),
        "goal_reward": st.sampled_from([1.0, 0.7, 10.0]),
        "hit_reward": st.sampled_from([-1.0, -0.3, 0.0]),
        "step_reward": st.sampled_from([-0.05, 0.0, -0.1]),
    }
)


def check_same(env: MovingObstaclesEnv, world: Reference) -> None:
    state = env.get_state()["state"][:, 0].tolist()
    flat = [n for (cell, heading) in world.obstacles for n in (*cell, *heading)]
    assert state == [*world.agent, world.wait, int(world.hit_before), *flat]


@settings(max_examples=60, deadline=None)
@given(levels(), RULES, st.integers(0, 2**64 - 1), st.sampled_from(["features", "book"]))
def test_kernels_play_the_reference(
    level: str, rules: dict[str, Any], seed: int, observation: str
) -> None:
    env = MovingObstaclesEnv(level=level, observation=observation, **rules)
    world = Reference(level, **rules)
    actions = np.random.default_rng(seed).integers(0, 5, 150).tolist()
    episode = 1
    obs, _ = env.reset(seed=seed)
    world.reset(seed, episode)
    for action in actions:
        check_same(env, world)
        shown = world.features() if observation == "features" else world.book()
        assert np.array_equal(obs, np.array(shown, dtype=np.float32))
        obs, reward, terminated, truncated, info = env.step(action)
        expected = world.step(action)
        assert (reward, terminated, info["is_success"], info["is_collision"]) == expected
        assert truncated is False
        if terminated:
            check_same(env, world)
            obs, _ = env.reset()
            episode += 1
            world.reset(seed, episode)


@settings(max_examples=15, deadline=None)
@given(levels(), RULES, st.integers(1, 60))
def test_lanes_play_the_reference_up_to_the_time_limit(
    level: str, rules: dict[str, Any], limit: int
) -> None:
    lanes, seed = 3, 11
    env = MovingObstaclesVectorEnv(
        lanes, level=level, max_episode_steps=limit, autoreset_mode="SameStep", **rules
    )
    worlds = [Reference(level, **rules) for _ in range(lanes)]
    env.reset(seed=seed)
    episodes = [1] * lanes
    for i, world in enumerate(worlds):
        world.reset(seed + i, 1)
    for actions in np.random.default_rng(limit).integers(0, 5, (80, lanes)):
        _, rewards, terminated, truncated, _ = env.step(actions)
        for i, world in enumerate(worlds):
            reward, over, _, _ = world.step(int(actions[i]))
            late = world.tick >= limit
            assert (rewards[i], terminated[i], truncated[i]) == (reward, over, late)
            if over or late:
                episodes[i] += 1
                world.reset(seed + i, episodes[i])


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
    assert (got, ended, info["is_success"]) == (
        pytest.approx(reward, abs=1e-12),
        terminated,
        success,
    )


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
