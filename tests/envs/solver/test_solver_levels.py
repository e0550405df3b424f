"""The optimum of several levels is the mean of each one's, and what its policy gets."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from numpy.typing import NDArray

from sidestep.envs import (
    LevelSolutions,
    MovingObstaclesVectorEnv,
    Unsolvable,
    WorldConfig,
    solve,
    solve_levels,
)
from sidestep.envs.solver import tables as solver_tables

MAPS = ("S.>..\n....G", "S<.\n..G", "S..\n.v.\n..G")
CROSSING = "sidestep/Crossing-v0"


def played(env: Any, solutions: LevelSolutions, seeds: int) -> NDArray[np.float64]:
    """Return, success and length of the episodes that begin with each level and seed."""
    player, number = solutions.player(env), len(solutions.levels)
    level = np.repeat(np.arange(number), seeds)
    env.reset(seed=list(range(seeds)) * number, options={"level": level.tolist()})
    total = np.zeros((3, env.num_envs))
    going = np.ones(env.num_envs, dtype=np.bool_)
    while going.any():
        _, reward, terminated, truncated, info = env.step(player.actions())
        total += going * np.array([reward, info["is_success"], np.ones(env.num_envs)])
        going &= ~(terminated | truncated)
    return total


@pytest.mark.parametrize("split", ["train", "test"])
def test_crossing_gets_what_is_predicted(split: str) -> None:
    env = gym.make_vec(CROSSING, 64 * 3, split=split)
    solutions = solve_levels(env, seeds=range(3))
    figures = played(env, solutions, 3)
    predicted = solutions.mean_return, solutions.success, solutions.mean_length
    assert figures.mean(axis=1) == pytest.approx(predicted, abs=1e-12)
    assert len(solutions.levels) == 64 and not solutions.is_exact
    returns = figures[0].reshape(64, 3).mean(axis=1)
    alone = [level.mean_return for level in solutions.levels]
    assert returns == pytest.approx(alone, abs=1e-12)
    assert len(set(np.round(alone, 9))) > 20


def test_all_starts_of_every_level() -> None:
    config = WorldConfig(levels=MAPS)
    solutions = solve_levels(config, 0.9, max_ticks=30)
    alone = [solve(WorldConfig(level=text), 0.9, 30) for text in MAPS]
    for name in ("mean_value", "mean_return", "success", "mean_length"):
        each = [getattr(one, name) for one in alone]
        assert getattr(solutions, name) == pytest.approx(np.mean(each), abs=1e-12)
    assert solutions.is_exact and solutions.discount == 0.9 and solutions.max_ticks == 30
    assert solutions.number_of_starts == sum(len(one.starts.weight) for one in alone)


def test_each_lane_is_asked_of_its_own_level() -> None:
    env = MovingObstaclesVectorEnv(7, max_episode_steps=30, levels=list(MAPS))
    solutions = solve_levels(env)
    env.reset(seed=4)
    for _ in range(3):
        env.step(np.full(7, 4))
    world = env.world
    level_of = world.level_of
    assert len(set(level_of.tolist())) == 3
    for lane in range(7):
        alone = solve(WorldConfig(level=MAPS[level_of[lane]]), max_ticks=30)
        state, clock = world.state[:, [lane]], world.clock[[lane]]
        assert solutions.act(world.state, world.clock, level_of)[lane] == alone.act(state, clock)[0]
        assert solutions.value(world.state, world.clock, level_of)[lane] == alone.value(
            state, clock
        )
        q = solutions.q(world.state, world.clock, level_of)[lane]
        assert np.array_equal(q, alone.q(state, clock)[0])


def test_one_level_is_a_world_of_one_level() -> None:
    env = gym.make("sidestep/MovingObstacles-v0")
    solutions, solution = solve_levels(env), solve(env)
    assert solutions.mean_return == pytest.approx(solution.mean_return, abs=1e-12)
    obs, _ = env.reset(seed=0)
    assert solutions.player(env).act(obs, True) == solution.player(env).act(obs, True)


def test_progress_is_told() -> None:
    told: list[tuple[int, int]] = []
    solve_levels(
        WorldConfig(levels=MAPS), max_ticks=5, report=lambda done, all_: told.append((done, all_))
    )
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_levels_share_memory_and_work(monkeypatch: pytest.MonkeyPatch) -> None:
    config = WorldConfig(levels=MAPS)
    states = 30 * 10  # of the first, the largest
    monkeypatch.setattr(solver_tables, "MOST_STATES", 3 * 5 * states)
    solutions = solve_levels(config, max_ticks=30)
    assert [level._tables.capacity for level in solutions.levels] == [5, 8, 5]
    monkeypatch.setattr(solver_tables, "MOST_WORK", 3 * 15 * states)
    with pytest.raises(Unsolvable, match="at most 15 of 300 states each on each of 3 levels, got"):
        solve_levels(config, max_ticks=30)


def test_what_is_refused() -> None:
    with pytest.raises(TypeError, match="or `solve_levels` instead of `solve`"):
        solve(WorldConfig(levels=MAPS), max_ticks=9)
    with pytest.raises(TypeError, match="max_ticks: expected an integer or None beside a WorldCon"):
        solve_levels(WorldConfig(levels=MAPS))
    with pytest.raises(Unsolvable, match="random starts: expected at most 65,536"):
        solve_levels(gym.make(CROSSING))
    with pytest.raises(ValueError, match="discount: expected a number in"):
        solve_levels(WorldConfig(levels=MAPS), 1.5, max_ticks=9)
    solutions = solve_levels(WorldConfig(levels=MAPS), max_ticks=9)
    with pytest.raises(ValueError, match="expected the world that was solved"):
        solutions.player(gym.make("sidestep/MovingObstacles-v0"))
