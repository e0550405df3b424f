"""The optimum beside what agents reach: where it is known, where not, and as a policy."""

import gymnasium as gym
import numpy as np
import pytest

from sidestep.agents import EnvConfig, evaluate, make_vector
from sidestep.envs import solve
from sidestep.scripts import optimum
from sidestep.scripts.optimum import OptimalPolicy, optimum_of


def test_optimum_where_the_solver_applies() -> None:
    assert optimum_of(EnvConfig()) == pytest.approx(0.5996)
    assert optimum_of(EnvConfig("sidestep/Book-v0", ("step_reward=-0.1",))) == pytest.approx(0.2)
    assert optimum_of(EnvConfig(vectorization="sync", max_episode_steps=7)) == pytest.approx(-0.35)


def test_no_optimum_and_no_error_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    assert optimum_of(EnvConfig("CartPole-v1")) is None
    rows = "".join(f"{'>' + '.' * 11}\n" for _ in range(5))
    many = f"level={'S' + '.' * 11}\n{rows}{'.' * 11}G"
    assert optimum_of(EnvConfig(kwargs=(many,))) is None  # 22^5 starts
    monkeypatch.setattr(optimum, "PATIENCE", 1000)
    assert optimum_of(EnvConfig(max_episode_steps=50)) is None


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
