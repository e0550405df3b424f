"""The rules: a plain reference played against the kernels.

`Reference` is written from docs/world.md, one object and one obstacle at a time, with Python's
integers and the map's text; nothing in it comes from `sidestep.envs`.
"""

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

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
