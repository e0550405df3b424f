"""The tasks of remembering, tick by tick by hand, and as Gymnasium checks them."""

from typing import Any

import gymnasium as gym
import pytest
from gymnasium.utils.env_checker import check_env

import sidestep.envs  # noqa: F401


@pytest.mark.parametrize("env_id", ["sidestep/Cue-v0", "sidestep/TMaze-v0"])
@pytest.mark.filterwarnings("error")
@pytest.mark.filterwarnings("ignore:.*not within the recommended|.*render")
def test_they_are_sound(env_id: str) -> None:
    env = gym.make(env_id)
    check_env(env.unwrapped, skip_render_check=True)
    made = gym.make_vec(env_id, 3)
    assert made.reset(seed=0)[0].shape == (3, 3)
    made.close()
    env.close()


def of_both(env: gym.Env[Any, Any]) -> dict[float, int]:
    """A seed for each first number that may be shown."""
    return {float(env.reset(seed=seed)[0][0]): seed for seed in range(20)}


def test_a_cue_by_hand() -> None:
    env = gym.make("sidestep/Cue-v0", delay=2, render_mode="ansi")
    seeds = of_both(env)
    assert set(seeds) == {-1.0, 1.0}
    for cue, seed in seeds.items():
        for answer in (0, 1):
            obs, _ = env.reset(seed=seed)
            assert obs.tolist() == [cue, 1.0, 0.0] and env.render() == f"tick 0 of 2: {cue:+.0f}"
            obs, *rest = env.step(answer)
            assert obs.tolist() == [0.0, 0.5, 0.0] and rest == [0.0, False, False, {}]
            obs, *rest = env.step(1 - answer)
            assert obs.tolist() == [0.0, 0.0, 1.0] and rest == [0.0, False, False, {}]
            assert env.render() == "tick 2 of 2: ?"
            right = (answer == 1) == (cue == 1)
            _, *rest = env.step(answer)
            assert rest == [1.0 if right else -1.0, True, False, {"is_success": right}]


def test_a_t_maze_by_hand() -> None:
    env = gym.make("sidestep/TMaze-v0", length=2, render_mode="ansi")
    seeds = of_both(env)
    assert set(seeds) == {0.0, 1.0}  # up, down
    for first, seed in seeds.items():
        for turn in (0, 1):
            obs, _ = env.reset(seed=seed)
            sign = [0, 1, 1] if first == 0 else [1, 1, 0]
            assert obs.tolist() == sign
            walls = [env.step(action)[:2] for action in (0, 1, 3)]
            assert [(o.tolist(), r) for o, r in walls] == [(sign, -0.1)] * 3
            assert env.render() == "@.T"
            obs, reward, *_ = env.step(2)
            assert obs.tolist() == [1, 0, 1] and reward == 0
            assert env.step(3)[0].tolist() == sign
            env.step(2)
            assert env.render() == ("^@T" if first == 0 else "v@T")
            obs, reward, *_ = env.step(2)
            assert obs.tolist() == [0, 1, 0] and reward == 0
            assert env.step(2)[1] == -0.1
            right = (turn == 0) == (first == 0)
            _, *rest = env.step(turn)
            assert rest == [4.0 if right else -0.1, True, False, {"is_success": right}]


@pytest.mark.parametrize(("env_id", "name"), [("Cue", "delay"), ("TMaze", "length")])
def test_what_cannot_be(env_id: str, name: str) -> None:
    for value in (0, -1, 1.5, True, "2", None):
        with pytest.raises(ValueError, match=f"{name}: expected a whole number of at least 1, got"):
            gym.make(f"sidestep/{env_id}-v0", **{name: value})
    env: Any = gym.make(f"sidestep/{env_id}-v0", disable_env_checker=True).unwrapped
    env.reset()
    with pytest.raises(ValueError, match="action: expected 0"):
        env.step(7)
    with pytest.raises(ValueError, match="render_mode: expected None or one of ansi, got 'human'"):
        type(env)(render_mode="human")
