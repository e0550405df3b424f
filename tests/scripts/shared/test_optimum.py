"""The optimum beside what agents reach: where it is known, where not, and as a policy."""

from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from sidestep.agents import EnvConfig, evaluate, make_single, make_vector
from sidestep.agents.acting.evaluation import Evaluation
from sidestep.envs import WorldConfig, solve, solve_levels
from sidestep.scripts.shared import optimum
from sidestep.scripts.shared.console import progress
from sidestep.scripts.shared.optimum import (
    OptimalPolicy,
    Optimum,
    level_progress,
    optimum_later,
    optimum_of,
    shown_in,
)
from sidestep.scripts.shared.tables import evaluation_table


def test_optimum_where_the_solver_applies() -> None:
    assert optimum_of(EnvConfig()) == pytest.approx(0.5996)
    assert optimum_of(EnvConfig("sidestep/Book-v0", ("step_reward=-0.1",))) == pytest.approx(0.2)
    assert optimum_of(EnvConfig(vectorization="sync", max_episode_steps=7)) == pytest.approx(-0.35)


def test_no_optimum_and_no_error_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    assert optimum_of(EnvConfig("CartPole-v1")) is None
    rows = "".join(f"{'>' + '.' * 11}\n" for _ in range(5))
    many = f"level={'S' + '.' * 11}\n{rows}{'.' * 11}G"
    optimum._solved.cache_clear()
    monkeypatch.setattr(optimum, "PATIENCE", 100 * 84 * 15)  # 22^5 starts; 16 are the fewest
    assert optimum_of(EnvConfig(kwargs=(many,))) is None
    long = ("level=S" + "." * 40 + "G", "random_starts=False")
    assert optimum_of(EnvConfig(kwargs=long)) is not None
    assert optimum_of(EnvConfig(kwargs=long, max_episode_steps=9999)) is None
    optimum._solved.cache_clear()


def test_starts_too_many_to_enumerate_are_those_of_seeds(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = "".join(f"{'>' + '.' * 11}\n" for _ in range(5))
    config = EnvConfig(kwargs=(f"level={'S' + '.' * 11}\n{rows}{'.' * 11}G",))
    found = optimum_of(config, seeds=7)
    assert found is not None
    assert found == solve(make_single(config), seeds=range(7)).mean_return
    assert found.over == "7 seeds"
    optimum._solved.cache_clear()
    monkeypatch.setattr(optimum, "PATIENCE", 100 * 84 * 17)
    seventeen = optimum_of(config)
    assert seventeen is not None and seventeen.over == "17 seeds"
    assert seventeen == solve(make_single(config), seeds=range(17)).mean_return
    optimum._solved.cache_clear()


def test_several_levels() -> None:
    maps = ["S.>..\n....G", "S<.\n..G", "S..\n.v.\n..G"]
    config = EnvConfig(kwargs=(f"levels={maps}",))
    found = optimum_of(config)
    alone = [solve(WorldConfig(level=text), max_ticks=100).mean_return for text in maps]
    assert found == pytest.approx(np.mean(alone), abs=1e-12) and found is not None
    assert len(set(alone)) == 3 and found.over == "3 levels"
    env = make_vector(config, 600)
    try:
        solution = solve_levels(env)
        result = evaluate(OptimalPolicy(solution, env), env, episodes=6000, seed=1)
    finally:
        env.close()
    low, high = result.summary(found)["regret"][1:]
    assert low < 0 < high


@pytest.mark.slow
def test_of_a_large_pool_the_first_levels_are_solved(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = {"width": 5, "height": 4, "patrols": 3, "count": 70}
    optimum._solved.cache_clear()
    first = optimum_of(EnvConfig(kwargs=(f"pool={ {**pool, 'count': 64} }", "split=test")))
    every = optimum_of(EnvConfig(kwargs=(f"pool={pool}", "split=test")))
    assert first is not None and first.over == "64 levels"
    assert every is not None and every.over == "70 levels" and every != first
    optimum._solved.cache_clear()
    monkeypatch.setattr(optimum, "MOST_STARTS", 20)  # as if no level could be solved from all
    some = optimum_of(EnvConfig(kwargs=(f"pool={pool}", "split=test")))
    assert some is not None and some.over == "64 of 70 levels, 16 seeds on each"
    config = WorldConfig.of(pool={**pool, "count": 64}, split="test")
    assert some == solve_levels(config, max_ticks=100, seeds=range(16)).mean_return
    optimum._solved.cache_clear()


@pytest.mark.parametrize("vectorization", ["native", "sync", "async"])
def test_later_is_of_the_worlds_that_the_env_plays_and_not_solved_before(
    vectorization: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "level.txt"
    path.write_text("S..\n..G")
    config = EnvConfig(kwargs=(f"level={path}",), max_episode_steps=11, vectorization=vectorization)
    solved: list[Any] = []

    def solve(*args: Any, **keywords: Any) -> Any:
        solved.append(args)
        return solve_levels(*args, **keywords)

    monkeypatch.setattr(optimum, "solve_levels", solve)
    optimum._solved.cache_clear()
    env = make_vector(config, 2)
    try:
        later = optimum_later(config, env)
        path.write_text("S....\n....G")  # edited while training goes on
        assert not solved
        assert later() == pytest.approx(1 - 3 * 0.05)
        assert later() == pytest.approx(1 - 3 * 0.05) and len(solved) == 1
        assert optimum_of(config) == pytest.approx(1 - 5 * 0.05)
    finally:
        env.close()


def test_later_is_none_for_envs_of_others() -> None:
    for config in (EnvConfig("CartPole-v1"), EnvConfig("CartPole-v1", vectorization="sync")):
        env = make_vector(config, 2)
        assert optimum_later(config, env)() is None
        env.close()


def test_levels_are_a_line_of_the_bar_that_is_there() -> None:
    with progress("{task.fields[figures]}") as bar, shown_in(bar):
        bar.add_task("training", figures="")
        with level_progress(3) as report:
            assert report is not None
            report(2, 3)
            _, levels = bar.tasks
            assert (levels.description, levels.completed, levels.total) == ("optimum", 2, 3)
        assert [task.description for task in bar.tasks] == ["training"]
    with level_progress(1) as report:
        assert report is None


def test_regret_is_marked_where_the_optimum_is_over_seeds() -> None:
    result = Evaluation(np.zeros(3), np.ones(3, np.int64), np.zeros(3, bool), None, None)
    rows = cells(result.summary(Optimum(0.25, "64 levels, 16 seeds on each")))
    assert rows["optimum"] == "0.2500 (64 levels, 16 seeds on each)"
    assert cells(result.summary(Optimum(0.25)))["optimum"] == "0.2500"
    assert cells(result.summary(0.25))["optimum"] == "0.2500"


def cells(summary: dict[str, Any]) -> dict[str, str]:
    """The rows of the table."""
    names, values = (list(c.cells) for c in evaluation_table("", summary).columns)
    return {str(name): str(value) for name, value in zip(names, values, strict=True)}


@pytest.mark.parametrize("mode", ["NextStep", "SameStep", "Disabled"])
@pytest.mark.parametrize("vectorization", ["native", "sync"])
def test_evaluated_like_any_policy(mode: str, vectorization: str) -> None:
    kind = gym.vector.AutoresetMode(mode)
    if vectorization == "native":
        env = gym.make_vec("sidestep/MovingObstacles-v0", 40, autoreset_mode=mode)
    else:
        env = gym.make_vec(
            "sidestep/MovingObstacles-v0",
            40,
            vectorization_mode="sync",
            vector_kwargs={"autoreset_mode": kind},
        )
    solution = solve(env)
    result = evaluate(OptimalPolicy(solution, env), env, episodes=200, seed=9)
    assert result.success is not None and result.success.all()
    assert set(result.lengths.tolist()) <= {8, 9}
    assert result.returns == pytest.approx(1 - 0.05 * result.lengths)


def test_evaluated_return_is_the_predicted_one_start_for_start() -> None:
    config, lanes = EnvConfig(), 500
    env = make_vector(config, lanes)
    solution = solve(env)
    env.reset(seed=2)
    world = env.unwrapped.world  # type: ignore[attr-defined]
    predicted = solution.value(world.state, world.clock)
    played = evaluate(OptimalPolicy(solution, env), env, lanes, seed=2).returns
    assert np.abs(played - predicted).max() < 1e-12
    assert solve(env, seeds=range(2, 2 + lanes)).mean_return == pytest.approx(played.mean())
