"""What the solver refuses, and which envs it reads; every error says what to change."""

import re
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import SyncVectorEnv
from gymnasium.wrappers import TimeLimit

from sidestep.envs import (
    MovingObstaclesEnv,
    MovingObstaclesVectorEnv,
    Unsolvable,
    WorldConfig,
    solve,
)
from sidestep.envs.solver import tables

DEFAULT = "sidestep/MovingObstacles-v0"


def wide(*tracks: int) -> str:
    """A level with a patrol on a track of each length, walls after it."""
    width = max(tracks) + 1
    rows = [">" + "." * (length - 1) + "#" * (width - length) for length in tracks]
    return "\n".join(["S" + "." * (width - 1), *rows, "." * (width - 1) + "G"])


def refused(message: str, *args: Any, **kwargs: Any) -> None:
    with pytest.raises(Unsolvable, match=re.escape(message)):
        solve(*args, **kwargs)


def test_too_many_starts() -> None:
    config = WorldConfig(level=wide(12, 12, 12, 12))
    refused("at most 65,536 different ones, got 468,512; pass seeds", config, max_ticks=50)
    assert solve(config, max_ticks=50, seeds=range(20)).success > 0.9


def test_common_period_too_long() -> None:
    config = WorldConfig(level=wide(4, 6, 8), random_starts=False)
    assert solve(config, max_ticks=None).success == 1.0  # 2 x lcm(6, 10, 14) ticks: fits
    config = WorldConfig(level=wide(12, 14, 18, 20, 24, 30), random_starts=False)
    period = 2 * 2 * 11 * 13 * 17 * 19 * 23 * 29
    problem = f"got {period:,} ticks x 180 cells; these ticks are the common period of the patrols"
    refused(problem, config, max_ticks=None)
    assert solve(config, max_ticks=60).success == 1.0


def test_time_limit_too_long() -> None:
    config = WorldConfig(random_starts=False)
    refused("lower max_ticks, or pass None", config, max_ticks=10**7)


def test_too_many_wanderers() -> None:
    config = WorldConfig(level="S????\n.....\n.....\n....G")
    refused("x 160,000 places of 4 wanderers; use fewer wanderers", config, max_ticks=100)
    walled = WorldConfig(level="S..?.\n.####\n.#?#.\n####.\n.?#.G\n".replace("\n.####", "\n.#.#."))
    assert solve(walled, max_ticks=20).mean_value <= 1


def test_work_of_many_seeds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "MOST_WORK", 100 * 25 * 5)
    env = gym.make(DEFAULT)
    refused("at most 5 of 2,500 states each, got 10; pass fewer seeds", env, seeds=range(10))
    refused("at most 5 of 2,500 states each, got 1,024", env)
    assert solve(env, seeds=range(4)).success == 1.0


def test_tables_that_do_not_fit_are_solved_again(monkeypatch: pytest.MonkeyPatch) -> None:
    env = gym.make_vec(DEFAULT, 64)
    env.reset(seed=3)
    world = env.unwrapped.world  # type: ignore[attr-defined]
    whole = solve(env, 0.9)
    monkeypatch.setattr(tables, "MOST_STATES", 7 * 2500)
    pieces = solve(env, 0.9)
    assert pieces.table_bytes < whole.table_bytes / 100
    assert pieces.mean_value == whole.mean_value
    assert np.array_equal(pieces.lengths, whole.lengths)
    assert np.array_equal(pieces.q(world.state, world.clock), whole.q(world.state, world.clock))
    assert np.array_equal(pieces.maps(900, 5)[0], whole.maps(900, 5)[0], equal_nan=True)


@pytest.mark.parametrize("hit_ends", [True, False])
def test_no_finite_optimum(hit_ends: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    rich = WorldConfig(step_reward=0.1, hit_ends=hit_ends)
    refused("step_reward: expected at most 0 with discount 1 and no time limit", rich, 1.0, None)
    assert solve(rich, 0.5, None).mean_value >= 0.2
    monkeypatch.setattr(tables, "MOST_TICKS", 2000)
    painful = WorldConfig(hit_reward=1.0, step_reward=0.0, hit_ends=False, random_starts=False)
    refused(
        "values: expected them to settle, they still changed after 2,000 ticks", painful, 1.0, None
    )
    monkeypatch.setattr(tables, "MOST_SETTLING", 25 * 160 + 7)  # of 25 cells, sweeps of 16 ticks
    refused(
        "values: expected them to settle, they still changed after 160 ticks", painful, 1.0, None
    )


def test_wrong_arguments() -> None:
    config = WorldConfig()
    with pytest.raises(TypeError, match=r"max_ticks: expected an integer or None"):
        solve(config)
    with pytest.raises(ValueError, match=r"discount: expected a number in \[0, 1\], got 1.5"):
        solve(config, 1.5, 10)
    with pytest.raises(ValueError, match="max_episode_steps: expected a positive integer"):
        solve(config, max_ticks=0)
    for seeds in ([], [None], [-1]):
        with pytest.raises(ValueError, match="non-negative integer"):
            solve(config, max_ticks=10, seeds=seeds)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="expected a WorldConfig or a world of this package"):
        solve(gym.make("CartPole-v1"))
    with pytest.raises(TypeError, match="got SyncVectorEnv"):
        solve(SyncVectorEnv([lambda: gym.make("CartPole-v1")]))
    solution = solve(config, max_ticks=10)
    for start, tick in ((-1, 0), (1024, 0), (0, 10), (0, -1)):
        with pytest.raises(IndexError, match="expected 0 to"):
            solution.maps(start, tick)


def test_limit_is_the_envs() -> None:
    def limit(env: Any) -> int | None:
        return solve(env, seeds=[0]).max_ticks

    assert limit(gym.make(DEFAULT)) == 100
    assert limit(gym.make(DEFAULT, max_episode_steps=7)) == 7
    assert limit(TimeLimit(gym.make(DEFAULT), 9)) == 9
    assert limit(gym.make("sidestep/Book-v0")) is None
    assert limit(MovingObstaclesEnv()) is None
    assert limit(gym.make_vec(DEFAULT, 2)) == 100
    assert limit(MovingObstaclesVectorEnv(2, 12)) == 12
    assert limit(gym.make_vec(DEFAULT, 2, vectorization_mode="sync")) == 100
    assert solve(gym.make(DEFAULT), max_ticks=None, seeds=[0]).max_ticks is None
    mixed = SyncVectorEnv(
        [lambda: gym.make(DEFAULT), lambda: gym.make(DEFAULT, max_episode_steps=5)]
    )
    with pytest.raises(ValueError, match="expected lanes of one world, got 2 different ones"):
        solve(mixed)


@pytest.mark.parametrize("mode", ["vector_entry_point", "sync"])
def test_player_of_many_lanes(mode: Any) -> None:
    env = gym.make_vec(DEFAULT, 16, vectorization_mode=mode)
    solution = solve(env)
    player, wins, ends = solution.player(env), 0, 0
    env.reset(seed=5)
    for _ in range(40):
        _, _, terminated, truncated, info = env.step(player.actions())
        ends += int((terminated | truncated).sum())
        wins += int(np.sum(info.get("is_success", 0)))
    assert wins == ends > 40


def test_player_acts_on_the_true_state() -> None:
    env = gym.make(DEFAULT)
    player = solve(env).player(env)
    for seed in range(5):
        obs, info = env.reset(seed=seed)
        over, start, total, ticks = False, True, 0.0, 0
        while not over:
            action = player.act(obs * np.nan, start, total, info)
            obs, reward, terminated, truncated, info = env.step(action)
            total, ticks, start = total + float(reward), ticks + 1, False
            over = terminated or truncated
        assert info["is_success"] and ticks in (8, 9)
    with pytest.raises(ValueError, match="expected the world that was solved"):
        solve(env).player(gym.make(DEFAULT, hit_reward=-2.0))
    with pytest.raises(ValueError, match="expected the world that was solved"):
        solve(env).player(gym.make(DEFAULT, max_episode_steps=50))


def test_states_that_cannot_be() -> None:
    env = MovingObstaclesVectorEnv(2, 10, level="S.#.\nG.#?")
    env.reset(seed=0)
    solution, world = solve(env), env.world
    state = world.state.copy()
    state[0, 1] = 3
    with pytest.raises(ValueError, match="expected the agent of lane 1 where a way leads"):
        solution.act(state, world.clock)
    state = world.state.copy()
    state[4, 0] = 0
    with pytest.raises(ValueError, match="expected obstacle 0 where a way leads"):
        solution.act(state, world.clock)
    past = np.full(2, 10, dtype=np.int32)
    assert solution.act(world.state, past).tolist() == [4, 4]
    assert solution.value(world.state, past).tolist() == [0, 0]
