"""The measured facts of the course's world, from all of its states."""

from collections import deque
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from numpy.typing import NDArray

from sidestep.envs import MovingObstaclesEnv

UP, DOWN, RIGHT, LEFT, STAY = range(5)
BOOK = "sidestep/Book-v0"


def book(**config: Any) -> Any:
    return MovingObstaclesEnv(**{**gym.spec(BOOK).kwargs, **config})


class Graph:
    """Every state that can be reached, and where each action leads; played through the env."""

    def __init__(self, phases: tuple[int, ...]) -> None:
        self.env = book()
        self.env.reset(seed=0)
        begin = self.env.get_state()
        self.states: list[dict[str, NDArray[Any]]] = []
        self.number: dict[tuple[int, ...], int] = {}
        self.obs: list[tuple[float, ...]] = []
        self.phase: list[int] = []
        for phase in phases:
            begin["state"][2] = phase
            self.add(begin)
        self.next: list[list[int]] = []
        self.reward: list[list[float]] = []
        self.swaps = 0
        for state in self.states:  # grows as it goes
            self.expand(state)

    def add(self, state: dict[str, NDArray[Any]]) -> int:
        state["state"][3] = 0  # whether the agent was hit changes nothing
        state["clock"][:] = 0
        key = tuple(state["state"][:, 0].tolist())
        if key not in self.number:
            self.number[key] = len(self.states)
            self.states.append({name: array.copy() for name, array in state.items()})
            self.env.set_state(state)
            self.obs.append(tuple(self.env.world.observe()[0].tolist()))
            self.phase.append(int(state["state"][2, 0]))
        return self.number[key]

    def expand(self, state: dict[str, NDArray[Any]]) -> None:
        rows, rewards = [], []
        for action in range(5):
            self.env.set_state(state)
            _, reward, terminated, _, _ = self.env.step(action)
            after = self.env.get_state()
            rows.append(-1 if terminated else self.add(after))
            rewards.append(reward)
            was, now = state["state"][:, 0], after["state"][:, 0]
            for k in range(4, 16, 4):
                swapped = (was[k : k + 2] == now[:2]).all() and (now[k : k + 2] == was[:2]).all()
                self.swaps += bool(swapped and (was[:2] != now[:2]).any())
        self.next.append(rows)
        self.reward.append(rewards)

    def steps_to_goal(self, start: int) -> int:
        """The fewest steps without a hit."""
        queue, distance = deque([start]), {start: 0}
        while queue:
            s = queue.popleft()
            for there, reward in zip(self.next[s], self.reward[s], strict=True):
                if there == -1 and reward == 1.0:
                    return distance[s] + 1
                if there >= 0 and reward == 0.0 and there not in distance:
                    distance[there] = distance[s] + 1
                    queue.append(there)
        raise AssertionError("no hit-free path")

    def values(self, discount: float, step_reward: float) -> NDArray[np.float64]:
        """Optimal values by value iteration."""
        after, reward = np.array(self.next), np.array(self.reward) + step_reward
        value = np.zeros(len(after))
        for _ in range(200):
            value = (reward + discount * np.where(after >= 0, value[after], 0)).max(axis=1)
        return value

    def aliased(self) -> int:
        """Observations that stand for states in which some action leads to different results."""
        outcomes: dict[tuple[float, ...], set[Any]] = {}
        for s, obs in enumerate(self.obs):
            shown = [() if there < 0 else self.obs[there] for there in self.next[s]]
            outcomes.setdefault(obs, set()).add((tuple(shown), tuple(self.reward[s])))
        return sum(len(different) > 1 for different in outcomes.values())


@pytest.fixture(scope="module")
def one() -> Graph:
    return Graph((0,))


@pytest.fixture(scope="module")
def both() -> Graph:
    return Graph((0, 1))


def test_states_and_observations(one: Graph, both: Graph) -> None:
    assert (len(one.states), len(both.states)) == (385, 388)
    assert (len(set(one.obs)), len(set(both.obs))) == (193, 195)
    assert (one.aliased(), both.aliased()) == (192, 193)  # a POMDP


def test_one_phase_bit_makes_it_markov(both: Graph) -> None:
    assert len(set(zip(both.obs, both.phase, strict=True))) == len(both.states) == 388


def test_features_are_markov(both: Graph) -> None:
    env = book(observation="features")
    env.reset(seed=0)
    shown = set()
    for state in both.states:
        env.set_state(state)
        shown.add(tuple(env.world.observe()[0].tolist()))
    assert len(shown) == 388


def test_free_swaps(both: Graph) -> None:
    assert both.swaps == 24
    assert len(both.states) * 5 == 1940


def test_shortest_path(both: Graph) -> None:
    assert [both.steps_to_goal(start) for start in (0, 1)] == [8, 8]


@pytest.mark.parametrize(
    ("discount", "step_reward", "value"),
    [(0.99, 0.0, 0.9321), (0.99, -0.1, 0.1595), (1.0, 0.0, 1.0), (1.0, -0.1, 0.2)],
)
def test_optimal_values(both: Graph, discount: float, step_reward: float, value: float) -> None:
    values = both.values(discount, step_reward)
    assert values[:2] == pytest.approx(value, abs=5e-5)


def test_blind_plans(both: Graph) -> None:
    plans = [
        [DOWN if bits >> i & 1 else RIGHT for i in range(8)]
        for bits in range(256)
        if bits.bit_count() == 4
    ]
    assert len(plans) == 70
    free: list[set[int]] = []
    for start in (0, 1):
        free.append(set())
        for number, plan in enumerate(plans):
            s, score = start, 0.0
            for action in plan:
                score += both.reward[s][action]
                s = both.next[s][action]
            if s == -1 and score == 1.0:
                free[start].add(number)
    assert [len(numbers) for numbers in free] == [6, 1]
    assert not free[0] & free[1]
    assert plans.index([DOWN] * 4 + [RIGHT] * 4) in free[0]


def test_uniform_random_policy_exactly(one: Graph) -> None:
    n = len(one.states)
    chance = np.zeros((n, n))
    for s, row in enumerate(one.next):
        for there in row:
            if there >= 0:
                chance[s, there] += 0.2
    steps = np.linalg.solve(np.eye(n) - chance, np.ones(n))
    score = np.linalg.solve(np.eye(n) - chance, np.mean(one.reward, axis=1))
    assert steps[0] == pytest.approx(133 + 23 / 44)  # 132 was measured
    assert score[0] == pytest.approx(-14.6, abs=0.2)


def test_uniform_random_policy_played() -> None:
    lanes = 4000
    env = gym.make_vec(BOOK, num_envs=lanes)
    env.reset(seed=0)
    rng = np.random.default_rng(0)
    alive, steps, score = np.ones(lanes, bool), np.zeros(lanes), np.zeros(lanes)
    while alive.any():
        _, reward, terminated, _, _ = env.step(rng.integers(0, 5, lanes))
        steps += alive
        score += reward * alive
        alive &= ~terminated
    assert steps.mean() == pytest.approx(132, abs=6)  # standard error 1.8
    assert score.mean() == pytest.approx(-14.6, abs=1.0)
    assert np.quantile(steps, 0.95) == pytest.approx(360, abs=25)
