"""The best policy with a perfect memory: beside plays of every sequence of actions, and others."""

from itertools import product
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from sidestep.envs import (
    MovingObstaclesEnv,
    MovingObstaclesVectorEnv,
    Remembering,
    Unsolvable,
    WorldConfig,
    best_remembering,
    solve,
)

TICKS = 5
KEYWORDS: dict[str, dict[str, Any]] = {
    "hidden headings and phase": {"level": "SvG\n#.#", "hide": ("headings", "phase")},
    "seen now and then": {"level": "S>.\n.^G", "visible_every": 2, "hide": ("headings", "phase")},
    "many hits": {"level": "S<G\nv..", "hide": ("headings",), "hit_ends": False},
}


def seeds_of_all_starts(keywords: dict[str, Any], count: int) -> list[int]:
    """A seed for each start, all of which are equally likely."""
    env = MovingObstaclesVectorEnv(num_envs=1000, **keywords)
    env.reset(seed=0)
    _, first, often = np.unique(
        env.unwrapped.world.state, axis=1, return_index=True, return_counts=True
    )
    assert len(first) == count and (abs(often - 1000 / count) < 5 * (1000 / count) ** 0.5).all()
    return [int(seed) for seed in first]


def best_by_playing(keywords: dict[str, Any], seeds: list[int]) -> float:
    """The best mean return of all policies that remember, from plays of all action sequences."""
    sequences = np.array(list(product(range(5), repeat=TICKS)))
    lanes = len(sequences) * len(seeds)
    env = MovingObstaclesVectorEnv(num_envs=lanes, max_episode_steps=TICKS, **keywords)
    obs, _ = env.reset(seed=[seed for seed in seeds for _ in sequences])
    alive, histories = np.ones(lanes, dtype=np.bool_), [[row.tobytes()] for row in obs]
    rewards = np.zeros((TICKS, lanes))
    for t in range(TICKS):
        obs, reward, terminated, truncated, _ = env.step(np.tile(sequences[:, t], len(seeds)))
        rewards[t] = reward * alive
        alive &= ~(terminated | truncated)
        for history, row, goes_on in zip(histories, obs, alive, strict=True):
            history.append(row.tobytes() if goes_on else b"over")
    number = {tuple(s): n for n, s in enumerate(sequences.tolist())}

    def best(played: tuple[int, ...], starts: tuple[int, ...]) -> float:
        """Sum over starts that looked alike so far, after the actions `played`."""
        if len(played) == TICKS:
            return 0.0
        found = []
        for action in range(5):
            then = (*played, action)
            example = number[then + (0,) * (TICKS - len(then))]  # later actions change nothing
            total, alike = 0.0, dict[bytes, list[int]]()
            for start in starts:
                lane = start * len(sequences) + example
                total += rewards[len(played), lane]
                shown = histories[lane][len(then)]
                if shown != b"over":
                    alike.setdefault(shown, []).append(start)
            found.append(total + sum(best(then, tuple(group)) for group in alike.values()))
        return max(found)

    begins: dict[bytes, list[int]] = {}
    for start in range(len(seeds)):
        begins.setdefault(histories[start * len(sequences)][0], []).append(start)
    return sum(best((), tuple(group)) for group in begins.values()) / len(seeds)


@pytest.mark.parametrize(("name", "starts"), list(zip(KEYWORDS, (8, 48, 48), strict=True)))
def test_it_is_the_best_of_all_policies_on_histories(name: str, starts: int) -> None:
    config = WorldConfig(**KEYWORDS[name])
    found = best_remembering(config, TICKS)
    seeds = seeds_of_all_starts(KEYWORDS[name], starts)
    assert found.mean_return == pytest.approx(best_by_playing(KEYWORDS[name], seeds), abs=1e-6)
    assert best_remembering(config, TICKS, seeds).mean_return == pytest.approx(found.mean_return)
    assert found.beliefs > 0
    assert found.mean_return < solve(config, max_ticks=TICKS).mean_return - 0.001


def play(found: Remembering, env: gym.Env[Any, Any], seed: int) -> tuple[float, bool]:
    obs, _ = env.reset(seed=seed)
    shown, total, over, info = [obs], 0.0, False, dict[str, Any]()
    while not over:
        obs, reward, terminated, truncated, info = env.step(found.act(shown))
        shown, total, over = [*shown, obs], total + float(reward), terminated or truncated
    return total, bool(info["is_success"])


def test_playing_it_brings_what_it_says() -> None:
    env, seeds = gym.make("sidestep/Glimpse-v0"), range(24)
    found = best_remembering(env, seeds=seeds)
    returns, successes = zip(*(play(found, env, seed) for seed in seeds), strict=True)
    assert np.mean(returns) == pytest.approx(found.mean_return, abs=1e-6)
    assert np.mean(successes) == pytest.approx(found.success, abs=1e-9)


def test_on_glimpse_it_is_close_to_the_optimum_and_far_above_no_memory() -> None:
    env = gym.make("sidestep/Glimpse-v0")
    found, optimum = best_remembering(env), solve(env)
    assert found.mean_return == pytest.approx(0.5952, abs=5e-5)
    assert found.success == pytest.approx(1.0) and found.beliefs < 10_000
    assert found.mean_return < optimum.mean_return - 0.004


def test_where_nothing_is_hidden_it_is_the_optimum_and_searches_nothing() -> None:
    config = WorldConfig()
    found, solution = best_remembering(config, 20), solve(config, max_ticks=20)
    assert found.mean_return == pytest.approx(solution.mean_return, abs=1e-6)
    assert found.success == pytest.approx(solution.success, abs=1e-9)
    assert found.beliefs == 0


def test_an_episode_of_other_starts_is_refused() -> None:
    env = MovingObstaclesEnv(**KEYWORDS["seen now and then"])
    found = best_remembering(WorldConfig(**KEYWORDS["seen now and then"]), TICKS, range(2))
    obs, _ = env.reset(seed=0)
    with pytest.raises(ValueError, match="got one that differs at tick 0"):
        found.act([obs + 1])
    with pytest.raises(ValueError, match="got one that differs at tick 1"):
        found.act([obs, obs + 1])


def test_wrong_input(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="expected a time limit and patrols only"):
        best_remembering(WorldConfig(level="S?G\n..."), 9)
    with pytest.raises(ValueError, match="expected a time limit and patrols only"):
        best_remembering(WorldConfig(), None)
    with pytest.raises(Unsolvable, match="expected at most 500 ticks, got 501"):
        best_remembering(WorldConfig(), 501, range(2))
    monkeypatch.setattr("sidestep.envs.solver.hidden.remembering.MOST_BELIEFS", 3)
    with pytest.raises(Unsolvable, match="expected at most 3 beliefs, got more; use fewer"):
        best_remembering(WorldConfig(**KEYWORDS["seen now and then"]), TICKS)
    with pytest.raises(Unsolvable, match="starts: expected at most 894, got 2,000: of all starts"):
        best_remembering(WorldConfig(), 300)
    with pytest.raises(Unsolvable, match=r"starts: expected at most 894, got 1,\d+: of all"):
        best_remembering(WorldConfig(), 300, range(1500))
