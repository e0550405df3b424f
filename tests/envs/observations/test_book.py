"""Book-v0 against the course's original: golden traces and a replica."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import sidestep.envs
from sidestep.envs import MovingObstaclesEnv

UP, DOWN, RIGHT, LEFT, STAY = range(5)
BOOK = "sidestep/Book-v0"

# The columns of the three obstacles after ticks 0 to 18, and what the course calls their direction
# (-1 to the right, 1 to the left), which turns when an obstacle moves away from the edge.
COLUMNS = [
    [0, 1, 1, 2, 2, 3, 3, 4, 4, 3, 3, 2, 2, 1, 1, 0, 0, 1, 1],
    [1, 2, 2, 3, 3, 4, 4, 3, 3, 2, 2, 1, 1, 0, 0, 1, 1, 2, 2],
    [2, 3, 3, 4, 4, 3, 3, 2, 2, 1, 1, 0, 0, 1, 1, 2, 2, 3, 3],
]
DIRECTIONS = [
    [-1, -1, -1, -1, -1, -1, -1, -1, -1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1],
    [-1, -1, -1, -1, -1, -1, -1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1],
    [-1, -1, -1, -1, -1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1, -1],
]


def book(**config: Any) -> Any:
    env = gym.make(BOOK, **config).unwrapped
    assert isinstance(env, MovingObstaclesEnv)
    return env


def test_obstacles_over_a_full_cycle() -> None:
    env = book()
    obs, _ = env.reset(seed=0)
    for tick in range(19):
        for k in range(3):
            assert obs[4 * k : 4 * k + 4].tolist() == [
                COLUMNS[k][tick],
                k + 1,
                -1,
                DIRECTIONS[k][tick],
            ]
        assert obs[12:].tolist() == [4, 4, 1]
        obs, reward, terminated, truncated, info = env.step(UP)  # against the edge: stays at (0, 0)
        assert (reward, terminated, truncated) == (0.0, False, False)
        assert info == {"is_success": False, "is_collision": False}


def test_down_four_right_four() -> None:
    env = book()
    obs, _ = env.reset(seed=0)
    assert obs.tolist() == [0, 1, -1, -1, 1, 2, -1, -1, 2, 3, -1, -1, 4, 4, 1]
    trace = [env.step(action) for action in [DOWN] * 4 + [RIGHT] * 4]
    assert [obs.tolist() for obs, *_ in trace] == [
        [1, 0, -1, -1, 2, 1, -1, -1, 3, 2, -1, -1, 4, 3, 1],
        [1, -1, -1, -1, 2, 0, -1, -1, 3, 1, -1, -1, 4, 2, 1],
        [2, -2, -1, -1, 3, -1, -1, -1, 4, 0, -1, -1, 4, 1, 1],
        [2, -3, -1, -1, 3, -2, -1, -1, 4, -1, -1, -1, 4, 0, 1],
        [2, -3, -1, -1, 3, -2, -1, -1, 2, -1, -1, 1, 3, 0, 1],
        [1, -3, -1, -1, 2, -2, -1, -1, 1, -1, -1, 1, 2, 0, 1],
        [1, -3, -1, -1, 0, -2, -1, 1, -1, -1, -1, 1, 1, 0, 1],
        [0, -3, -1, -1, -1, -2, -1, 1, -2, -1, -1, 1, 0, 0, 1],
    ]
    assert [reward for _, reward, *_ in trace] == [0.0] * 7 + [1.0]
    assert [terminated for _, _, terminated, *_ in trace] == [False] * 7 + [True]
    assert trace[-1][4] == {"is_success": True, "is_collision": False}


def test_hits_cost_one_and_the_episode_goes_on() -> None:
    env = book()
    env.reset(seed=0)
    # right to column 1, down onto (1, 1) where obstacle 0 waits, stay as it leaves, walk after it
    rewards = [env.step(a)[1] for a in (RIGHT, DOWN, STAY, RIGHT)]
    assert rewards == [0.0, -1.0, 0.0, -1.0]
    _, reward, terminated, _, info = env.step(STAY)
    assert (reward, terminated) == (0.0, False)
    assert info == {"is_success": False, "is_collision": True}


def test_swapping_cells_is_free() -> None:
    env = book()
    env.reset(seed=0)
    env.step(DOWN)  # to (0, 1); obstacle 0 to (1, 1)
    assert env.step(RIGHT)[1] == -1.0  # onto it: a hit
    env.reset(seed=0)
    for action in (DOWN, STAY, STAY, STAY, STAY, STAY, STAY, RIGHT, RIGHT):
        env.step(action)  # behind the obstacle to (2, 1) as it comes back to (3, 1)
    assert [tuple(c) for c in (env.scene().agent, env.scene().obstacles[0][:2])] == [(2, 1), (3, 1)]
    env.step(STAY)
    assert env.step(RIGHT)[1] == 0.0  # it goes to (2, 1), the agent to (3, 1)
    assert [tuple(c) for c in (env.scene().agent, env.scene().obstacles[0][:2])] == [(3, 1), (2, 1)]


def test_step_reward_is_the_reinforce_chapters_penalty() -> None:
    env = book(step_reward=-0.1)
    env.reset(seed=0)
    rewards = [env.step(action)[1] for action in [DOWN] * 4 + [RIGHT] * 4]
    assert rewards == [-0.1] * 7 + [0.9]  # the goal step included
    assert sum(rewards) == pytest.approx(0.2)


def test_no_time_limit_and_the_counter_restarts() -> None:
    assert gym.spec(BOOK).max_episode_steps is None
    env = gym.make(BOOK)
    first, _ = env.reset(seed=0)
    for _ in range(1001):
        *_, terminated, truncated, _ = env.step(UP)
        assert not terminated and not truncated
    again, _ = env.reset()  # after an odd number of ticks
    assert np.array_equal(first, again)
    moved = env.step(UP)[0]
    assert moved[0] == 1  # obstacles move in the first tick of every episode


class Original:
    """The course's step, from its description: obstacles, then the agent, then the test."""

    def __init__(self) -> None:
        self.agent, self.counter = [0, 0], 0
        self.obstacles = [[0, 1, -1], [1, 2, -1], [2, 3, -1]]

    def step(self, action: int) -> tuple[list[int], int, bool]:
        self.counter += 1
        if self.counter % 2 == 1:
            for obstacle in self.obstacles:
                if obstacle[0] == 4:
                    obstacle[2] = 1
                elif obstacle[0] == 0:
                    obstacle[2] = -1
                obstacle[0] -= obstacle[2]
        axis, way = {UP: (1, -1), DOWN: (1, 1), RIGHT: (0, 1), LEFT: (0, -1), STAY: (0, 0)}[action]
        self.agent[axis] = min(max(self.agent[axis] + way, 0), 4)
        over = self.agent == [4, 4]
        reward = 1 if over else 0
        reward -= sum(obstacle[:2] == self.agent for obstacle in self.obstacles)
        return self.observe(), reward, over

    def observe(self) -> list[int]:
        x, y = self.agent
        numbers = []
        for ox, oy, direction in self.obstacles:
            numbers += [ox - x, oy - y, -1, direction]
        return [*numbers, 4 - x, 4 - y, 1]


def test_bit_for_bit_the_original() -> None:
    env, original = book(), Original()
    obs, _ = env.reset(seed=0)
    for action in np.random.default_rng(0).integers(0, 5, 6000).tolist():
        assert obs.tolist() == original.observe()
        obs, reward, terminated, _, _ = env.step(action)
        assert (obs.tolist(), reward, terminated) == original.step(action)
        if terminated:
            (obs, _), original = env.reset(), Original()


def test_ids_are_the_original() -> None:
    kwargs = gym.spec(BOOK).kwargs
    assert BOOK in sidestep.envs.ENV_IDS
    assert kwargs["level"].strip("\n") == "S....\n>....\n.>...\n..>..\n....G"
