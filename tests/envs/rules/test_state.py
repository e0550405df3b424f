"""get_state / set_state: the future repeats exactly, and what does not fit is refused."""

import io
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from sidestep.envs import MovingObstaclesEnv, MovingObstaclesVectorEnv

LEVEL = "S.v.\n?##.\n.>.G\n...^"
State = dict[str, NDArray[Any]]


def future(env: MovingObstaclesEnv, ticks: int) -> list[Any]:
    """What happens from here on under fixed actions, over several episodes."""
    seen: list[Any] = []
    for action in np.random.default_rng(ticks).integers(0, 5, ticks).tolist():
        if env.world.ended[0]:
            seen.append(env.reset()[0].tolist())
        obs, *rest = env.step(action)
        seen.append((obs.tolist(), *rest))
    return seen


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**64 - 1), st.integers(0, 60), st.booleans(), st.integers(1, 3))
def test_single_env_repeats(seed: int, ticks: int, random_starts: bool, period: int) -> None:
    config: dict[str, Any] = {"random_starts": random_starts, "obstacle_period": period}
    env = MovingObstaclesEnv(level=LEVEL, **config)
    env.reset(seed=seed)
    future(env, ticks)
    state = env.get_state()
    expected = future(env, 200)
    assert len(expected) > 200  # later episodes are among it
    env.set_state(state)
    assert future(env, 200) == expected
    fresh = MovingObstaclesEnv(level=LEVEL, **config)
    fresh.set_state(state)  # without a reset
    assert future(fresh, 200) == expected


def batches(env: MovingObstaclesVectorEnv, ticks: int) -> bytes:
    rng, seen = np.random.default_rng(ticks), b""
    for _ in range(ticks):
        if env.metadata["autoreset_mode"].value == "Disabled" and env.world.ended.any():
            obs, _ = env.reset(options={"reset_mask": env.world.ended.copy()})
            seen += obs.tobytes()
        obs, reward, terminated, truncated, info = env.step(rng.integers(0, 5, env.num_envs))
        seen += b"".join(a.tobytes() for a in (obs, reward, terminated, truncated))
        seen += repr(sorted(info)).encode()
    return seen


@pytest.mark.parametrize("mode", ["NextStep", "SameStep", "Disabled"])
@pytest.mark.parametrize("ticks", [0, 1, 6, 7, 8, 50])
def test_vector_env_repeats(mode: str, ticks: int) -> None:
    def make() -> MovingObstaclesVectorEnv:
        return MovingObstaclesVectorEnv(
            5, max_episode_steps=7, autoreset_mode=mode, level=LEVEL, hit_ends=False
        )

    env = make()
    env.reset(seed=3)
    batches(env, ticks)
    state = env.get_state()
    expected = batches(env, 60)
    for other in (env, make()):
        other.set_state(state)
        assert batches(other, 60) == expected


def test_a_state_is_a_copy() -> None:
    env = MovingObstaclesEnv()
    env.reset(seed=0)
    state = env.get_state()
    frozen = {name: array.copy() for name, array in state.items()}
    future(env, 30)
    assert all(np.array_equal(state[name], frozen[name]) for name in frozen)
    env.set_state(state)
    future(env, 30)
    assert all(np.array_equal(state[name], frozen[name]) for name in frozen)


def test_a_state_survives_a_file() -> None:
    env = MovingObstaclesVectorEnv(3)
    env.reset(seed=0)
    batches(env, 10)
    file = io.BytesIO()
    np.savez(file, **env.get_state())
    expected = batches(env, 40)
    file.seek(0)
    with np.load(file, allow_pickle=False) as loaded:
        env.set_state(dict(loaded))
    assert batches(env, 40) == expected


def test_observations_may_differ_the_rules_may_not() -> None:
    env = MovingObstaclesEnv(goal_reward=1)  # the same as 1.0
    env.reset(seed=0)
    MovingObstaclesEnv(observation="book").set_state(env.get_state())


@pytest.mark.parametrize(
    "config",
    [
        {"obstacle_period": 3},
        {"random_starts": False},
        {"swap_hits": False},
        {"hit_ends": False},
        {"goal_reward": 2.0},
        {"hit_reward": -2.0},
        {"step_reward": 0.0},
        {"level": "S....\n..<..\n.<...\n...>.\n....G"},
    ],
)
def test_other_rules_are_refused(config: dict[str, Any]) -> None:
    other = MovingObstaclesEnv(**config)
    other.reset(seed=0)
    refused(MovingObstaclesEnv(), other.get_state(), "expected one of this world's configuration")


def refused(env: Any, state: Any, message: str) -> None:
    """`set_state` raises, and the env is as it was."""
    env.reset(seed=1)
    before = env.get_state()
    with pytest.raises(ValueError, match=message) as caught:
        env.set_state(state)
    assert "\n" not in str(caught.value)
    after = env.get_state()
    assert all(np.array_equal(before[name], after[name]) for name in before)


def test_another_time_limit_is_refused() -> None:
    env = MovingObstaclesVectorEnv(2, max_episode_steps=5)
    env.reset(seed=0)
    other = MovingObstaclesVectorEnv(2, max_episode_steps=6)
    refused(other, env.get_state(), "expected one of this world's configuration")


def test_another_number_of_lanes_is_refused() -> None:
    env = MovingObstaclesVectorEnv(2)
    env.reset(seed=0)
    refused(
        MovingObstaclesVectorEnv(3),
        env.get_state(),
        r"state 'state': expected int16 \(16, 3\), got int16 \(16, 2\)",
    )


def changed(name: str, value: Any) -> State:
    env = MovingObstaclesEnv()
    env.reset(seed=0)
    return {**env.get_state(), name: value}


@pytest.mark.parametrize(
    ("state", "message"),
    [
        (None, "expected what get_state"),
        ({}, "expected what get_state"),
        (changed("more", np.zeros(1)), "expected what get_state"),
        (changed("clock", np.zeros(1)), r"'clock': expected int32 \(1,\), got float64 \(1,\)"),
        (changed("ended", np.zeros(2, bool)), r"'ended': expected bool \(1,\), got bool \(2,\)"),
    ],
)
def test_other_shapes_are_refused(state: Any, message: str) -> None:
    refused(MovingObstaclesEnv(), state, message)


@pytest.mark.parametrize(
    ("row", "value", "message"),
    [
        (0, 5, "expected agent in columns 0 to 4 and rows 0 to 4"),
        (1, -1, "expected agent in columns 0 to 4 and rows 0 to 4"),
        (4, 500, "expected obstacle 0 in columns 0 to 4 and rows 1 to 1"),
        (9, 1, "expected obstacle 1 in columns 0 to 4 and rows 2 to 2"),
        (2, 2, "expected phases below 2"),
        (2, -1, "expected phases below 2"),
        (6, 30, r"the heading of obstacle 0 to be \(1, 0\) or \(-1, 0\), got \(30, 0\)"),
        (7, 1, r"the heading of obstacle 0 to be .*, got \(-1, 1\)"),
    ],
)
def test_places_outside_the_map_are_refused(row: int, value: int, message: str) -> None:
    env = MovingObstaclesEnv()
    env.reset(seed=0)
    state = env.get_state()
    state["state"][row] = value
    refused(env, state, message)


@pytest.mark.parametrize(
    ("row", "value", "message"),
    [
        (0, 1, "expected agent outside of walls, got column 1, row 0"),
        (4, 1, "expected obstacle 0 outside of walls, got column 1, row 0"),
        (6, 1, r"the heading of obstacle 0 to be \(0, 0\), got \(1, 0\)"),
        (10, 0, r"the heading of obstacle 1 to be \(0, 1\) or \(0, -1\), got \(0, 0\)"),
    ],
)
def test_walls_and_headings_in_a_state(row: int, value: int, message: str) -> None:
    env = MovingObstaclesEnv(level="S#?v\n...G", random_starts=False)
    env.reset(seed=0)
    state = env.get_state()
    state["state"][row] = value
    state["state"][11] = 0 if row == 10 else state["state"][11]
    refused(env, state, message)


def test_a_negative_clock_is_refused() -> None:
    refused(MovingObstaclesEnv(), changed("clock", np.full(1, -1, np.int32)), "ticks from 0 on")


def test_a_state_with_ended_lanes_in_another_mode() -> None:
    """SameStep restarts them, as it does itself; the episode after it is the same."""
    config: dict[str, Any] = {"level": "SG", "random_starts": False}
    later = MovingObstaclesVectorEnv(1, autoreset_mode="NextStep", **config)
    later.reset(seed=0)
    later.step(np.array([2]))
    same = MovingObstaclesVectorEnv(1, autoreset_mode="SameStep", **config)
    same.set_state(later.get_state())
    later.step(np.array([2]))
    ours, theirs = same.get_state(), later.get_state()
    assert all(np.array_equal(ours[name], theirs[name]) for name in ours)


def test_a_time_limit_wrapper_counts_by_itself() -> None:
    env: Any = gym.make("sidestep/MovingObstacles-v0", max_episode_steps=3, level="S...\n...G")
    env.reset(seed=0)
    state = env.unwrapped.get_state()
    truncations = []
    for _ in range(3):
        truncations.append(env.step(4)[3])
        env.unwrapped.set_state(state)
    assert truncations == [False, False, True]
