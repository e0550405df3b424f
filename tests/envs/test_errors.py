"""Wrong input: one clear line with what was expected and what came, and nothing changed."""

import re
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.error import NameNotFound, ResetNeeded

from sidestep.envs import (
    ENV_IDS,
    Level,
    MovingObstaclesEnv,
    MovingObstaclesVectorEnv,
    WorldConfig,
)

DEFAULT = "sidestep/MovingObstacles-v0"


def line(caught: pytest.ExceptionInfo[BaseException]) -> str:
    text = str(caught.value)
    assert "\n" not in text
    return text


@pytest.mark.parametrize(
    ("config", "error", "message"),
    [
        (
            {"observation": "pixels"},
            ValueError,
            "observation: expected one of features, planes, window, beacon, book, got 'pixels'",
        ),
        ({"observation": None}, ValueError, "observation: expected one of features, planes"),
        ({"radius": 0}, ValueError, "radius: expected an integer from 1 to 100, got 0"),
        ({"visible_every": 0}, ValueError, "visible_every: expected an integer from 1 to 1000"),
        ({"hide": "phase"}, TypeError, "hide: expected a list of headings, phase, got 'phase'"),
        ({"hide": ["clock"]}, ValueError, "hide: expected a list of headings, phase, got 'clock'"),
        (
            {"observation": "book", "visible_every": 2},
            ValueError,
            "expected none of them with observation 'book', or one of features, planes, window",
        ),
        ({"obstacle_period": 0}, ValueError, "expected an integer from 1 to 1000, got 0"),
        ({"obstacle_period": 1001}, ValueError, "expected an integer from 1 to 1000, got 1001"),
        ({"obstacle_period": 2.0}, ValueError, "expected an integer from 1 to 1000, got 2.0"),
        ({"obstacle_period": True}, ValueError, "expected an integer from 1 to 1000, got True"),
        ({"random_starts": 1}, TypeError, "random_starts: expected True or False, got 1"),
        ({"swap_hits": "no"}, TypeError, "swap_hits: expected True or False, got 'no'"),
        ({"hit_ends": None}, TypeError, "hit_ends: expected True or False, got None"),
        ({"goal_reward": "1"}, ValueError, "goal_reward: expected a finite number, got '1'"),
        ({"hit_reward": float("nan")}, ValueError, "hit_reward: expected a finite number, got nan"),
        ({"step_reward": float("inf")}, ValueError, "step_reward: expected a finite number"),
        ({"step_reward": True}, ValueError, "step_reward: expected a finite number, got True"),
        ({"step_reward": 10**400}, ValueError, "step_reward: expected a finite number"),
        ({"level": "S.x\n..G"}, ValueError, "level row 1, column 3: expected one of"),
        ({"level": 5}, TypeError, "level: expected text, got int"),
        ({"levle": "S.G"}, TypeError, "keyword: expected one of level, levels, .*'levle'"),
        ({"render_mode": "ascii"}, ValueError, "render_mode: expected one of .*got 'ascii'"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*The environment is being initialised with render_mode")
def test_configuration(config: dict[str, Any], error: type[Exception], message: str) -> None:
    for make in (
        lambda: MovingObstaclesEnv(**config),
        lambda: MovingObstaclesVectorEnv(2, **config),
        lambda: gym.make(DEFAULT, **config),
        lambda: gym.make_vec(DEFAULT, 2, **config),
    ):
        with pytest.raises(error, match=message) as caught:
            make()
        line(caught)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"autoreset_mode": "Later"}, "expected one of NextStep, SameStep, Disabled, got 'Later'"),
        ({"autoreset_mode": None}, "autoreset_mode: expected one of .* got None"),
        ({"max_episode_steps": 0}, "expected a positive integer, -1 or None, got 0"),
        ({"max_episode_steps": -2}, "expected a positive integer, -1 or None, got -2"),
        ({"max_episode_steps": 2.5}, "expected a positive integer, -1 or None, got 2.5"),
        ({"max_episode_steps": True}, "expected a positive integer, -1 or None, got True"),
        ({"max_episode_steps": 2**31}, "expected a positive integer, -1 or None, got 2147483648"),
        ({"num_envs": 0}, "num_envs: expected a positive integer, got 0"),
        ({"num_envs": 2.0}, "num_envs: expected a positive integer, got 2.0"),
        ({"num_envs": True}, "num_envs: expected a positive integer, got True"),
        ({"render_mode": "human"}, "render_mode: expected one of rgb_array or None, got 'human'"),
        ({"copy": "no"}, "copy: expected True or False, got 'no'"),
    ],
)
def test_vector_configuration(config: dict[str, Any], message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message) as caught:
        MovingObstaclesVectorEnv(**config)
    line(caught)


def test_unknown_id() -> None:
    with pytest.raises(NameNotFound, match="MovingObstacle") as caught:
        gym.make("sidestep/MovingObstacle-v0")
    line(caught)


def unchanged(env: Any, call: Any, error: type[Exception], message: str) -> None:
    before = env.get_state()
    with pytest.raises(error, match=message) as caught:
        call()
    line(caught)
    after = env.get_state()
    assert all(np.array_equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize(
    ("action", "error", "message"),
    [
        (5, ValueError, "action: expected 0 to 4, got 5"),
        (-1, ValueError, "action: expected 0 to 4, got -1"),
        (8, ValueError, "action: expected 0 to 4, got 8"),
        (2**40, ValueError, "action: expected 0 to 4, got 1099511627776"),
        (2**70, TypeError, "action: expected an integer from 0 to 4, got 1180591620717411303424"),
        (1.0, TypeError, "action: expected an integer from 0 to 4, got 1.0"),
        (float("nan"), TypeError, "action: expected an integer from 0 to 4, got nan"),
        ("up", TypeError, "action: expected an integer from 0 to 4, got 'up'"),
        (None, TypeError, "action: expected an integer from 0 to 4, got None"),
        (np.array([1]), TypeError, r"action: expected an integer from 0 to 4, got array\(\[1\]\)"),
        (np.float32(1), TypeError, "action: expected an integer from 0 to 4"),
    ],
)
def test_single_action(action: Any, error: type[Exception], message: str) -> None:
    env = MovingObstaclesEnv()
    env.reset(seed=0)
    unchanged(env, lambda: env.step(action), error, message)
    env.step(np.int32(1))  # type: ignore[arg-type]  # and it goes on
    env.step(np.array(1))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("actions", "error", "message"),
    [
        ([0, 1, 5], ValueError, "action of lane 2: expected 0 to 4, got 5"),
        ([0, -1, 9], ValueError, "action of lane 1: expected 0 to 4, got -1"),
        ([0, 0, 2**62], ValueError, f"action of lane 2: expected 0 to 4, got {2**62}"),
        ([0, 1], ValueError, r"actions: expected shape \(3,\), got \(2,\)"),
        ([[0, 1, 2]], ValueError, r"actions: expected shape \(3,\), got \(1, 3\)"),
        (1, ValueError, r"actions: expected shape \(3,\), got \(\)"),
        ([0.0, 1.0, 2.0], TypeError, "actions: expected integers, got float64"),
        ([0, float("nan"), 1], TypeError, "actions: expected integers, got float64"),
        ([True, False, True], TypeError, "actions: expected integers, got bool"),
        (["up", "down", "up"], TypeError, "actions: expected integers, got <U4"),
        (None, TypeError, "actions: expected integers, got object"),
        ([[0], [1, 2], [3]], TypeError, "actions: expected integers, got"),
    ],
)
@pytest.mark.parametrize("mode", ["NextStep", "SameStep", "Disabled"])
def test_vector_actions(actions: Any, error: type[Exception], message: str, mode: str) -> None:
    env = MovingObstaclesVectorEnv(3, autoreset_mode=mode)
    env.reset(seed=0)
    unchanged(env, lambda: env.step(actions), error, message)
    for good in (np.zeros(3, np.uint8), [0, 1, 2], np.arange(6, dtype=np.int32)[::2] % 5):
        env.step(good)  # type: ignore[arg-type]


def test_a_wrong_action_in_the_last_of_many_lanes() -> None:
    env = MovingObstaclesVectorEnv(1000)
    env.reset(seed=0)
    actions = np.zeros(1000, np.int64)
    actions[999] = 7
    unchanged(env, lambda: env.step(actions), ValueError, "lane 999: expected 0 to 4, got 7")


@pytest.mark.parametrize("env", [MovingObstaclesEnv(), MovingObstaclesVectorEnv(2)])
def test_before_the_first_reset(env: Any) -> None:
    action = 0 if isinstance(env, MovingObstaclesEnv) else np.zeros(2, int)
    for call, name in ((lambda: env.step(action), "step"), (env.get_state, "get_state")):
        with pytest.raises(ResetNeeded, match=rf"{name}: expected reset\(\) first") as caught:
            call()
        line(caught)
    lane = () if isinstance(env, MovingObstaclesEnv) else (0,)
    with pytest.raises(ResetNeeded, match=r"scene: expected reset\(\) first"):
        env.scene(*lane)


def test_after_the_end() -> None:
    env = MovingObstaclesEnv(level="SG")
    env.reset(seed=0)
    assert env.step(2)[2]
    unchanged(
        env, lambda: env.step(2), ResetNeeded, "expected reset.. first, the episode has ended"
    )
    env.reset()
    env.step(4)


def test_after_the_end_with_autoreset_disabled() -> None:
    env = MovingObstaclesVectorEnv(3, autoreset_mode="Disabled", level="S.G")
    env.reset(seed=0)
    env.step(np.array([2, 4, 2]))
    env.step(np.array([2, 4, 2]))
    message = r"step: expected reset_mask first, lanes \[0, 2\] have ended"
    unchanged(env, lambda: env.step(np.zeros(3, int)), ResetNeeded, message)
    env.reset(options={"reset_mask": np.array([True, False, False])})
    unchanged(env, lambda: env.step(np.zeros(3, int)), ResetNeeded, r"lanes \[2\] have ended")
    env.reset(options={"reset_mask": np.array([False, False, True])})
    env.step(np.zeros(3, int))


def test_a_masked_first_reset() -> None:
    env = MovingObstaclesVectorEnv(2)
    with pytest.raises(ResetNeeded, match=r"reset_mask: expected a full reset\(\) first"):
        env.reset(options={"reset_mask": np.array([True, False])})


@pytest.mark.parametrize(
    ("mask", "error", "message"),
    [
        ([True, False, True], TypeError, "reset_mask: expected a numpy array of bool, got list"),
        (np.array([1, 0, 1]), TypeError, "reset_mask: expected a numpy array of bool, got int64"),
        (np.array([True]), ValueError, r"reset_mask: expected shape \(3,\), got \(1,\)"),
        (np.zeros(3, bool), ValueError, "reset_mask: expected at least one True, got none"),
    ],
)
def test_reset_mask(mask: Any, error: type[Exception], message: str) -> None:
    env = MovingObstaclesVectorEnv(3)
    env.reset(seed=0)
    unchanged(env, lambda: env.reset(options={"reset_mask": mask}), error, message)


@pytest.mark.parametrize(
    ("seed", "error", "message"),
    [
        (-1, ValueError, "seed: expected non-negative integers or None, got -1"),
        ([1, 2], ValueError, "seed: expected 3 seeds, got 2"),
        ([1, -2, 3], ValueError, "seed: expected non-negative integers or None, got -2"),
        ([1, 2.5, 3], ValueError, "seed: expected non-negative integers or None, got 2.5"),
        (1.5, TypeError, "seed: expected an integer, a list of them or None, got 1.5"),
        ("abc", TypeError, "seed: expected an integer, a list of them or None, got 'abc'"),
    ],
)
def test_vector_seed(seed: Any, error: type[Exception], message: str) -> None:
    env = MovingObstaclesVectorEnv(3)
    env.reset(seed=0)
    unchanged(env, lambda: env.reset(seed=seed), error, message)


@pytest.mark.parametrize("seed", [-1, 1.5, "abc", [1]])
def test_single_seed(seed: Any) -> None:
    env = MovingObstaclesEnv()
    env.reset(seed=0)
    unchanged(env, lambda: env.reset(seed=seed), gym.error.Error, "Seed must be")


def test_unknown_options() -> None:
    single, vector = MovingObstaclesEnv(), MovingObstaclesVectorEnv(2)
    for env, expected in ((single, "level, state"), (vector, "reset_mask, level, state")):
        env.reset(seed=0)
        unchanged(
            env,
            lambda env=env: env.reset(options={"mask": 1}),
            ValueError,
            f"options: expected {expected}, got 'mask'",
        )
        for wrong in ([], "level", 3):
            words = re.escape(f"options: expected a dict or None, got {wrong!r}")
            unchanged(env, lambda env=env, wrong=wrong: env.reset(options=wrong), TypeError, words)
        expected = f"options: expected {expected}, got 1, 'a'"
        unchanged(env, lambda env=env: env.reset(options={1: 2, "a": 3}), ValueError, expected)


def test_no_such_lane() -> None:
    env = MovingObstaclesVectorEnv(2, render_mode="rgb_array")
    env.reset(seed=0)
    for lane in (-1, 2):
        with pytest.raises(IndexError, match=f"lane: expected 0 to 1, got {lane}"):
            env.scene(lane)


@pytest.mark.parametrize("name", ["frameskip", "render_modes", "levle"])
def test_a_refused_keyword_is_told_in_python_s_words(name: str) -> None:
    """torchrl's `GymEnv` passes `frameskip`, and tries again without where these words come back.

    Gymnasium looks for the same ones about `render_mode`.
    """

    def own() -> None:
        pass

    with pytest.raises(TypeError) as python:
        own(**{name: 1})  # type: ignore[call-arg]
    words = str(python.value).split("() got an ")[1].split(".")[0]  # 3.13 asks "Did you mean"
    assert words == f"unexpected keyword argument '{name}'"
    ids = [*ENV_IDS, *(f"sidestep.envs:{env_id}" for env_id in ENV_IDS)]
    makers = [
        lambda **k: MovingObstaclesEnv(**k),
        lambda **k: MovingObstaclesVectorEnv(2, **k),
        lambda **k: WorldConfig(**k),
        lambda **k: WorldConfig.of(**k),
        lambda **k: Level.random(0, **k),
        *(lambda env_id=env_id, **k: gym.make(env_id, **k) for env_id in ids),
        *(lambda env_id=env_id, **k: gym.make_vec(env_id, num_envs=2, **k) for env_id in ids),
    ]
    for make in makers:
        with pytest.raises(TypeError, match=f"got an {words}"):
            make(**{name: 1})
