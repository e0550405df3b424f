"""Vector envs from ids and keywords."""

from typing import Any

import gymnasium as gym
import pytest
import torch
from gymnasium.vector import AsyncVectorEnv, SyncVectorEnv

from sidestep.agents import (
    Collector,
    DeepSarsa,
    DeepSarsaConfig,
    EnvConfig,
    make_single,
    make_vector,
)
from sidestep.agents.environments import (
    MOST_TICKS,
    TRAINING_LEVELS,
    for_training,
    is_native,
    parse_keywords,
    qualified,
)


def test_keywords_are_python_literals_or_else_text() -> None:
    got = parse_keywords(["size=5", "rate=-.5", "name=abc", "on=True", "none=None", "path=a=b"])
    want = {"size": 5, "rate": -0.5, "name": "abc", "on": True, "none": None, "path": "a=b"}
    assert got == want
    assert parse_keywords(["shape=(3, 4)"]) == {"shape": (3, 4)}
    deep = {"minus": "-" * 100_000, "lists": "[" * 100_000, "set": "{[]}", "quoted": "'a\\d'"}
    got = parse_keywords([f"{name}={value}" for name, value in deep.items()])
    assert got == {**deep, "quoted": "a\\d"}  # what Python cannot read is text
    for word in ("size", "=5", "a b=5"):
        with pytest.raises(ValueError, match="env kwargs: expected name=value, got"):
            parse_keywords([word])


def test_native_where_there_is_one_else_synchronous() -> None:
    assert is_native(EnvConfig()) and is_native(EnvConfig("CartPole-v1"))
    assert not is_native(EnvConfig("FrozenLake-v1"))
    assert not is_native(EnvConfig(vectorization="sync"))
    assert not isinstance(make_vector(EnvConfig(), 3), SyncVectorEnv)
    for config in (EnvConfig("FrozenLake-v1"), EnvConfig(vectorization="sync")):
        env = make_vector(config, 3)
        assert isinstance(env, SyncVectorEnv) and env.num_envs == 3
    assert qualified("CartPole-v1") == "CartPole-v1"
    assert qualified("sidestep/Book-v0") == "sidestep.envs:sidestep/Book-v0"


def limit_of(config: EnvConfig) -> tuple[Any, Any]:
    env, single = make_vector(config, 2), make_single(config)
    limit = single.spec.max_episode_steps if single.spec is not None else None
    if isinstance(env, SyncVectorEnv):
        return limit, env.envs[0].spec.max_episode_steps  # type: ignore[union-attr]
    return limit, getattr(env, "max_episode_steps", None)


@pytest.mark.parametrize(
    ("env_id", "own"),
    [
        ("sidestep/MovingObstacles-v0", 100),
        ("sidestep/Book-v0", MOST_TICKS),  # it has none: an agent that stands still would hang
        ("CliffWalking-v1", MOST_TICKS),
        ("FrozenLake-v1", 100),
        ("CartPole-v1", 500),
    ],
)
def test_there_always_is_a_time_limit(env_id: str, own: int) -> None:
    assert limit_of(EnvConfig(env_id)) == (own, own)
    assert limit_of(EnvConfig(env_id, max_episode_steps=7)) == (7, 7)
    assert limit_of(EnvConfig(env_id, ("max_episode_steps=8",))) == (8, 8)
    for unlimited in ("max_episode_steps=-1", "max_episode_steps=None"):
        assert limit_of(EnvConfig(env_id, (unlimited,))) == (MOST_TICKS, MOST_TICKS)


def test_keywords_reach_the_env() -> None:
    config = EnvConfig("FrozenLake-v1", ("map_name=8x8", "is_slippery=False"))
    assert make_vector(config, 2).single_observation_space == gym.spaces.Discrete(64)
    assert make_single(config).observation_space == gym.spaces.Discrete(64)
    config = EnvConfig(kwargs=("observation=book",))
    assert make_vector(config, 2).single_observation_space.shape == (15,)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: EnvConfig(vectorization="fast"), ValueError, "vectorization: expected one of"),
        (lambda: EnvConfig(max_episode_steps=0), ValueError, "max_episode_steps: expected at l"),
        (lambda: EnvConfig(kwargs=("size",)), ValueError, "expected name=value, got 'size'"),
        (lambda: make_vector(EnvConfig("Pendulum-v1"), 2), TypeError, "expected Discrete counted"),
        (lambda: make_vector(EnvConfig("Nope-v0"), 2), gym.error.Error, "doesn't exist"),
        (lambda: make_vector(EnvConfig("nope:X-v0"), 2), ValueError, "expected a module to impo"),
        (lambda: make_vector(EnvConfig(kwargs=("size=3",)), 2), TypeError, "argument 'size'"),
    ],
)
def test_wrong_input_is_named(make: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        make()


def test_processes_give_the_same_rollouts_as_one_process() -> None:
    rollouts = []
    for vectorization, kind in (("sync", SyncVectorEnv), ("async", AsyncVectorEnv)):
        env = make_vector(EnvConfig("CartPole-v1", (), 7, vectorization), 3)
        assert isinstance(env, kind)
        agent = DeepSarsa(env.single_observation_space, env.single_action_space, DeepSarsaConfig())
        collector = Collector(env, agent, peek=agent.peek)
        collector.begin(0)
        rollouts.append([collector.rollout(11) for _ in range(2)])
        env.close()
    for one, other in zip(*rollouts, strict=True):
        assert one.truncated.any() and not one.valid.all()
        for a, b in zip(one[1:-1], other[1:-1], strict=True):
            assert torch.equal(a, b)
        assert torch.equal(one.inputs.obs, other.inputs.obs)


def test_to_train_in_there_are_more_levels_than_an_id_has() -> None:
    config = EnvConfig("sidestep.envs:sidestep/Crossing-v0", ("split=test", "radius=4"), 50, "sync")
    larger = for_training(config)
    assert larger.keywords() == {"split": "test", "radius": 4, "pool": {"count": TRAINING_LEVELS}}
    assert (larger.id, larger.max_episode_steps, larger.vectorization) == (config.id, 50, "sync")
    assert gym.make("sidestep/Crossing-v0").unwrapped.config.pool.count == 64  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "config",
    [
        EnvConfig("sidestep/Crossing-v0", ("pool={'patrols': 9}",)),
        EnvConfig("sidestep/Crossing-v0", ("pool=None", "level=gate")),
        EnvConfig(),
        EnvConfig("sidestep/Glimpse-v0", ("visible_every=3",)),
        EnvConfig("Others-v0"),
    ],
)
def test_to_train_in_all_else_is_as_it_is(config: EnvConfig) -> None:
    gym.register("Others-v0", entry_point="gymnasium:Env", kwargs={"pool": {}})
    try:
        assert for_training(config) is config
    finally:
        del gym.registry["Others-v0"]


def test_a_pool_whose_count_an_id_states_is_kept() -> None:
    entry = gym.spec("sidestep/Crossing-v0").entry_point
    for env_id, pool in (("sidestep/Few-v0", {"count": 5}), ("sidestep/Calm-v0", {"patrols": 2})):
        gym.register(env_id, entry_point=entry, kwargs={"pool": pool})
    try:
        few, calm = EnvConfig("sidestep/Few-v0"), EnvConfig("sidestep/Calm-v0")
        assert for_training(few) is few
        assert for_training(calm).keywords()["pool"] == {"patrols": 2, "count": TRAINING_LEVELS}
    finally:
        del gym.registry["sidestep/Few-v0"], gym.registry["sidestep/Calm-v0"]
