"""Specs of made envs survive JSON: what is made from the text again plays the same."""

import json
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec
from gymnasium.vector import AutoresetMode

from sidestep.envs import ENV_IDS, Level, MovingObstaclesEnv, MovingObstaclesVectorEnv, WorldConfig
from sidestep.envs.levels.pool import LevelPool
from sidestep.envs.levels.shipped import FOLDER, find_level

DEFAULT = "sidestep/MovingObstacles-v0"
LEVEL, OTHER = Level.parse("S.>\n..G"), Level.parse("S>.\n.#G")
KEYWORDS: list[dict[str, Any]] = [
    {"level": LEVEL},
    {"level": str(LEVEL), "hide": ("phase",)},
    {"levels": [LEVEL, str(OTHER)]},
    {"levels": (LEVEL, OTHER), "observation": "planes"},
    {"level": FOLDER / "rooms.txt"},
    {"level": "rooms"},
    {"pool": LevelPool(width=5, height=5, patrols=2, count=3), "split": "test"},
    {"pool": {"width": 5, "height": 5, "patrols": 2, "count": 3}},
]
WAYS: dict[str, dict[str, Any]] = {
    "native": {},
    "native, SAME_STEP": {"autoreset_mode": AutoresetMode.SAME_STEP},
    "sync": {"vectorization_mode": "sync"},
}


def again(spec: EnvSpec | None) -> EnvSpec:
    """The spec through a file."""
    assert spec is not None
    text = spec.to_json()
    assert json.loads(text)["id"] == spec.id
    return EnvSpec.from_json(text)


def same(first: Any, second: Any) -> None:
    assert first.observation_space == second.observation_space
    obs, theirs = first.reset(seed=3)[0], second.reset(seed=3)[0]
    assert np.array_equal(obs, theirs)
    first.close()
    second.close()


def config_of(env: Any) -> WorldConfig:
    inner = env.unwrapped
    found: WorldConfig = (inner.envs[0].unwrapped if hasattr(inner, "envs") else inner).config
    return found


@pytest.mark.parametrize("keywords", KEYWORDS, ids=str)
def test_single(keywords: dict[str, Any]) -> None:
    env = gym.make(DEFAULT, **keywords)
    made = gym.make(again(env.spec))
    assert config_of(made) == config_of(env)
    assert made.spec is not None
    assert made.spec.max_episode_steps == 100
    same(env, made)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("keywords", KEYWORDS, ids=str)
def test_vector(keywords: dict[str, Any], way: str) -> None:
    if way == "sync" and isinstance(keywords.get("level"), Path):
        pytest.skip("SyncVectorEnv's own spec holds what it was given; JSON has no paths")
    env = gym.make_vec(DEFAULT, num_envs=2, **WAYS[way], **keywords)
    made = gym.make_vec(again(env.spec))
    assert made.num_envs == 2
    assert config_of(made) == config_of(env)
    assert made.metadata["autoreset_mode"] == env.metadata["autoreset_mode"]
    same(env, made)


@pytest.mark.parametrize("env_id", ENV_IDS)
def test_registered(env_id: str) -> None:
    env = gym.make(env_id)
    made = gym.make(again(env.spec))
    assert config_of(made) == config_of(env)
    same(env, made)


def test_what_was_handed_over_is_not_changed() -> None:
    keywords: dict[str, Any] = {"levels": [LEVEL, OTHER]}
    env = gym.make(DEFAULT, **keywords)
    assert keywords == {"levels": [LEVEL, OTHER]}
    assert env.spec is not None
    assert env.spec.kwargs == {"levels": [str(LEVEL), str(OTHER)]}
    assert gym.spec(DEFAULT).kwargs == {}
    for made_by_hand in (MovingObstaclesEnv(level=LEVEL), MovingObstaclesVectorEnv(2)):
        assert made_by_hand.spec is None
        made_by_hand.spec = env.unwrapped.spec
        assert again(made_by_hand.spec).kwargs == env.spec.kwargs
        made_by_hand.spec = None
        assert made_by_hand.spec is None


def test_a_level_s_dict() -> None:
    assert find_level({"rows": ["S.>", "..G"]}) == find_level({"rows": ("S.>", "..G")}) == LEVEL
    for wrong in ({"rows": ["S.>", "..."]}, {"rows": [1, 2]}, {"rows": []}):
        with pytest.raises(ValueError, match=r"level.*: expected .*, got "):
            find_level(wrong)
    for other in ({}, {"row": ["S.G"]}, {"rows": ["S.G"], "more": 1}):
        with pytest.raises(TypeError, match="level: expected text, got dict"):
            find_level(other)
    with pytest.raises(TypeError, match="level: expected a list of rows, got None"):
        find_level({"rows": None})
