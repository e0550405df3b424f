"""What presets read off an env: of strangers' envs and ours, by configuration and by vector env."""

from dataclasses import replace
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.vector import SyncVectorEnv

import sidestep.envs  # noqa: F401
from sidestep.agents import EnvConfig, make_vector
from sidestep.agents.traits import Traits, told_traits, traits_of

TOLD = {
    "CartPole-v1": Traits(True, 500, (4,), True),
    "Acrobot-v1": Traits(False, 500, (6,), True),
    "MountainCar-v0": Traits(False, 200, (2,), True),
    "Taxi-v4": Traits(False, 200, (500,), False, True),
    "FrozenLake-v1": Traits(False, 100, (16,), False, True),
    "sidestep/MovingObstacles-v0": Traits(True, 100, (15,), False),
    "sidestep/Crossing-v0": Traits(True, 100, (9, 7, 7), False),
}


@pytest.mark.parametrize("env_id", TOLD)
def test_by_configuration_and_by_vector_env(env_id: str) -> None:
    config = EnvConfig(env_id)
    assert traits_of(config) == TOLD[env_id]
    env = make_vector(config, 2)
    assert traits_of(env) == TOLD[env_id]
    env.close()


@pytest.mark.parametrize("env_id", TOLD)
def test_what_is_known_before_an_env_is_made(env_id: str) -> None:
    told, whole = told_traits(EnvConfig(env_id)), TOLD[env_id]
    assert told[:2] == whole[:2] and told[2:] == ((1,), False, False)
    for limit in (
        EnvConfig(env_id, max_episode_steps=7),
        EnvConfig(env_id, ("max_episode_steps=7",)),
    ):
        assert told_traits(limit).time_limit == 7
    assert not told_traits(EnvConfig(env_id, vectorization="sync")).vectorized


def test_an_own_limit_and_keywords_count() -> None:
    short = EnvConfig("MountainCar-v0", max_episode_steps=77)
    assert traits_of(short).time_limit == 77
    for kind in ("sync", "async"):
        env = make_vector(replace(short, vectorization=kind), 2)
        assert traits_of(env).time_limit == 77
        env.close()
    book = EnvConfig("sidestep/MovingObstacles-v0", ("max_episode_steps=30",))
    assert traits_of(book).time_limit == 30
    window = EnvConfig("sidestep/MovingObstacles-v0", ("observation=window", "radius=4"))
    assert traits_of(window).shape == (9, 9, 9) and not traits_of(window).is_small_picture
    assert TOLD["sidestep/Crossing-v0"].is_small_picture
    assert TOLD["sidestep/Crossing-v0"].is_quick and not TOLD["CartPole-v1"].is_quick
    assert not TOLD["FrozenLake-v1"].is_quick  # its lanes step one by one
    assert TOLD["FrozenLake-v1"].is_table
    assert not TOLD["CartPole-v1"].is_table and not TOLD["sidestep/Crossing-v0"].is_table


@pytest.mark.parametrize(
    ("space", "unscaled"),
    [
        (spaces.Box(-1, 1, (3,)), False),
        (spaces.Box(-1, 2, (3,)), True),
        (spaces.Box(0, 9, (3,), np.int64), False),
        (spaces.Box(-np.inf, np.inf, (2,)), True),
        (spaces.Box(-9, 9, (3, 8, 8)), False),  # a picture
        (spaces.Box(-9, 9, (4, 4)), True),  # a table of numbers
        (spaces.Dict(a=spaces.Discrete(3), b=spaces.Box(-2, 0, ())), True),
        (spaces.Tuple((spaces.MultiBinary(3), spaces.Box(0, 1, (2,)))), False),
    ],
)
def test_numbers_beyond_one_are_to_be_scaled(space: Any, unscaled: bool) -> None:
    class Plain(gym.Env[Any, Any]):
        observation_space, action_space = space, spaces.Discrete(2)

    traits = traits_of(SyncVectorEnv([Plain]))
    assert traits.unscaled is unscaled and traits.time_limit is None and not traits.vectorized


def test_the_env_is_closed_again() -> None:
    closed = []

    class Told(gym.Env[Any, Any]):
        observation_space, action_space = spaces.Discrete(2), spaces.Discrete(2)

        def close(self) -> None:
            closed.append(self)

    gym.register("Told-v0", entry_point=Told)
    try:
        traits_of(EnvConfig("Told-v0"))
    finally:
        del gym.registry["Told-v0"]
    assert len(closed) == 1
