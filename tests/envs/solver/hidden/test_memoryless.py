"""The best policy without a memory: the optimum where nothing is hidden, else beside all others."""

from itertools import product
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from sidestep.envs import MovingObstaclesVectorEnv, Unsolvable, WorldConfig, best_memoryless, solve

CONFIG = WorldConfig(level="SvG\n#.#", hide=("headings", "phase"))
SEEDS, TICKS = range(8), 6


def played(policies: NDArray[np.int64], shown: NDArray[Any]) -> NDArray[np.float64]:
    """Mean return over SEEDS of deterministic policies (P, O), each played by the env itself."""
    count = len(policies)
    keywords = {"level": CONFIG.level, "hide": CONFIG.hide, "max_episode_steps": TICKS}
    env = MovingObstaclesVectorEnv(num_envs=count * len(SEEDS), **keywords)
    obs, _ = env.reset(seed=[seed for seed in SEEDS for _ in range(count)])
    alive, total = np.ones(env.num_envs, dtype=np.bool_), np.zeros(env.num_envs)
    lanes = np.tile(np.arange(count), len(SEEDS))
    for _ in range(TICKS):
        same = (obs[:, None] == shown[None]).all(2)  # (N, O)
        assert (same.sum(1) == 1)[alive].all()
        obs, reward, terminated, truncated, _ = env.step(policies[lanes, same.argmax(1)])
        total += reward * alive
        alive &= ~(terminated | truncated)
    return np.asarray(total.reshape(len(SEEDS), count).mean(0))


def test_no_deterministic_policy_of_a_small_world_is_better() -> None:
    found = best_memoryless(CONFIG, TICKS, SEEDS)
    visited = np.flatnonzero((found.shown[:, 4:6] != 0).any(1))  # the goal is elsewhere
    assert len(visited) == 6  # three cells, two places of the patrol
    policies = np.zeros((5**6, len(found.shown)), dtype=np.int64)
    policies[:, visited] = list(product(range(5), repeat=6))
    returns = played(policies, found.shown)
    assert found.mean_return >= returns.max() - 1e-5
    optimum = solve(CONFIG, max_ticks=TICKS, seeds=SEEDS).mean_return
    assert returns.max() < optimum - 0.05  # what is hidden matters
    assert found.mean_return < optimum - 0.05


def test_the_value_is_that_of_playing_it() -> None:
    found = best_memoryless(CONFIG, TICKS, SEEDS, restarts=1)
    random = np.random.default_rng(0)
    draws = random.random((40_000, len(found.shown), 1)) > found.probabilities.cumsum(1)
    returns = played(draws.sum(2).clip(max=4), found.shown)  # each lane keeps to its draw
    deterministic = (found.probabilities.max(1) > 1 - 1e-9).all()
    assert returns.mean() == pytest.approx(found.mean_return, abs=1e-6 if deterministic else 0.02)


def test_it_is_the_optimum_where_nothing_is_hidden() -> None:
    config, seeds = WorldConfig(), range(5)
    found = best_memoryless(config, 20, seeds, restarts=1)
    solution = solve(config, max_ticks=20, seeds=seeds)
    assert found.mean_return == pytest.approx(solution.mean_return, abs=1e-5)
    assert found.success == pytest.approx(solution.success, abs=1e-5)


def test_observations_find_their_probabilities() -> None:
    found = best_memoryless(CONFIG, TICKS, SEEDS, restarts=1)
    assert np.allclose(found.probabilities.sum(1), 1)
    assert (found.probabilities_of(found.shown[[3, 1]]) == found.probabilities[[3, 1]]).all()
    with pytest.raises(KeyError):
        found.probabilities_of(found.shown[:1] + 7)


def test_wrong_input() -> None:
    with pytest.raises(ValueError, match="expected a time limit and patrols only"):
        best_memoryless(WorldConfig(), None)
    with pytest.raises(ValueError, match="expected a time limit and patrols only"):
        best_memoryless(WorldConfig(level="S?G\n..."), 9)
    with pytest.raises(Unsolvable, match="starts: expected at most 268, got 2,000: of all starts"):
        best_memoryless(WorldConfig(), 1_000)
